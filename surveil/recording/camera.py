"""One camera's recording: where files begin and end, and the reasons of gaps between them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from surveil.capture.annexb import lengths_of
from surveil.capture.h264 import nal_units
from surveil.capture.packets import StoredPacket
from surveil.capture.settings import RecordSettings
from surveil.clock import Clock
from surveil.errors import SourceError, StateError
from surveil.filesystem import make_folders
from surveil.logs import LogThrottle
from surveil.recording.files import path_of
from surveil.recording.index import Index, Segment
from surveil.recording.metrics import RecordingMetrics
from surveil.recording.reasons import PAUSE_S, Gap
from surveil.recording.segment import SegmentFile
from surveil.recording.tap import RecordTap
from surveil.recording.timeline import MediaLine
from surveil.recording.updates import RowUpdates

log = structlog.get_logger(__name__)
SEGMENT_S = {"continuous": 60.0, "events": 15.0}
"""A file ends at the first key frame after so long. What belongs to no event is deleted by files."""
_LONGEST = 3
"""So many times as long it may last until a key frame comes at which every player can begin."""
_STEP_S = 1.0
"""The clock of the host was set when it differs by more from where it should be."""
_RETRY_S = 5.0
"""How long a disk that refused is left alone."""
_SETTLE_S = 5.0
"""How often the index is told how far an open file has come."""
_SETS = {"h264": lambda unit: unit[0] & 31 in {7, 8}, "hevc": lambda unit: unit[0] >> 1 & 63 in {32, 33, 34}}
"""Which units are parameter sets (ITU-T H.264 table 7-1, H.265 table 7-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where recordings go, and what is asked before one is written."""

    state_dir: Path
    index: Index
    updates: RowUpdates
    clock: Clock
    age_s: Callable[[], float]
    """Running time of the daemon."""
    skew_of: Callable[[str], float | None]
    """Clock of a camera minus that of the host, s; None where it is not known."""
    make_room: Callable[[RecordSettings], bool]
    """Make sure that the disk has room for more; return whether it has."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """The file that is being written."""

    file: SegmentFile
    row: int
    start: float
    arrived: float
    """Of its first packet, monotonic s."""
    sets: tuple[bytes, ...]
    last: float
    """Arrival of its last packet."""
    settle_at: float
    told_s: float = 0.0
    """What was counted of it."""


class CameraRecording:
    """Writes one camera. Owned by the recorder's thread, but for its `tap`."""

    def __init__(
        self, camera: str, settings: RecordSettings, place: Place, metrics: RecordingMetrics
    ) -> None:
        self.camera, self.settings = camera, settings
        self.tap = RecordTap()
        self._place, self._metrics = place, metrics
        self._open: _Open | None = None
        self._is_known = False
        """Whether the index was asked for what there is from before."""
        self._is_first, self._gap = True, Gap.NONE
        self._by_arrival = False
        self._retry_at = float("-inf")
        self._dropped = 0
        self._failures = LogThrottle(place.clock)
        metrics.sample(camera)

    def step(self) -> None:
        """Write what has come since the last time. Raises StateError when the index cannot be used."""
        if not self._is_known:
            self._look_back()
        for item in self.tap.take():
            if isinstance(item, StoredPacket):
                self._take(item)
            else:
                self._cut(item)
        new, self._dropped = self.tap.dropped - self._dropped, self.tap.dropped
        self._metrics.dropped.labels(self.camera).inc(new)
        self._settle(self._place.clock.monotonic())

    def _look_back(self) -> None:
        """Find out why the first recording since the start does not continue the last one before."""
        last = self._place.index.last(self.camera)
        self._is_known, self._is_first = True, last is None
        self._gap = Gap.KILLED if last is not None and last.state != "whole" else Gap.STOPPED

    def finish(self, gap: Gap = Gap.STOPPED) -> None:
        """End the file, if there is one."""
        self._cut(gap)

    def _take(self, packet: StoredPacket) -> None:
        if self._open is not None:
            self._turn_over(self._open, packet)
        if self._open is None and not self._begin(packet):
            return
        assert self._open is not None
        try:
            written = self._open.file.write(packet)
        except (SourceError, OSError) as error:
            self._fail(error)
            return
        self._open.last = packet.arrived
        self._metrics.bytes.labels(self.camera).inc(written)

    def _turn_over(self, now: _Open, packet: StoredPacket) -> None:
        """End the file where the packet belongs into another one."""
        if packet.arrived - now.last > PAUSE_S:
            self._cut(Gap.PAUSED)
        elif packet.key and abs(self._wall_of(packet) - now.start - (packet.arrived - now.arrived)) > _STEP_S:
            self._cut(Gap.CLOCK)
        elif packet.key and (self._is_long(now, packet) or self._is_other(now, packet)):
            self._cut(Gap.NONE)

    def _is_long(self, now: _Open, packet: StoredPacket) -> bool:
        lasts, wanted = packet.arrived - now.arrived, SEGMENT_S[self.settings.mode]
        return lasts >= wanted * (1 if packet.entry else _LONGEST)

    @staticmethod
    def _is_other(now: _Open, packet: StoredPacket) -> bool:
        """Whether the stream describes itself in another way: one file has one format."""
        sets = _sets_in(packet)
        return packet.parameters != now.file.parameters or bool(sets and now.sets and sets != now.sets)

    def _begin(self, packet: StoredPacket) -> bool:
        """Begin a file, if one can begin with the packet."""
        if not packet.key or packet.arrived < self._retry_at:
            return False
        if not self._place.make_room(self.settings):
            self._fail(
                OSError(errno.ENOSPC, "there is no room for recordings beside `record.min_free_bytes`")
            )
            return False
        try:
            self._open = self._create(round(self._wall_of(packet), 3), packet)
        except (SourceError, StateError, OSError) as error:
            self._fail(error)
            return False
        if self._gap and not self._is_first:
            self._metrics.gaps.labels(self.camera, self._gap.value).inc()
        self._is_first, self._gap = False, Gap.NONE
        self._metrics.active.labels(self.camera).set(1)
        return True

    def _create(self, start: float, packet: StoredPacket) -> _Open:
        path = path_of(self.camera, start)
        row = self._place.index.add(self._row(path, start, packet))
        target = self._place.state_dir / path
        try:
            make_folders(target.parent)
            file = SegmentFile(target, packet, MediaLine(by_arrival=self._by_arrival))
        except (SourceError, OSError):
            self._place.updates.forget(row)
            raise
        return _Open(
            file=file, row=row, start=start, arrived=packet.arrived, sets=_sets_in(packet), last=packet.arrived,
            settle_at=self._place.clock.monotonic() + _SETTLE_S,
        )  # fmt: skip

    def _row(self, path: str, start: float, packet: StoredPacket) -> Segment:
        return Segment(
            camera=self.camera,
            path=path,
            start=start,
            seconds=0.0,
            bytes=0,
            created_s=self._place.age_s(),
            gap=Gap.NONE if self._is_first else self._gap,
            codec=packet.parameters.codec,
            skew_s=self._place.skew_of(self.camera),
        )

    def _cut(self, gap: Gap) -> None:
        """End the file; `gap`: why the next one will not continue it. The first reason since counts."""
        if not self._gap:
            self._gap = gap
        now, self._open = self._open, None
        if now is None:
            return
        try:
            before = now.file.bytes
            now.file.close()
            self._metrics.bytes.labels(self.camera).inc(now.file.bytes - before)
        except (SourceError, OSError) as error:
            self._fail(error)
        self._put_down(now, "whole")
        self._by_arrival = now.file.by_arrival and gap is not Gap.CAMERA

    def _fail(self, error: Exception) -> None:
        """Go on without recording for a while."""
        self._gap = self._gap or (Gap.CODEC if isinstance(error, SourceError) else Gap.DISK)
        self._retry_at = self._place.clock.monotonic() + _RETRY_S
        if n := self._failures.take():
            log.error("recording interrupted", camera=self.camera, why=str(error), times=n)
        now, self._open = self._open, None
        if now is not None:
            self._put_down(now, "whole")

    def _settle(self, now: float) -> None:
        if self._open is not None and now >= self._open.settle_at:
            self._open.settle_at = now + _SETTLE_S
            self._put_down(self._open, "open")

    def _put_down(self, now: _Open, state: str) -> None:
        """Tell the index how far a file has come; forget one without a picture."""
        seconds = now.file.whole_s
        self._metrics.seconds.labels(self.camera).inc(seconds - now.told_s)
        now.told_s = seconds
        if state != "open":
            self._metrics.active.labels(self.camera).set(0)
        if state == "open" or seconds:
            self._place.updates.settle(now.row, seconds, now.file.bytes, state)
            return
        now.file.path.unlink(missing_ok=True)
        self._place.updates.forget(now.row)

    def _wall_of(self, packet: StoredPacket) -> float:
        """Return when a packet arrived, Unix s by the clock of the host as it goes now."""
        clock = self._place.clock
        return clock.wall() - (clock.monotonic() - packet.arrived)


def _sets_in(packet: StoredPacket) -> tuple[bytes, ...]:
    """Return the parameter sets that a key frame brings along."""
    its = packet.parameters
    is_set = _SETS.get(its.codec)
    if is_set is None:
        return ()
    size, _ = lengths_of(its.codec, its.extradata)
    found = (bytes(unit).rstrip(b"\0") for unit in nal_units(packet.data, size) if len(unit) and is_set(unit))
    return tuple(sorted(set(found)))
