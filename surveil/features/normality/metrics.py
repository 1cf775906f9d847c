"""Metrics of learned normality."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart


class NormalityMetrics(MetricsPart):
    """How unusual a camera's picture is, by which model, and how far the learning is."""

    def __init__(self, make: Make) -> None:
        self.surprise = make.gauge(
            "surveil_normality_surprise", "How unusual the last frame was, powers of ten.", "camera"
        )
        self.threshold = make.gauge(
            "surveil_normality_threshold",
            "Surprise at which an alarm is raised, powers of ten; infinite without a model.",
            "camera",
        )
        self.alerting = make.gauge(
            "surveil_normality_alerting", "1 when the learned model is valid and may alert.", "camera"
        )
        self.state = make.gauge(
            "surveil_normality_state",
            "1 for the state that learned normality is in, else 0.",
            "camera",
            "state",
        )
        self.drift = make.gauge(
            "surveil_normality_drift_ratio",
            "Share of high scores as a multiple of the share during learning: 1 unchanged, over 5 invalid.",
            "camera",
        )
        self.shadowed = make.counter(
            "surveil_normality_shadowed", "Alarms that `shadow` kept from being raised.", "camera"
        )
        self.model = make.gauge(
            "surveil_normality_model_timestamp_seconds",
            "Last footage that the model in use has learned from, Unix time; 0 without a model.",
            "camera",
        )
        self.learned = make.gauge(
            "surveil_normality_learned_seconds",
            "Footage behind the model in use and learned since.",
            "camera",
        )
        self.progress = make.gauge(
            "surveil_normality_progress_ratio",
            "Footage seen, as a share of what calibrating the budget takes.",
            "camera",
        )
        self.held = make.counter(
            "surveil_normality_held_seconds",
            "Footage that was not learned from, by reason.",
            "camera",
            "reason",
        )
