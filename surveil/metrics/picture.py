"""What is told of a camera's picture as a whole: its health, and how usual it is."""

from __future__ import annotations

from surveil.metrics.make import Make


class PictureMetrics:
    """Picture health and learned normality."""

    def __init__(self, make: Make) -> None:
        self.picture_state = make.gauge(
            "surveil_picture_state", "1 while the picture is ill in this way.", "camera", "state"
        )
        self.picture_changed = make.gauge(
            "surveil_picture_changed_timestamp_seconds",
            "When a view that differs was taken for the usual one, Unix time; 0 when never since the start.",
            "camera",
        )
        self._make_normality(make)
        self._make_learning(make)

    def _make_normality(self, make: Make) -> None:
        """Make what says how usual the picture is, and by which model."""
        self.surprise = make.gauge(
            "surveil_normality_surprise", "How unusual the last frame was, powers of ten.", "camera"
        )
        self.normality_threshold = make.gauge(
            "surveil_normality_threshold",
            "Surprise that makes an alarm, powers of ten; infinite without a model.",
            "camera",
        )
        self.normality_valid = make.gauge(
            "surveil_normality_alerting", "1 when the learned model is valid and may alert.", "camera"
        )
        self.normality_state = make.gauge(
            "surveil_normality_state", "1 for the state that learned normality is in, else 0.", "camera", "state"
        )  # fmt: skip
        self.normality_drift = make.gauge(
            "surveil_normality_drift_ratio",
            "Share of high scores in multiples of what was learned: 1 as learned, over 5 invalid.",
            "camera",
        )
        self.normality_shadowed = make.counter(
            "surveil_normality_shadowed", "Alarms that `shadow` kept from being raised.", "camera"
        )

    def _make_learning(self, make: Make) -> None:
        """Make what says how far the learning is."""
        self.normality_model = make.gauge(
            "surveil_normality_model_timestamp_seconds",
            "Last footage that the model in use has learned from, Unix time; 0 without a model.",
            "camera",
        )
        self.normality_learned = make.gauge(
            "surveil_normality_learned_seconds",
            "Footage behind what is usual, that in use and that since learned.",
            "camera",
        )
        self.normality_progress = make.gauge(
            "surveil_normality_progress_ratio",
            "Footage seen, as a share of what vouching for the budget takes.",
            "camera",
        )
        self.normality_held = make.counter(
            "surveil_normality_held_seconds", "Footage that was not learned from, by reason.", "camera", "reason"
        )  # fmt: skip

    def forget_picture(self, camera: str) -> None:
        """Remove the series of those who look at a camera's picture: others take their place, or nobody."""
        for metric in (
            self.picture_state, self.picture_changed, self.surprise, self.normality_threshold,
            self.normality_valid, self.normality_state, self.normality_drift, self.normality_shadowed,
            self.normality_model, self.normality_learned, self.normality_progress, self.normality_held,
        ):  # fmt: skip
            metric.remove_by_labels({"camera": camera})
