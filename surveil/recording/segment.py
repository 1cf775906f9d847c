"""One file of a recording while it is written: fragmented MP4, one fragment per second, each in one write.

What was written plays, whatever happens to the process afterwards; FFmpeg makes the fragments in memory and the file is
written here, so that an error of the disk is known at once and takes back the fragment that it cut off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error

from surveil.capture.orientation import turn_mp4
from surveil.capture.packets import StoredPacket, in_annex_b, stream_for, with_headers
from surveil.capture.stamps import TIMESCALE
from surveil.errors import Cause, SourceError
from surveil.recording.timeline import MediaLine

_TICK = Fraction(1, TIMESCALE)
_OPTIONS = {
    # Not at every key frame: of MJPEG and intra refresh each picture is one.
    "movflags": "empty_moov+default_base_moof+skip_trailer",
    "frag_duration": "1000000",  # us
    "video_track_timescale": str(TIMESCALE),
    "flush_packets": "1",
}


class _Buffer:
    """Takes what FFmpeg writes until the file takes it."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


class SegmentFile:
    """Writes the packets of one stream, from a key frame on. Owned by one thread.

    Raises SourceError (unsupported) where MP4 cannot hold the codec, OSError where the disk does not take it; the file
    is closed then, and what was written before is whole.
    """

    def __init__(self, path: Path, first: StoredPacket, line: MediaLine) -> None:
        self.path = path
        self.bytes = 0
        """Written."""
        self.parameters = first.parameters
        self.whole_s = 0.0
        """How long lasts what was written."""
        self._line = line
        self._buffer = _Buffer()
        self._first: StoredPacket | None = in_annex_b(first, with_sets=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            self._out = av.open(self._buffer, "w", format="mp4", options=_OPTIONS)
            self._stream = stream_for(replace(self._first, time_base=_TICK), self._out)
        except BaseException:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise

    @property
    def by_arrival(self) -> bool:
        """Whether the camera's stamps turned out to be of no use."""
        return self._line.by_arrival

    def write(self, packet: StoredPacket) -> int:
        """Take a packet; return how many bytes went to the file."""
        place = self._line.place(packet)
        made = av.Packet(self._data(packet))
        made.stream, made.time_base, made.is_keyframe = self._stream, _TICK, packet.key
        made.dts, made.pts, made.duration = place
        try:
            with _ours():
                self._out.mux(made)
        except SourceError:
            self._abandon()
            raise
        written = self._flush()
        if written:  # everything before this packet
            self.whole_s = place.start / TIMESCALE
        return written

    def _data(self, packet: StoredPacket) -> bytes:
        first, self._first = self._first, None
        return in_annex_b(packet, with_sets=False).data if first is None else with_headers(first)

    def _flush(self) -> int:
        """Write what FFmpeg has finished, whole or not at all."""
        data = self._buffer.data
        if not data:
            return 0
        try:
            _write(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, self.bytes)
            self._abandon()
            raise
        size = len(data)
        is_header, self.bytes = not self.bytes, self.bytes + size
        data.clear()
        if is_header:
            self._turn()
        return size

    def _turn(self) -> None:
        """Have players turn the picture."""
        its = self.parameters
        if its.rotate:
            turn_mp4(self.path, its.rotate, its.width, its.height)

    def close(self) -> None:
        """Write the last fragment and put the file on the disk."""
        try:
            with _ours():
                self._out.close()
            self._flush()
            self.whole_s = self._line.end / TIMESCALE
            os.fdatasync(self._fd)
        finally:
            self._abandon()

    def _abandon(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextmanager
def _ours() -> Iterator[None]:
    """Turn FFmpeg's errors into ours; nothing of the disk is among them."""
    try:
        yield
    except (ValueError, av.error.FFmpegError) as error:
        raise SourceError(Cause.UNSUPPORTED, f"cannot be recorded: {error}") from None


def _write(fd: int, data: bytearray) -> None:
    """Write all of it. Raises OSError."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        rest.release()  # a bytearray that is looked at cannot be cleared
