"""Reads a stream for some seconds with capture's own connection, so that it fails for the same causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from surveil.app.probe.report import SECONDS, StreamReport
from surveil.capture.address import SCHEMES
from surveil.capture.certificates import Pins
from surveil.capture.connection import Connection
from surveil.capture.opening import make_source
from surveil.capture.settings import StreamSettings
from surveil.capture.source import NOTHING, Arrival, Shot, Source, StreamInfo
from surveil.capture.timing import Continuous, Pace
from surveil.clock import Clock, Stop, thread_cpu_s
from surveil.errors import Cause, SourceError
from surveil.logs import scrub
from surveil.redact import redact, secrets_of
from surveil.types import Picture

_KEYFRAME_S = 12.0
"""How long to wait for the first key frame, where the configuration would wait for longer."""
_RECORDING_PICTURES = 75
"""So much of a recording is read."""
_BURST_S = 0.3
_CLOCK_AGREES = 0.07
_LEAST_PACKETS = 10
_SILENT = (Cause.REFUSED, Cause.UNREACHABLE, Cause.TIMEOUT)


@dataclass(slots=True, kw_only=True)
class Witness:
    """Notes what a connection tells. Owned by the thread that reads the stream."""

    source: Source
    clock: Clock
    state: str = "connecting"
    packets: int = 0
    size: int = 0
    damage: int = 0
    pictures: int = 0
    first_picture: float | None = None
    """Monotonic s."""
    keys: list[tuple[int, float]] = field(default_factory=list)
    """Number of the packet, and its time on the stream's line, or of its arrival."""
    stamps: list[float] = field(default_factory=list)
    stamped_at: list[float] = field(default_factory=list)
    """When those arrived that have a stamp: the first of a connection often has none."""
    arrivals: list[float] = field(default_factory=list)
    skew_s: float | None = None
    picture: Picture | None = None
    codec: Any = None

    def on_packet(self, arrival: Arrival, now: float) -> None:
        """Count it."""
        self.packets += 1
        self.size += arrival.size
        self.arrivals.append(now)
        if arrival.stamp is not None:
            self.stamps.append(arrival.stamp)
            self.stamped_at.append(now)
        if arrival.key:
            self.keys.append((self.packets, now if arrival.stamp is None else arrival.stamp))
        if arrival.packet is not None:
            self.codec = arrival.packet.stream.codec_context
        sent = self.source.camera_clock(arrival)
        if sent is not None:
            self.skew_s = sent - self.clock.wall()

    def on_shot(self, shot: Shot, _health: Connection) -> None:
        """Keep the last picture."""
        self.pictures += 1
        self.picture = shot.picture
        if self.first_picture is None:
            self.first_picture = self.clock.monotonic()

    def on_damage(self) -> None:
        """Count its beginning."""
        self.damage += 1

    def on_state(self, state: str) -> None:
        """Remember the state."""
        self.state = state

    def fps(self) -> float | None:
        """Return pictures a second."""
        arrived = _rate(self.arrivals[_burst(self.arrivals) :])
        is_stamped = len(self.stamps) >= len(self.arrivals) - 1
        stamped = _rate(self.stamps) if is_stamped else None
        if arrived is None or stamped is None or not self.source.live:
            return stamped or arrived
        return stamped if abs(stamped / arrived - 1) < _CLOCK_AGREES else arrived

    def stamp_rate(self) -> float | None:
        """Return how fast the stream's time runs beside ours; None where it is not known."""
        first = _burst(self.stamped_at)
        stamps, arrivals = self.stamps[first:], self.stamped_at[first:]
        if not self.source.live or len(stamps) < _LEAST_PACKETS:
            return None
        line = Continuous()
        for stamp, arrived in zip(stamps, arrivals, strict=True):
            line.update(stamp, arrived, 0.0)
        return line.now / (arrivals[-1] - arrivals[0])

    def gop(self) -> int | None:
        """Return the longest distance of two key frames, pictures."""
        numbers = [number for number, _ in self.keys]
        return max((b - a for a, b in pairwise(numbers)), default=None)

    def has_seen_enough(self, now: float, seconds: float) -> bool:
        """Whether to stop watching."""
        if self.first_picture is None:
            return False
        if not self.source.live:
            return self.pictures >= _RECORDING_PICTURES
        patience = seconds if len(self.keys) > 1 else 2 * seconds
        return now - self.first_picture >= patience


def _burst(arrivals: list[float]) -> int:
    """Return how many came at once at the beginning, as servers send what they have; none where there is no more."""
    first = sum(arrived - arrivals[0] < _BURST_S for arrived in arrivals)
    return first if len(arrivals) - first > 1 else 0


def _rate(times: list[float]) -> float | None:
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return (len(times) - 1) / span if span > 0 else None


def probe_stream(
    settings: StreamSettings,
    clock: Clock,
    stop: Stop,
    *,
    seconds: float = SECONDS,
    decode: bool = True,
    pins: Pins | None = None,
) -> tuple[StreamReport, Picture | None]:
    """Open a stream and watch it; return what it is, and its last picture. Raises nothing of the stream's.

    Without `decode` only its key frames are decoded.
    """
    settings = settings.model_copy(
        update={
            "roles": ("detect",),
            "keyframe_timeout_s": min(settings.keyframe_timeout_s, _KEYFRAME_S),
        }
    )
    visit = _Visit(settings, clock, stop, seconds, pins or Pins(), decode=decode)
    error: SourceError | None = None
    try:
        visit.watch()
    except SourceError as failed:
        error = failed
    finally:
        visit.close()
    witness = visit.witness
    return visit.report(error), None if witness is None else witness.picture


class _Visit:
    """One connection, from opening to closing. Owned by one thread."""

    def __init__(
        self, settings: StreamSettings, clock: Clock, stop: Stop, seconds: float, pins: Pins, *, decode: bool
    ) -> None:
        self._decode = decode
        self._pins = pins
        self._settings, self._clock, self._stop, self._seconds = settings, clock, stop, seconds
        self._began = clock.monotonic()
        self._opened: float | None = None
        self._watched_s = self._cpu_s = self._lag_s = 0.0
        self._key_cpu_s: list[float] = []
        self._source: Source | None = None
        self._info: StreamInfo | None = None
        self.witness: Witness | None = None

    def watch(self) -> None:
        """Read until enough was seen. Raises SourceError."""
        source = self._source = make_source(self._settings, self._pins)
        self._info = source.open()
        self._opened = self._clock.monotonic()
        witness = self.witness = Witness(source=source, clock=self._clock, state="waiting_for_keyframe")
        connection = Connection(source, self._settings, self._opened, witness, keys_only=not self._decode)
        cpu = thread_cpu_s()
        try:
            self._read(source, connection, witness)
        finally:
            self._cpu_s = thread_cpu_s() - cpu
            self._watched_s = self._clock.monotonic() - self._opened
            self._lag_s = connection.lag_s

    def _read(self, source: Source, connection: Connection, witness: Witness) -> None:
        now = self._clock.monotonic()
        pace = Pace() if self._info is not None and self._info.bursts else None
        while not self._stop and not witness.has_seen_enough(now, self._seconds):
            before = now
            arrival = source.read()
            now = self._clock.monotonic()
            if arrival is None:
                connection.finish()
                return
            if arrival is NOTHING:
                continue
            if pace is not None:
                self._clock.sleep(pace.wait_s(arrival.stamp, now), self._stop)
                now = self._clock.monotonic()
            cpu = thread_cpu_s()
            connection.take(arrival, before, now)
            if arrival.key:
                self._key_cpu_s.append(thread_cpu_s() - cpu)

    def close(self) -> None:
        """Close the stream on the thread that opened it."""
        if self._source is not None:
            self._source.close()

    def report(self, error: SourceError | None) -> StreamReport:
        """Return what was seen."""
        witness, info, cause = self.witness, self._info, error.cause if error else None
        is_network = self._settings.url.startswith(SCHEMES)
        known: dict[str, Any] = _of(witness, self._watched_s) if witness else {}
        if info is not None:
            known |= {"transport": info.transport, "codec": info.codec, "decoder": info.decoder}
            known |= {"open_s": self._since(self._opened), "lag_s": round(self._lag_s, 3)}
        if witness is not None and witness.pictures and self._decode:
            known["cpu_ms"] = round(self._cpu_s / witness.pictures * 1000, 2)
            known["key_cpu_ms"] = round(median(self._key_cpu_s) * 1000, 2) if self._key_cpu_s else None
        return StreamReport(
            url=scrub(redact(self._settings.url)),
            ok=error is None,
            state="lost" if error else witness.state if witness else "connecting",
            cause=cause.value if cause else None,
            message=scrub(str(error)) if error else "",
            reachable=cause not in _SILENT if is_network else None,
            login=self._login(cause) if is_network else None,
            first_picture_s=self._since(witness.first_picture if witness else None),
            watched_s=round(self._watched_s, 2),
            **known,
        )

    def _login(self, cause: Cause | None) -> str | None:
        if cause is Cause.UNAUTHORIZED:
            return "refused"
        if self._opened is None:
            return None
        return "accepted" if secrets_of(self._settings.url) else "none"

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else round(moment - self._began, 3)


def _of(witness: Witness, watched_s: float) -> dict[str, Any]:
    """Return what packets and pictures tell."""
    fps, gop, picture = witness.fps(), witness.gop(), witness.picture
    stamp_rate = witness.stamp_rate()
    gop_s = gop / fps if gop and fps else None
    return {
        "profile": getattr(witness.codec, "profile", None),
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
        "fps": round(fps, 2) if fps else None,
        "stamp_rate": None if stamp_rate is None else round(stamp_rate, 3),
        "gop_frames": gop,
        "gop_s": round(gop_s, 2) if gop_s else None,
        "gop_longer_than_s": round(watched_s, 1) if gop is None and witness.source.live else None,
        "bits_per_second": round(witness.size / witness.packets * fps * 8) if witness.size and fps else None,
        "clock_skew_s": None if witness.skew_s is None else round(witness.skew_s, 3),
        "damage": witness.damage,
        "pictures": witness.pictures,
    }
