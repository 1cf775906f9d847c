"""Metrics of picture health."""

from __future__ import annotations

from surveil.features.health.report import PictureFault
from surveil.metrics import Make, MetricsPart


class HealthMetrics(MetricsPart):
    """Which faults the picture of a camera has."""

    def __init__(self, make: Make) -> None:
        self.state = make.gauge(
            "surveil_picture_state", "1 while the picture has this fault.", "camera", "state"
        )
        self.changed = make.gauge(
            "surveil_picture_changed_timestamp_seconds",
            "Unix time at which a different view was last accepted as the reference; 0 if never since the start.",
            "camera",
        )

    def sample(self, camera: str) -> None:
        """Create the series of one camera."""
        for fault in PictureFault:
            self.state.labels(camera, fault.value)
