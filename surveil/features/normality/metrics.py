"""Metrics of learned normality."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart


class NormalityMetrics(MetricsPart):
    """How unusual a camera's picture is, by which model, and how far the learning is."""

    def __init__(self, make: Make) -> None:
        self.surprise = make.gauge(
            "surveil_normality_surprise", "How unusual the last frame was, in powers of ten.", "camera"
        )
        self.threshold = make.gauge(
            "surveil_normality_threshold",
            "Surprise at which an alarm is raised, in powers of ten; +Inf without a model.",
            "camera",
        )
        self.alerting = make.gauge(
            "surveil_normality_alerting", "1 when the learned model is valid and may alert.", "camera"
        )
        self.state = make.gauge(
            "surveil_normality_state",
            "1 for the current state of learned normality, 0 for the others.",
            "camera",
            "state",
        )
        self.drift = make.gauge(
            "surveil_normality_drift_ratio",
            "Share of high scores, as a multiple of that during learning: 1 is unchanged, above 5 the model "
            "is invalid.",
            "camera",
        )
        self.shadowed = make.counter(
            "surveil_normality_shadowed", "Alarms that were not raised because of `shadow`.", "camera"
        )
        self.model = make.gauge(
            "surveil_normality_model_timestamp_seconds",
            "Unix time of the newest footage that the model in use has learned from; 0 without a model.",
            "camera",
        )
        self.learned = make.gauge(
            "surveil_normality_learned_seconds",
            "Footage that the model in use has learned from, and footage learned since then.",
            "camera",
        )
        self.progress = make.gauge(
            "surveil_normality_progress_ratio",
            "Footage seen, as a share of what the calibration of the budget needs.",
            "camera",
        )
        self.held = make.counter(
            "surveil_normality_held_seconds",
            "Footage that was not learned from, by reason.",
            "camera",
            "reason",
        )
