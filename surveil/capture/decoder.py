"""Decoding: pictures out of decoded frames, a decoder for packets that were kept, and which pictures can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import av
import av.error
import av.logging

from surveil.capture.causes import LogLine, source_error
from surveil.capture.orientation import orientation
from surveil.capture.picture import AvPicture
from surveil.capture.settings import StreamSettings
from surveil.errors import Cause
from surveil.types import Picture

_HARMLESS = ("not enough frames to estimate rate", "overread", "deprecated", "Duplicate POC", "EOI missing")
_LOSS = ("RTP: missed", "Missing packets", "without a start chunk", "jitter buffer full", "bad cseq")
"""Warnings of the RTP reader that mean loss; everything else counts from level `error` on."""
MOST_OWED = 17
"""Packets whose pictures a decoder may owe: it holds 16 back at most (H.264, H.265)."""
_TICK = Fraction(1, 1000)
"""Any will do: kept packets are numbered, not timed."""


_LEAST_PX, _MOST_OBLONG = 16, 32
"""Shorter side of a picture, and its longer side over that: the analysis is not made for others, and no camera sends
them. A damaged header says anything."""


def check_shape(width: int, height: int, url: str) -> None:
    """Refuse a picture that cannot be analysed. Raises SourceError (unsupported)."""
    shorter, longer = sorted((width, height))
    if shorter < _LEAST_PX or longer > _MOST_OBLONG * shorter:
        words = (
            f"a picture of {width}x{height} cannot be analysed: neither side may be below {_LEAST_PX}, nor above "
            f"{_MOST_OBLONG} times the other; set the camera to another size"
        )
        raise source_error(Cause.UNSUPPORTED, url, words)


def means_damage(line: LogLine) -> bool:
    """Whether a line of FFmpeg's log means that a picture is damaged."""
    level, _, text = line
    if any(words in text for words in _HARMLESS):
        return False
    return level <= av.logging.ERROR or any(words in text for words in _LOSS)


class PictureMaker:
    """Makes pictures of decoded frames, the right way up. A live stream must keep its size."""

    def __init__(self, settings: StreamSettings, *, live: bool) -> None:
        self._settings, self._live = settings, live
        self._aspect: Fraction | None = None
        self._size = (0, 0)
        self.coded = (0, 0)
        """Width and height of the last frame as it was sent, and not as it is shown."""

    def restart(self) -> None:
        """Begin a new connection, whose pictures may have another size."""
        self._size = (0, 0)

    def make(self, frame: Any, *shaped: Any) -> Picture:
        """Return the picture of a frame; the first of `shaped` that knows its pixels' shape tells it.

        Raises SourceError (changed, unsupported).
        """
        coded = (frame.width, frame.height)
        if coded != self.coded:
            self.coded = coded
            self._aspect = next(filter(None, (one.sample_aspect_ratio for one in shaped)), None)
        # FFmpeg's angle is the other way round.
        shown = orientation(self._settings.rotate - frame.rotation, self._aspect)
        picture = shown.apply(self._readable(frame))
        size = (picture.width, picture.height)
        if size != self._size:
            if self._size != (0, 0) and self._live:
                words = f"the picture changed from {self._size[0]}x{self._size[1]} to {size[0]}x{size[1]}"
                raise source_error(Cause.CHANGED, self._settings.url, words)
            check_shape(*size, self._settings.url)
            self._size = size
        return picture

    def _readable(self, frame: Any) -> Picture:
        try:
            return AvPicture(frame)
        except OSError:
            words = f"pixels of the format {frame.format.name} cannot be read: set the camera to H.264"
            raise source_error(Cause.UNSUPPORTED, self._settings.url, words) from None


@dataclass(frozen=True, slots=True)
class Coding:
    """What a decoder has to know of a stream."""

    codec: str
    extradata: bytes
    sample_aspect_ratio: Fraction | None

    @classmethod
    def of(cls, stream: Any) -> Coding:
        """Return what a decoder has to know of a PyAV stream."""
        codec = stream.codec_context
        return cls(codec.name, bytes(codec.extradata or b""), stream.sample_aspect_ratio)


def open_decoder(coding: Coding, settings: StreamSettings) -> Any:
    """Return a decoder (`av.CodecContext`) apart from any stream: to let go of it frees its pictures."""
    decoder: Any = av.CodecContext.create(coding.codec, "r")
    decoder.extradata = coding.extradata or None
    set_up(decoder, settings)
    return decoder


def set_up(decoder: Any, settings: StreamSettings) -> None:
    """Choose how a decoder works, before its first packet."""
    decoder.thread_count = 1  # more threads cost 1 to 11 % of CPU and a frame of delay each
    if settings.skip_loop_filter:
        decoder.options = {**decoder.options, "skip_loop_filter": "all"}


class Numbered(NamedTuple):
    """A decoded picture, and the number of its packet."""

    number: int
    picture: Picture
    key: bool


class DecodedPackets(NamedTuple):
    """What some packets gave."""

    pictures: Sequence[Numbered]
    broken: bool
    """The decoder complained."""


class PacketDecoder:
    """Decodes packets apart from the stream that they came from. One thread at a time; any thread in its turn."""

    def __init__(self, coding: Coding, settings: StreamSettings) -> None:
        self._coding, self._settings = coding, settings
        self._maker = PictureMaker(settings, live=True)
        self._context: Any = None

    def decode(self, data: bytes, number: int) -> DecodedPackets:
        """Decode one packet. Raises SourceError (changed, unsupported)."""
        packet = av.Packet(data)
        packet.pts = packet.dts = number
        packet.time_base = _TICK
        return self._decode(packet)

    def drain(self) -> DecodedPackets:
        """Return what the decoder holds back, and leave it ready for a key frame.

        Raises SourceError (changed, unsupported).
        """
        decoded = self._decode(None)
        self.flush()
        return decoded

    def flush(self) -> None:
        """Forget what came before, and be ready for a key frame."""
        if self._context is not None:
            self._context.flush_buffers()

    def rest(self) -> None:
        """Do the same, and keep no memory until the next packet; opening the decoder again takes half a millisecond."""
        self._context = None

    def _decode(self, packet: Any) -> DecodedPackets:
        context = self._context = self._context or open_decoder(self._coding, self._settings)
        with av.logging.Capture() as lines:
            try:
                frames = context.decode(packet)
            except av.error.EOFError:
                return DecodedPackets((), broken=False)
            except av.error.FFmpegError:
                return DecodedPackets((), broken=True)
        broken = any(map(means_damage, lines)) or any(frame.is_corrupt for frame in frames)
        made = [Numbered(f.pts, self._maker.make(f, self._coding, context), f.key_frame) for f in frames]
        return DecodedPackets(made, broken)


class Drought:
    """For how long packets have given no picture, as of the last packet."""

    def __init__(self) -> None:
        self._since: float | None = None
        self.s = 0.0
        """Between their arrivals, s: no matter how late they are decoded."""
        self.complains = False
        """One of them should have given one."""

    def update(self, arrived: float, *, gave: bool, complains: bool) -> None:
        """Take note of a packet that arrived at `arrived` (monotonic s)."""
        if gave:
            self._since, self.s, self.complains = None, 0.0, False
            return
        self._since = arrived if self._since is None else self._since
        self.s = arrived - self._since
        self.complains |= complains


class Damage:
    """Which pictures of one connection can be trusted. `damaged` and `degraded` are as of the last picture.

    One lost packet makes some fifty wrong pictures of which the decoder flags none, so damage lasts until the next
    key frame.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._since: float | None = None
        self.damaged = False
        self.degraded = False

    def update(self, arrived: float, *, key: bool, broken: bool) -> bool:
        """Take note of a picture; return whether this is the beginning of damage."""
        begins = broken and not self.damaged
        if broken:
            self.damaged = True
        elif key:
            self.damaged, self.degraded, self._since = False, False, None
        if self.damaged:
            self._since = arrived if self._since is None else self._since
            self.degraded = arrived - self._since > self._patience_s
        return begins
