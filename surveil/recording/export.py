"""Recordings as plain MP4, without encoding: packets from the key frame before the beginning to the end.

Where something is missing the film goes on at once. What its seconds are on the clock is said beside it, and so is what
is missing of what was asked for. A film has one format: where the camera changed its codec or size another one begins.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Self

import av
import av.error
from av.container import InputContainer

from surveil.capture.orientation import copy_matrix
from surveil.errors import StateError
from surveil.filesystem import appear, sync, sync_folder, temporary
from surveil.recording.boxes import extent
from surveil.recording.files import recording_file
from surveil.recording.footage import Footage, Missing, gap_before
from surveil.recording.index import Segment
from surveil.recording.reasons import PAUSE_S, Gap

Progress = Callable[[str, float], None]
_LEAST_S = 1.0
"""Less of a gap that the recorder noted is not worth a word at an end of what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPart:
    """A stretch of a film that comes from one recording, and what its seconds are on the clock."""

    film: str
    offset_s: float
    """From the beginning of the film."""
    seconds: float
    start: float
    """Unix s, by the clock of the host that recorded."""
    source: str
    """The recording, below the state directory."""
    gap: str
    """Why there is nothing between it and the part before, or the beginning that was asked for; empty if there is."""
    skew_s: float | None
    """Clock of the camera minus that of the host, where the camera told."""

    @property
    def end(self) -> float:
        """Unix s."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Exported:
    """The films that were written, what they are made of, and what is missing of what was asked for."""

    films: tuple[Path, ...]
    parts: tuple[ExportPart, ...]
    missing: tuple[Missing, ...]


def export(
    state_dir: Path, found: Footage, since: float, until: float, target: Path, progress: Progress
) -> Exported:
    """Write what was recorded between two moments (Unix s) to `target`; further films to `target-2` and so on.

    A file that is deleted meanwhile is a hole. Raises StateError where there is nothing, or something cannot be read or
    written.
    """
    films = _Films(target, since)
    try:
        for i, segment in enumerate(found.segments):
            progress("exporting", i / len(found.segments))
            path = recording_file(state_dir, segment)
            if path is not None and (file := _WholePart.of(path)):
                with file, av.open(file, "r", format="mp4") as source:
                    films.add(segment, path, source, since - segment.start, until - segment.start)
        written = films.finish()
        return Exported(written, tuple(films.parts), tuple(_holes(films.parts, since, until, found.next_gap)))
    except (OSError, ValueError) as error:
        films.discard()
        raise StateError(
            f"{target}: cannot be exported: {getattr(error, 'strerror', '') or error}"
        ) from error
    except BaseException:
        films.discard()
        raise


def _holes(parts: Sequence[ExportPart], since: float, until: float, next_gap: str) -> Iterator[Missing]:
    ends = [since, *(part.end for part in parts)]
    for end, part in zip(ends, parts, strict=False):
        if part.gap:
            yield Missing(start=end, end=part.start, reason=part.gap)
    # Where the clock was set back the last part does not end last.
    if why := _why_empty(until - max(ends), next_gap):
        yield Missing(start=max(ends), end=until, reason=why)


def _why_empty(seconds: float, gap: str) -> str:
    """Return why so much is missing at an end of what was asked for; empty if it is the time between two pictures."""
    return (gap or Gap.NOTHING) if seconds > (_LEAST_S if gap else PAUSE_S) else ""


class _WholePart(io.RawIOBase):
    """The whole fragments of a recording that may be growing."""

    def __init__(self, path: Path) -> None:
        self._size = extent(path).bytes
        self._file = path.open("rb")

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Open a recording; None where it was deleted. Raises OSError."""
        with suppress(FileNotFoundError):
            return cls(path)
        return None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._size + offset, io.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def close(self) -> None:
        self._file.close()
        super().close()


class _Film:
    """One film while it is written, beside its place."""

    def __init__(self, path: Path, source: InputContainer, started: float) -> None:
        self.path = path
        self.format = _format(source)
        stream = source.streams.video[0]
        self._out = av.open(str(temporary(path)), "w", format="mp4", options={"movflags": "faststart"})
        self._out.metadata["creation_time"] = datetime.fromtimestamp(started, UTC).isoformat()
        self._stream = self._out.add_stream_from_template(stream)
        self._stream.codec_tag = stream.codec_tag
        self._end = 0

    def copy(self, packets: Iterator[Any]) -> tuple[float, float, float]:
        """Append packets; return where they begin in the film and in their source, and how long they last, s."""
        base: int | None = None
        start = end = self._end
        tick = 0.0
        for packet in packets:
            tick, base = float(packet.time_base), packet.dts if base is None else base
            packet.dts, packet.pts = packet.dts - base + start, packet.pts - base + start
            packet.stream = self._stream
            end = packet.dts + (packet.duration or 1)
            self._out.mux(packet)
        self._end = end
        return start * tick, (base or 0) * tick, (end - start) * tick

    def close(self, matrix_of: Path) -> None:
        """Finish the file, and give it its name."""
        self._out.close()
        copy_matrix(matrix_of, temporary(self.path))
        temporary(self.path).chmod(0o640)
        sync(self.path)

    def discard(self) -> None:
        """Remove what was written."""
        self._out.close()
        temporary(self.path).unlink(missing_ok=True)


class _Films:
    """The films of one export."""

    def __init__(self, target: Path, since: float) -> None:
        self._target, self._since = target, since
        self._films: list[tuple[_Film, Path]] = []
        """Each with a recording that it is made of."""
        self.parts: list[ExportPart] = []

    def add(
        self, segment: Segment, path: Path, source: InputContainer, since_s: float, until_s: float
    ) -> None:
        """Append what a recording has between two of its seconds."""
        first = _entry_before(source, since_s)
        packets = _packets(source, first, until_s)
        head = next(packets, None)
        if head is None:
            return
        film = self._film_for(segment, path, source)
        offset, base, seconds = film.copy(chain([head], packets))
        part = ExportPart(
            film=film.path.name, offset_s=offset, seconds=seconds, start=segment.start + base, source=segment.path,
            gap=self._gap_before(segment), skew_s=segment.skew_s,
        )  # fmt: skip
        self.parts.append(part)

    def _gap_before(self, segment: Segment) -> str:
        if self.parts:
            return gap_before(segment, self.parts[-1].end)
        return _why_empty(segment.start - self._since, segment.gap)

    def _film_for(self, segment: Segment, path: Path, source: InputContainer) -> _Film:
        if not self._films or self._films[-1][0].format != _format(source):
            n = len(self._films) + 1
            name = self._target if n == 1 else self._target.with_stem(f"{self._target.stem}-{n}")
            self._films.append((_Film(name, source, segment.start), path))
        return self._films[-1][0]

    def finish(self) -> tuple[Path, ...]:
        """Put all films on the disk under their names. Raises StateError where there is none."""
        if not self._films:
            raise StateError("nothing was recorded of the camera in that time; see `surveil recordings`")
        for film, path in self._films:
            film.close(path)
        for film, _ in self._films:
            appear(film.path)
        sync_folder(self._target.absolute().parent)
        return tuple(film.path for film, _ in self._films)

    def discard(self) -> None:
        """Remove what was written."""
        for film, _ in self._films:
            film.discard()


def _format(source: InputContainer) -> tuple[object, ...]:
    """Return what all packets of a film have in common."""
    context = source.streams.video[0].codec_context
    return context.name, bytes(context.extradata or b""), context.width, context.height


def _entry_before(source: InputContainer, since_s: float) -> int:
    """Return the stamp of the last key frame at or before a second of a recording, else of its first packet."""
    entry = 0
    if since_s > 0:
        packets: Iterator[Any] = source.demux(video=0)
        for packet in packets:
            if packet.size and packet.dts * packet.time_base > since_s:
                break
            entry = packet.dts if packet.size and packet.is_keyframe else entry
        source.seek(0)
    return entry


def _packets(source: InputContainer, first: int, until_s: float) -> Iterator[Any]:
    packets: Iterator[Any] = source.demux(video=0)
    for packet in packets:
        if packet.size and packet.dts * packet.time_base >= until_s:
            return
        if packet.size and packet.dts >= first:
            yield packet
