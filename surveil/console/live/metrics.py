"""Metrics of the live view."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart


class LiveMetrics(MetricsPart):
    """Who looks, and what they missed."""

    def __init__(self, make: Make) -> None:
        self.viewers = make.gauge("surveil_live_viewers", "Viewers of the live picture.", "camera")
        self.dropped = make.counter(
            "surveil_live_dropped",
            "Pictures not sent to viewers that were too slow, counted for each viewer.",
            "camera",
        )

    def sample(self, camera: str) -> None:
        """Create a camera's series at 0."""
        self.viewers.labels(camera).set(0)
        self.dropped.labels(camera)
