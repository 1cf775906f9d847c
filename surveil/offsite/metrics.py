"""Metrics of the second place."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart

KINDS = ("evidence", "recordings")
RESULTS = ("copied", "retry", "lost")


class OffsiteMetrics(MetricsPart):
    """What is not at the second place yet."""

    def __init__(self, make: Make) -> None:
        self.pending_files = make.gauge(
            "surveil_offsite_pending_files", "Files that are not at the second place yet.", "kind"
        )
        self.pending_bytes = make.gauge(
            "surveil_offsite_pending_bytes", "Bytes that are not at the second place yet.", "kind"
        )
        self.oldest = make.gauge(
            "surveil_offsite_oldest_pending_seconds",
            "Age of the oldest file that is not at the second place yet; 0 if there is none.",
        )
        self.bytes = make.counter("surveil_offsite_bytes", "Bytes copied to the second place.", "kind")
        self.files = make.counter(
            "surveil_offsite_files",
            "Files for the second place, by result. `lost`: deleted here before they were copied.",
            "result",
        )
        for kind in KINDS:
            self.pending_files.labels(kind).set(0)
            self.pending_bytes.labels(kind).set(0)
            self.bytes.labels(kind)
        for result in RESULTS:
            self.files.labels(result)
