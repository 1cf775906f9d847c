"""Metrics of recording."""

from __future__ import annotations

from surveil.metrics import Make, MetricsPart
from surveil.recording.reasons import Gap

GAPS = tuple(gap for gap in Gap if gap not in {Gap.NONE, Gap.NOT_KEPT, Gap.UNKNOWN, Gap.NOTHING})
"""Reasons that are counted."""


class RecordingMetrics(MetricsPart):
    """What is written, what is kept, and what is missing."""

    def __init__(self, make: Make) -> None:
        self.active = make.gauge(
            "surveil_recording_active", "1 while video of the camera is being written, else 0.", "camera"
        )
        self.bytes = make.counter("surveil_recording_bytes", "Recorded video written.", "camera")
        self.seconds = make.counter("surveil_recording_seconds", "Recorded video time written.", "camera")
        self.gaps = make.counter(
            "surveil_recording_gaps", "Gaps in the recording, by reason.", "camera", "reason"
        )
        self.dropped = make.counter(
            "surveil_recording_dropped_packets", "Packets dropped because the disk was too slow.", "camera"
        )
        self.stored = make.gauge("surveil_recording_stored_bytes", "Recordings on the disk.", "camera")
        self.oldest = make.gauge(
            "surveil_recording_oldest_timestamp_seconds",
            "Unix time at which the oldest recording begins; 0 without one.",
            "camera",
        )

    def sample(self, camera: str) -> None:
        """Create a camera's series at 0."""
        for counter in (self.bytes, self.seconds, self.dropped):
            counter.labels(camera)
        for gauge in (self.active, self.stored, self.oldest):
            gauge.labels(camera).set(0)
        for gap in GAPS:
            self.gaps.labels(camera, gap.value)
