"""What is counted of streams."""

from __future__ import annotations

from surveil.errors import Cause
from surveil.metrics.make import Make

STATES = (
    "connecting", "waiting_for_keyframe", "streaming", "degraded", "catching_up", "lost", "disabled", "ended",
)  # fmt: skip
"""Of a camera."""


class CaptureMetrics:
    """Connections, what arrives, and how late. The books of frames are a collector's: `app/collectors.py`."""

    def __init__(self, make: Make) -> None:
        self.camera_state = make.gauge(
            "surveil_camera_state", "1 for the state the camera is in, else 0.", "camera", "state"
        )
        self.disconnects = make.counter(
            "surveil_camera_disconnects", "Times the stream was lost, by cause.", "camera", "cause"
        )
        self.connects = make.counter("surveil_camera_connects", "Times the stream was opened.", "camera")
        self.lag = make.gauge(
            "surveil_capture_lag_seconds", "How far the stream is behind real time when it arrives.", "camera"
        )
        self.clock_skew = make.gauge(
            "surveil_camera_clock_skew_seconds", "Camera clock (RTCP) minus host clock.", "camera"
        )
        self.corrupt = make.counter(
            "surveil_capture_damage", "Times damage (loss, corruption, hole in time) was seen.", "camera"
        )
        self.capture_bytes = make.counter("surveil_capture_bytes", "Encoded video received.", "camera")
        self.decode_info = make.gauge(
            "surveil_capture_info", "1; what the stream is and how it is decoded.",
            "camera", "codec", "resolution", "decoder", "transport",
        )  # fmt: skip

    def add_stream(self, camera: str) -> None:
        """Create the series of a camera's stream at 0."""
        for state in STATES:
            self.camera_state.labels(camera, state).set(0)
        for cause in Cause:
            self.disconnects.labels(camera, cause.value)
        for counter in (self.connects, self.corrupt, self.capture_bytes):
            counter.labels(camera)
        self.lag.labels(camera).set(0)
