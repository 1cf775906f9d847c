"""Files of recordings: their paths, repair after a crash, and verification of the index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from surveil.alerts.database import set_aside
from surveil.alerts.evidence import safe_name
from surveil.alerts.links import stored_file
from surveil.capture.settings import RECORDINGS
from surveil.damage import Damaged, found
from surveil.recording.boxes import extent
from surveil.recording.index import DATABASE, Index, Segment
from surveil.recording.reasons import Gap

log = structlog.get_logger(__name__)
_EXACT_S = 1.5
"""The last picture of a fragment lasts until the next one comes, or as long as the one before."""
_STAMP = "%Y-%m-%dT%H%M%S.%f"


def path_of(camera: str, start: float) -> str:
    """Return where a file is written that begins at `start` (Unix s), below the state directory."""
    moment = datetime.fromtimestamp(start, UTC)
    stamp = moment.strftime(_STAMP)[:-3]
    return f"{RECORDINGS}/{safe_name(camera)}/{moment:%Y-%m-%d}/{stamp}Z.mp4"


def start_of(path: str) -> float | None:
    """Return when a file begins by its name (Unix s); None for a name that the recorder does not give."""
    stamp = Path(path).name.removesuffix("Z.mp4")
    with suppress(ValueError):
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
    return None


def recording_file(state_dir: Path, segment: Segment) -> Path | None:
    """Return the file of a row; None for a row that names anything but a recording."""
    path = stored_file(state_dir, segment.path)
    return path if path is not None and path.is_relative_to(state_dir / RECORDINGS) else None


def open_index(state_dir: Path, age_s: float) -> Index:
    """Open or create the index, and bring it to what is on the disk. Raises StateError.

    A damaged one is set aside and made again from the files, which then age from `age_s` on.
    """
    path = state_dir / DATABASE
    if why := Index.damage(path):
        aside = set_aside(path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
        found.report(Damaged.RECORDINGS, f"the index of recordings was damaged ({why}), kept as {aside.name}")
    index = Index(path)
    try:
        _recover(index, state_dir, age_s)
    except BaseException:
        index.close()
        raise
    return index


def _recover(index: Index, state_dir: Path, age_s: float) -> None:
    """Take back what a crash cut off, forget what is gone, take in what the index does not know."""
    for segment in index.unfinished():
        _settle(index, state_dir, segment, "cut")
    known = set()
    for segment in index.all():
        file = recording_file(state_dir, segment)
        if file is None or not file.is_file():
            index.forget([segment.id])
        known.add(segment.path)
    for segment in _unknown(state_dir, known):
        before = index.before(segment.camera, segment.start)
        is_far = before is not None and segment.start - before.end > _EXACT_S
        adopted = replace(segment, created_s=age_s, gap=Gap.UNKNOWN if is_far else Gap.NONE)
        _settle(index, state_dir, replace(adopted, id=index.add(adopted)), "found")


def _settle(index: Index, state_dir: Path, segment: Segment, state: str) -> None:
    """Cut a file to what is whole of it."""
    file = recording_file(state_dir, segment)
    try:
        whole = None if file is None else extent(file)
        if file is None or whole is None or not whole.fragments:
            _remove(file)
            index.forget([segment.id])
            return
        if whole.bytes < file.stat().st_size:
            with file.open("r+b") as opened:
                opened.truncate(whole.bytes)
    except OSError as error:
        log.warning("recording cannot be recovered", file=segment.path, why=error.strerror)
        index.forget([segment.id])
        return
    index.settle(segment.id, whole.seconds, whole.bytes, state)


def _remove(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)


def _unknown(state_dir: Path, known: set[str]) -> Iterator[Segment]:
    for file in sorted((state_dir / RECORDINGS).glob("*/*/*.mp4")):
        relative = file.relative_to(state_dir).as_posix()
        start = start_of(relative)
        if relative not in known and start is not None:
            camera = file.relative_to(state_dir / RECORDINGS).parts[0]
            yield Segment(camera=camera, path=relative, start=start, seconds=0.0, bytes=0, created_s=0.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the index says and the disk does not."""

    path: str
    what: str


def verify(index: Index, state_dir: Path) -> Sequence[Fault]:
    """Compare every row with its file; an open file may be longer than its row says."""
    return [Fault(one.path, what) for one in index.all() if (what := _fault(state_dir, one))]


def _fault(state_dir: Path, segment: Segment) -> str:
    file = recording_file(state_dir, segment)
    if file is None:
        return "is no path of a recording"
    try:
        whole, size = extent(file), file.stat().st_size
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if segment.state == "open":
        return "" if whole.bytes >= segment.bytes else f"has {whole.bytes} whole bytes of {segment.bytes}"
    if not whole.bytes == size == segment.bytes:
        return f"has {size} bytes, {whole.bytes} of them whole; the index says {segment.bytes}"
    lasts = abs(whole.seconds - segment.seconds) < _EXACT_S
    return "" if lasts else f"lasts {whole.seconds:.1f} s, not {segment.seconds:.1f} s"
