"""Metrics of your own classifiers."""

from __future__ import annotations

from surveil.metrics import QUICK_S, Make, MetricsPart


class ClassifierMetrics(MetricsPart):
    """Which are in use, what they say, and how far that is from what they said in training."""

    def __init__(self, make: Make) -> None:
        self.in_use = make.gauge(
            "surveil_classifier_in_use",
            "1 while a classifier that rules name is deployed, 0 while it is not: its rules are inactive.",
            "model",
        )
        self.looks = make.counter(
            "surveil_classifier_looks", "Crops classified, by class.",
            "camera", "model", "label",
        )  # fmt: skip
        self.shadow = make.counter(
            "surveil_classifier_shadow_looks",
            "Crops classified in shadow mode, by class of the classifier in use and class of the shadow.",
            "camera", "model", "label", "shadow_label",
        )  # fmt: skip
        self.drift = make.gauge(
            "surveil_classifier_drift_ratio",
            "Distance of current scores from those of the validation split (Kolmogorov-Smirnov): 0 for "
            "equal, 1 for disjoint distributions.",
            "camera", "model",
        )  # fmt: skip
        self.seconds = make.histogram(
            "surveil_classifier_seconds", "Time of one inference call of a classifier.", buckets=QUICK_S
        )

    def add(
        self, model: str, cameras: tuple[str, ...], labels: tuple[str, ...], shadow_labels: tuple[str, ...]
    ) -> None:
        """Create the series of a classifier at 0; without labels nothing is deployed."""
        self.in_use.labels(model).set(bool(labels))
        for camera in cameras:
            self.drift.labels(camera, model)
            for label in labels:
                self.looks.labels(camera, model, label)
            for label in labels or ("none",):
                for other in shadow_labels:
                    self.shadow.labels(camera, model, label, other)

    def sample(self, camera: str) -> None:
        """Create the series of one classifier."""
        self.add("shelf", (camera,), ("full", "empty"), ("full", "empty"))
