"""The recordings of a camera between two times, and the gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from surveil.recording.index import DATABASE, Index, Segment
from surveil.recording.reasons import PAUSE_S, Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A hole. Where the clock was set back it ends before it begins."""

    start: float
    """Unix s."""
    end: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A camera's files in the order in which they were written, and the holes between them."""

    camera: str
    segments: tuple[Segment, ...]
    missing: tuple[Missing, ...]
    next_gap: str
    """Why the first file after them does not continue them; empty where it does, or where there is none."""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(segment.bytes for segment in self.segments)

    @property
    def seconds(self) -> float:
        """Of all files."""
        return sum(segment.seconds for segment in self.segments)


def footage(index: Index, camera: str, since: float, until: float) -> Footage:
    """Return what there is of a camera between two moments (Unix s). Raises StateError."""
    found = sorted(index.between(camera, since, until), key=lambda segment: segment.id)
    after = index.after(camera, until)
    return Footage(
        camera=camera,
        segments=tuple(found),
        missing=tuple(_missing(found)),
        next_gap=after.gap if after else "",
    )


def _missing(segments: Sequence[Segment]) -> Iterator[Missing]:
    for before, after in pairwise(segments):
        if gap := gap_before(after, before.end):
            yield Missing(start=before.end, end=after.start, reason=gap)


def gap_before(segment: Segment, end: float) -> str:
    """Return why a file does not continue video that ends at a moment (Unix s); empty if it does.

    Pictures come late, or are seconds apart: only where more is missing was a file deleted.
    """
    return segment.gap or (Gap.NOT_KEPT if segment.start - end > PAUSE_S else "")


def read_footage(state_dir: Path, camera: str, since: float, until: float) -> Footage:
    """As `footage`, of the index that a daemon may be writing. Raises StateError."""
    with closing(Index(state_dir / DATABASE, reading=True)) as index:
        return footage(index, camera, since, until)


def recorded_cameras(state_dir: Path) -> list[str]:
    """Name the cameras of which something is recorded; none where nothing ever was. Raises StateError."""
    if not (state_dir / DATABASE).is_file():
        return []
    with closing(Index(state_dir / DATABASE, reading=True)) as index:
        return index.cameras()


def find_segment(state_dir: Path, row: int) -> Segment | None:
    """Return the file with an id; None where there is none. Raises StateError."""
    with closing(Index(state_dir / DATABASE, reading=True)) as index:
        return index.one(row)


def unfinished(state_dir: Path) -> list[str]:
    """Return the files, below the state directory, that a daemon is writing. Raises StateError."""
    if not (state_dir / DATABASE).is_file():
        return []
    with closing(Index(state_dir / DATABASE, reading=True)) as index:
        return [segment.path for segment in index.unfinished()]
