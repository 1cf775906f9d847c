"""Frames of recordings for learning and evaluation, from the daemon's own sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surveil.capture.file import FolderSource, duration_s
from surveil.capture.opening import make_source
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Shot, Source
from surveil.errors import Cause, ConfigError, SourceError
from surveil.hidden import HiddenPicture
from surveil.types import Picture, Polygon


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of a recording."""

    index: int
    """Place in the recording, from 0."""
    t: float
    """s since its first frame; never steps back."""
    picture: Picture


def stills(path: Path, fps: float = 10.0, hidden: Sequence[Polygon] = ()) -> Iterator[Still]:
    """Yield the frames of a video, or of a folder of images at `fps` a second, the `hidden` areas blanked.

    Raises ConfigError when there is nothing there, SourceError when it cannot be read.
    """
    if not path.exists():
        raise ConfigError([f"{path}: there is no such video or folder"])
    yield from stream(StreamSettings(url=str(path), fps=fps, realtime=False), hidden)


def stream(settings: StreamSettings, hidden: Sequence[Polygon] = ()) -> Iterator[Still]:
    """Yield the frames of a recording or of a running camera, as they come, the `hidden` areas blanked.

    Raises SourceError when it cannot be opened or read, or is lost.
    """
    source, fps = make_source(settings), settings.fps
    try:
        source.open()
        for still in _numbered(_shots(source), fps):
            yield replace(still, picture=HiddenPicture(still.picture, hidden)) if hidden else still
    finally:
        source.close()


def _shots(source: Source) -> Iterator[Shot]:
    while (arrival := source.read()) is not None:
        yield from _decoded(source, arrival)
    yield from source.drain().shots


def _decoded(source: Source, arrival: Arrival) -> Iterator[Shot]:
    decoded = source.decode(arrival)
    if decoded.broken and not decoded.shots:
        raise SourceError(Cause.DAMAGED, "a frame cannot be decoded: labels would no longer match")
    yield from decoded.shots


def _numbered(shots: Iterator[Shot], fps: float) -> Iterator[Still]:
    first, last = None, -1.0
    for index, shot in enumerate(shots):
        stamp = index / fps if shot.stamp is None else shot.stamp
        first = stamp if first is None else first
        # A recording whose time steps back goes on a frame later: order is what learning needs.
        last = max(stamp - first, last + 1e-3 if index else 0.0)
        yield Still(index, last, shot.picture)


class Pace:
    """How much of several recordings is done, for progress."""

    def __init__(
        self, what: str, paths: Sequence[Path], fps: float, tell: Callable[[str, float], None]
    ) -> None:
        self._what, self._tell = what, tell
        self._lengths = [_length_s(path, fps) for path in paths]

    @property
    def seconds(self) -> float:
        """How long all of them play."""
        return sum(self._lengths)

    def at(self, index: int, t: float) -> None:
        """Tell that `t` seconds of a recording are done, and all of those before it."""
        done = sum(self._lengths[:index]) + min(t, self._lengths[index])
        self._tell(self._what, done / self.seconds)

    def end(self, index: int) -> None:
        """Tell that a recording is done."""
        self.at(index, self._lengths[index])


def _length_s(path: Path, fps: float) -> float:
    """Return how long a recording plays, s; a minute where it does not say so."""
    images = count_images(path)
    return (duration_s(path) or 60.0) if images is None else max(1, images) / fps


def count_images(path: Path) -> int | None:
    """Return the number of images of a folder; None for a video, which has to be read for that."""
    if not path.is_dir():
        return None
    source = FolderSource(StreamSettings(url=str(path)))
    try:
        source.open()
    except SourceError:
        return 0
    count = 0
    while source.read() is not None:
        count += 1
    return count
