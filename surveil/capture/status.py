"""The status of a capture: one state, counters, and one log line per change."""

from __future__ import annotations

import structlog

from surveil.capture.source import StreamInfo
from surveil.clock import Clock, SystemClock
from surveil.errors import SourceError
from surveil.logs import scrub
from surveil.metrics import STATES, Metrics
from surveil.reasons import DecodeWhy

log = structlog.get_logger(__name__)


class StreamStatus:
    """State of one stream. Written by the capture thread; its public attributes may be read by any.

    Only the stream that is analysed speaks for its camera in the state metric.
    """

    def __init__(self, camera: str, metrics: Metrics, *, speaks: bool, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.state = "connecting"
        self.since = self._clock.wall()
        """Unix s: when `state` began."""
        self.info: StreamInfo | None = None
        """What the stream is; None before its first picture."""
        self.size = (0, 0)
        """Pixels of the last picture."""
        self.lag_s = 0.0
        self.last_picture_at: float | None = None
        """Unix s, within a second."""
        self.error = ""
        """Why the stream was lost, without credentials; empty while it runs."""
        self.decode: DecodeWhy | None = None
        """Why its pictures are decoded in full or on demand; None: it has not sent any."""
        self._camera = camera
        self._metrics = metrics
        self._speaks = speaks
        self._lost_line, self._back_line = (
            ("camera lost", "camera is back") if speaks else ("second stream lost", "second stream is back")
        )
        self._info_labels: tuple[str, ...] | None = None
        self._shown = ""
        self._lost_cause = ""

    @property
    def cause(self) -> str:
        """Why the stream was lost, as the metric names it; empty while it runs."""
        return self._lost_cause

    def show(self, state: str) -> None:
        """Enter `state` (one of `metrics.STATES`)."""
        if state == self._shown:
            return
        self.state = self._shown = state
        self.since = self._clock.wall()
        if self._speaks:
            for name in STATES:
                self._metrics.camera_state.labels(self._camera, name).set(name == state)
        if state == "streaming" and self._lost_cause:
            log.info(self._back_line, camera=self._camera)
            self._lost_cause = self.error = ""

    def stopped(self) -> None:
        """Enter the last state; the metric is of whoever reads the camera next."""
        self.state = "ended"

    def opened(self) -> None:
        """Count a connection."""
        self._metrics.connects.labels(self._camera).inc()
        self.show("waiting_for_keyframe")

    def lost(self, error: SourceError) -> None:
        """Count a loss; log it once per cause, not once per attempt."""
        self._metrics.disconnects.labels(self._camera, error.cause.value).inc()
        self.error = str(scrub(str(error)))
        if error.cause.value != self._lost_cause:
            log.warning(self._lost_line, camera=self._camera, cause=error.cause.value, reason=str(error))
        self._lost_cause = error.cause.value
        self.show("lost")

    def describe(self, info: StreamInfo, width: int, height: int, lag_s: float = 0.0) -> None:
        """Say what the stream is, how it is decoded and how late it is."""
        self.info, self.size, self.lag_s = info, (width, height), lag_s
        self.last_picture_at = self._clock.wall()
        labels = (self._camera, info.codec, f"{width}x{height}", info.decoder, info.transport)
        if labels == self._info_labels:
            return
        if self._info_labels is not None:
            self._metrics.decode_info.remove(*self._info_labels)
        self._metrics.decode_info.labels(*labels).set(1)
        self._info_labels = labels
        log.info(
            "camera streaming", camera=self._camera, codec=info.codec, size=labels[2], decoder=info.decoder
        )

    def decodes(self, why: DecodeWhy, gop_s: float) -> None:
        """Say whether pictures are decoded in full or on demand, and why."""
        if why is self.decode:
            return
        self.decode = why
        for one in DecodeWhy:
            self._metrics.decode_mode.labels(self._camera, one.mode, one.value).set(one is why)
        log.info("decode mode", camera=self._camera, mode=why.mode, why=why.value, gop_s=round(gop_s, 2))
