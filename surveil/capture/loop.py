"""Keeps one stream open and posts its pictures; a lost camera is tried again after a pause."""

from __future__ import annotations

from collections.abc import Callable

from surveil.capture.backoff import Backoff
from surveil.capture.connection import Connection
from surveil.capture.demand import BacklogTaker, Demand
from surveil.capture.h264 import is_idr, length_size_of
from surveil.capture.opening import is_recording, make_source
from surveil.capture.pace import KeptPacket
from surveil.capture.packets import PacketTaker, Parameters, StoredPacket
from surveil.capture.picture import give_back
from surveil.capture.settings import StreamSettings
from surveil.capture.source import NOTHING, Arrival, Shot, Source, StreamInfo
from surveil.capture.status import StreamStatus
from surveil.capture.timing import FileClock, Pace, StreamClock
from surveil.clock import Clock, Stop
from surveil.errors import Cause, SourceError
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.reasons import DecodeWhy
from surveil.types import Frame

_TRUSTED_SKEW_S = 2.0
"""A camera whose clock agrees so well says when a picture was taken; others say 1970."""
_HUNG_S = 30.0
"""Reading takes some seconds at most, but for a pipe or a network drive that no longer answers."""
_AT_ONCE = (Cause.CHANGED, Cause.BEHIND)
"""The camera is well: the first attempt after these does not wait."""


class CaptureLoop:
    """Opens, reads and closes one stream, all on the thread that calls `run`.

    `put` takes every decoded frame and must not block for a live camera; `on_lost` is told of every loss and
    of every attempt that failed. `wants(camera, t)`, if given, may refuse a good frame before it is made (and
    counts it then). `taker`, if given, may be handed packets that are kept instead of pictures; `full` says why it
    is not (None: it is). For a recording that is not played in real time `start_wall` is the Unix time of its first
    frame. `t` is the stream time to begin at: a loop that takes over from another goes on where that one is.

    After `stop` it tells of no connection and no loss: an opening that hangs may end when another loop already reads
    the camera.
    """

    def __init__(
        self,
        camera: str,
        settings: StreamSettings,
        put: Callable[[Frame], None],
        on_lost: Callable[[Lost], None],
        metrics: Metrics,
        clock: Clock,
        stop: Stop,
        *,
        packets: PacketTaker | None = None,
        wants: Callable[[str, float], bool] = lambda _camera, _t: True,
        taker: BacklogTaker | None = None,
        full: Callable[[], DecodeWhy | None] = lambda: None,
        start_wall: float | None = None,
        t: float = 0.0,
        make: Callable[[StreamSettings], Source] = make_source,
    ) -> None:
        self._camera, self._settings = camera, settings
        self._put, self._on_lost = put, on_lost
        self._wants, self._taker, self._full = wants, taker, full
        self._clock, self._stop, self._make = clock, stop, make
        self._metrics = metrics
        self._bytes = metrics.capture_bytes.labels(camera)
        self._lag = metrics.lag.labels(camera)
        self._kept = metrics.kept.labels(camera)
        self._is_recording = is_recording(settings.url)
        self._is_replay = self._is_recording and not settings.realtime
        self._speaks = "detect" in settings.roles
        self.status = StreamStatus(camera, metrics, speaks=self._speaks, clock=clock)
        self._packets = packets
        self._backoff = Backoff(patient=not self._speaks)
        self._live_time = StreamClock(t)
        self._file_time = FileClock(1 / settings.fps, t)
        self._start_wall = start_wall
        self._started = self._streamed_s = 0.0
        self._next_second = self._next_description = 0.0
        self._new_bytes = 0
        self._skew_s = 0.0
        self.skew_s: float | None = None
        """Clock of the camera minus that of this host, where this connection has told."""
        self._seq = -1
        self._reading_since: float | None = None
        """When the last read began (monotonic s); None: nothing is open."""
        self._size = (0, 0)
        self._source: Source | None = None
        self._info = StreamInfo(codec="", decoder="", transport="")
        self._parameters = Parameters(codec="", extradata=b"", width=0, height=0)
        self._packet: object = None
        self._data = b""

    @property
    def t(self) -> float:
        """Stream time of the last frame, s."""
        return self._file_time.t if self._is_recording else self._live_time.t

    def now(self) -> float:
        """Stream time as of now: of a live stream it goes on without frames, s."""
        return self._file_time.t if self._is_recording else self._live_time.at(self._clock.monotonic())

    @property
    def hangs(self) -> bool:
        """Whether a read has not come back for so long that nothing comes from the camera. Any thread may ask."""
        since = self._reading_since
        return since is not None and self._clock.monotonic() - since > _HUNG_S

    # Two loops: one retries, one works.

    def run(self) -> None:
        """Stream until `stop`, or until a recording ends: whatever happens to the camera."""
        while not self._stop:
            try:
                self.run_once()
                break
            except SourceError as error:
                if self._stop:
                    break
                delay_s = self._lose(error)
            if self._clock.sleep(delay_s, self._stop):
                break
        self._end()

    def run_once(self) -> None:
        """Open the stream and read it until `stop` or the end of a recording. Raises SourceError."""
        self._streamed_s = 0.0
        if self.status.state != "lost":
            self.status.show("connecting")
        source = self._source = self._make(self._settings)
        try:
            while not self._stop:
                self._info = source.open()
                if self._stop:
                    break
                self.status.opened()
                if not self._read(source) or not self._settings.repeat:
                    break
                source.close()
        finally:
            source.close()
            self._source = self._reading_since = None
            self._kept.set(0)
            give_back()

    def _read(self, source: Source) -> bool:
        """Read until `stop`, or until a recording ends: then return True. Raises SourceError."""
        clock, opened = self._clock, self._clock.monotonic()
        self._skew_s, self.skew_s = 0.0, None
        self._live_time.restart()
        self._file_time.restart()
        if self._packets is not None:
            self._packets.restart()
        demand = self._make_demand(source)
        connection = Connection(source, self._settings, opened, self, demand=demand)
        pace = Pace() if self._info.bursts else None
        if self._info.fps:
            self._file_time.expect(1 / self._info.fps)
        while not self._stop:
            self._reading_since = before = clock.monotonic()
            arrival = source.read()
            now = clock.monotonic()
            if arrival is None:
                connection.finish()
                return True
            if arrival is NOTHING:
                continue
            if pace is not None and clock.sleep(pace.wait_s(arrival.stamp, now), self._stop):
                break
            now = clock.monotonic() if pace is not None else now
            connection.take(arrival, before, now)
            self._streamed_s = now - opened
        return False

    def _make_demand(self, source: Source) -> Demand | None:
        """Return what may have packets kept: those of a live stream that comes in packets and is decoded here."""
        if self._taker is None or not self._speaks:
            return None
        is_packets = source.live and self._info.decoder == "software" and self._info.codec != "raw"
        full = self._full if is_packets else lambda: DecodeWhy.SOURCE
        return Demand(self._camera, self._settings, self, self._taker, full)

    def _lose(self, error: SourceError) -> float:
        """Report the loss to all that need it; return how long to wait."""
        self.status.lost(error)
        self._tell_lost(error.cause, final=False)
        delay_s = self._backoff.delay_s(self._streamed_s, None if self._is_recording else error.cause)
        return 0.0 if error.cause in _AT_ONCE and self._streamed_s >= 1.0 else delay_s

    def _end(self) -> None:
        if self._stop:
            self.status.stopped()
            return
        self._tell_lost(Cause.ENDED, final=True)
        self.status.show("ended")

    def _tell_lost(self, cause: Cause, *, final: bool) -> None:
        t = self.now()
        self._on_lost(Lost(camera=self._camera, t=t, t_wall=self._t_wall(t), cause=cause.value, final=final))

    # What a connection tells.

    def on_packet(self, arrival: Arrival, now: float) -> None:
        """Count a packet, keep it for clips, and show lag and skew once a second."""
        self._new_bytes += arrival.size
        if self._packets is not None and arrival.packet is not None:
            self._packets.append(self._store(arrival, now))
        if now >= self._next_second:
            self._next_second = now + 1.0
            self._each_second(arrival)

    def _each_second(self, arrival: Arrival) -> None:
        """Do what need not be done for every packet."""
        self._bytes.inc(self._new_bytes)
        self._new_bytes = 0
        sent = self._source.camera_clock(arrival) if self._source is not None else None
        if sent is not None:
            self._skew_s = self.skew_s = sent - self._clock.wall()
            self._metrics.clock_skew.labels(self._camera).set(self._skew_s)

    def on_shot(self, shot: Shot, health: Connection) -> None:
        """Post a picture."""
        self._seq += 1
        self._follow_size((shot.picture.width, shot.picture.height))
        arrived = self._clock.monotonic()
        t = self._time(shot, arrived, health.lag_s)
        if t is None or not (health.damaged or self._wants(self._camera, t)):
            return
        self._put(
            Frame(
                camera=self._camera,
                seq=self._seq,
                t=t,
                t_wall=self._t_wall(t),
                picture=shot.picture,
                arrived=arrived,
                lag_s=health.lag_s,
                damaged=health.damaged,
                degraded=health.degraded,
            )
        )
        if arrived >= self._next_description or health.pictures == 1:
            self._next_description = arrived + 1.0
            self._lag.set(health.lag_s)
            self.status.describe(self._info, shot.picture.width, shot.picture.height, health.lag_s)

    def _follow_size(self, size: tuple[int, int]) -> None:
        """Tell of a recording that goes on with another size; a live stream is opened again for that."""
        before, self._size = self._size, size
        if before not in (size, (0, 0)) and self._is_recording:
            self._tell_lost(Cause.CHANGED, final=False)

    def on_damage(self) -> None:
        """Count the beginning of damage."""
        self._metrics.corrupt.labels(self._camera).inc()

    def on_state(self, state: str) -> None:
        """Show a state."""
        self.status.show(state)

    # Time.

    def _time(self, shot: Shot, arrived: float, lag_s: float) -> float | None:
        """Return `t`; a recording played in real time waits for its moment (None: stopped meanwhile)."""
        assert self._source is not None
        if self._source.live:
            return self._live_time.update(shot.stamp, arrived, lag_s)
        t = self._file_time.update(shot.stamp)
        if self._settings.realtime:
            if self._seq == 0:
                self._started = arrived - t
            elif self._clock.sleep(self._started + t - arrived, self._stop):
                return None
        return t

    def _t_wall(self, t: float) -> float:
        wall = self._clock.wall()
        if self._is_replay:
            self._start_wall = wall - t if self._start_wall is None else self._start_wall
            return self._start_wall + t
        return wall + self._skew_s if abs(self._skew_s) < _TRUSTED_SKEW_S else wall

    # What is kept to be decoded on demand.

    def data_of(self, arrival: Arrival) -> bytes:
        """Return the packet's bytes, which are copied once for all who keep them."""
        if arrival.packet is not self._packet:
            self._packet, self._data = arrival.packet, bytes(arrival.packet)
        return self._data

    def keep(self, arrival: Arrival, shown: float | None, now: float, lag_s: float) -> KeptPacket:
        """Return what is kept of a packet that arrived at `now` (monotonic s)."""
        self._seq += 1
        t = self._live_time.update(shown, now, lag_s)
        if now >= self._next_description:
            self._next_description = now + 1.0
            self._lag.set(lag_s)
        return KeptPacket(
            self._seq, self.data_of(arrival), arrival.key, t, self._t_wall(t), now, lag_s, arrival.broken
        )

    def on_kept(self, size: int) -> None:
        """Show how many bytes are kept."""
        self._kept.set(size)

    def on_decode_mode(self, why: DecodeWhy, gop_s: float) -> None:
        """Show how the connection is decoded from now on."""
        self.status.decodes(why, gop_s)

    # Clips.

    def _store(self, arrival: Arrival, now: float) -> StoredPacket:
        packet = arrival.packet
        if arrival.key:
            self._parameters = self._parameters_of(packet)
        data = self.data_of(arrival)
        is_h264 = arrival.key and self._parameters.codec == "h264"
        entry = not is_h264 or is_idr(data, length_size_of(self._parameters.extradata))
        return StoredPacket(
            data=data,
            pts=packet.pts,
            dts=packet.dts,
            time_base=packet.time_base,
            key=arrival.key,
            arrived=now,
            parameters=self._parameters,
            entry=entry,
        )

    def _parameters_of(self, packet: object) -> Parameters:
        codec = packet.stream.codec_context  # type: ignore[attr-defined]
        found = Parameters(
            codec=codec.name,
            extradata=bytes(codec.extradata or b""),
            width=codec.width,
            height=codec.height,
            rotate=self._settings.rotate,
        )
        return self._parameters if found == self._parameters else found
