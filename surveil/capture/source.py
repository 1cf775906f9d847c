"""The interface of a source, from which the capture loop reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from surveil.types import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What the stream is and how it is decoded; all of it goes into a metric."""

    codec: str
    """`h264`, `hevc`, `mjpeg`, …; `raw` for webcams and images."""
    decoder: str
    """`software` or `cuda`."""
    transport: str
    """`tcp`, `udp`, `http`, `file`, `v4l2`."""
    fps: float | None = None
    """Pictures a second by what the stream says of itself, where that can be."""
    bursts: bool = False
    """It comes in pieces of some seconds (HLS), each at once: it is played at its own speed."""


# Tuples below: of these some are made for every packet, and a frozen dataclass takes several times as long.


class Arrival(NamedTuple):
    """Something came: an encoded packet, or a grabbed but not yet converted picture."""

    size: int
    """Encoded bytes; 0 if not encoded."""
    key: bool
    """Can be decoded without anything before it."""
    stamp: float | None
    """Stream time for measuring lag (decoding order), s; None if unknown."""
    broken: bool
    """Packets were lost before or in it, or it is flagged as corrupt."""
    packet: Any = None
    """`av.Packet`, valid until the next read; None if not encoded."""
    whole: bool = True
    """A key with a whole picture in it; with intra refresh, it is only the beginning of one."""


NOTHING = Arrival(0, key=False, stamp=None, broken=False)
"""Nothing came for a while, and the stream may be well: a camera may send one picture in some seconds."""


class Shot(NamedTuple):
    """A decoded picture."""

    picture: Picture
    stamp: float | None
    """Presentation time, s on the stream's time line."""
    key: bool


class Decoded(NamedTuple):
    """What one arrival gave."""

    shots: Sequence[Shot] = ()
    broken: bool = False
    """The decoder complained: the pictures from here to the next key frame cannot be trusted."""


class Source(Protocol):
    """A stream of pictures. Opened, read and closed on one thread."""

    live: bool
    """Paced by the world; a recording is read as fast as it is taken."""

    def open(self) -> StreamInfo:
        """Open the stream. Raises SourceError."""

    def read(self) -> Arrival | None:
        """Return what comes next, or None at the end. Blocks for a bounded time: then it returns `NOTHING`.

        Raises SourceError.
        """

    def decode(self, arrival: Arrival) -> Decoded:
        """Decode the last arrival. Raises SourceError."""

    def camera_clock(self, arrival: Arrival) -> float | None:
        """Return when it was sent by the camera's own clock (RTCP), Unix s; None if it has not told."""

    def drain(self) -> Decoded:
        """Return what the decoder still holds, and leave it ready for a key frame."""

    def close(self) -> None:
        """Close the stream. May be called twice, and without `open`."""
