"""Metrics of counting at lines and in zones."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart

_DWELL_S = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class CountMetrics(MetricsPart):
    """Crossings, occupancy, and how long objects stay."""

    def __init__(self, make: Make) -> None:
        self.crossings = make.counter(
            "surveil_line_crossings", "Line crossings, by direction and class.",
            "camera", "line", "direction", "label",
        )  # fmt: skip
        self.occupancy = make.gauge(
            "surveil_zone_occupancy", "Objects in a zone now.", "camera", "zone", "label"
        )
        self.dwell = make.histogram(
            "surveil_zone_dwell_seconds", "Dwell time of objects in a zone.", "camera", "zone", "label",
            buckets=_DWELL_S,
        )  # fmt: skip

    def add_zone(self, camera: str, zone: str, label: str) -> None:
        """Create the series of one class that is counted in a zone, at 0."""
        self.occupancy.labels(camera, zone, label).set(0)
        self.dwell.labels(camera, zone, label)

    def add_line(self, camera: str, line: str, direction: str, label: str) -> None:
        """Create the series of one class that is counted over a line, at 0."""
        self.crossings.labels(camera, line, direction, label)

    def sample(self, camera: str) -> None:
        """Create the series of one zone and one line."""
        self.add_zone(camera, "yard", "person")
        for direction in ("left", "right"):
            self.add_line(camera, "door", direction, "person")
