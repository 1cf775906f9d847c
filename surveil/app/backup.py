"""A copy of what the daemon keeps, taken while it runs, and put back.

A backup is a tar file: the databases as SQLite's online copies, each of one moment, and the models as they are; with
pictures and clips where they are asked for. The configuration is no part of it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from surveil.alerts.database import BUSY_TIMEOUT_S, foreign_errors
from surveil.alerts.evidence import FOLDER
from surveil.alerts.salvage import damage
from surveil.app.state_dir import StateLock, usable
from surveil.errors import StateError
from surveil.features.counting.store import DATABASE
from surveil.filesystem import appearing

OUTBOX = "surveil.db"
_DATABASES = (OUTBOX, DATABASE)
_FOLDERS = ("normality", "classifiers", "models")
_POINTERS = ("current", "shadow")
_BEFORE = "before-restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a backup has, or what was put back."""

    files: int
    bytes: int
    before: str = ""
    """Where what was there before a restore is now."""


def backup(state_dir: Path, file: Path, *, evidence: bool = False) -> Copied:
    """Write the state of a daemon, which may run, into a new file. Raises StateError."""
    if not (state_dir / OUTBOX).is_file():
        raise StateError(f"{state_dir}: nothing to back up: no {OUTBOX}; check the state directory")
    try:
        with appearing(file) as beside, tarfile.open(beside, "w") as archive:
            files = [_add_database(archive, state_dir / name) for name in _DATABASES]
            files += [_add_file(archive, path, state_dir) for path in _others(state_dir, evidence=evidence)]
        return Copied(files=sum(files), bytes=file.stat().st_size)
    except OSError as error:
        raise StateError(f"{error.filename or file}: cannot be copied: {error.strerror or error}") from error


def _add_database(archive: tarfile.TarFile, path: Path) -> int:
    """Add the copy of a database as of one moment; writers do not wait for it."""
    if not path.is_file():
        return 0
    with tempfile.TemporaryDirectory() as folder, foreign_errors():
        copy = Path(folder) / path.name
        with (
            closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        return _add_file(archive, copy, copy.parent)


def _others(state_dir: Path, *, evidence: bool) -> Iterator[Path]:
    """Yield the files beside the databases; what says which version is in use before the versions."""
    for name in (*_FOLDERS, FOLDER) if evidence else _FOLDERS:
        found = [path for path in (state_dir / name).rglob("*") if path.is_file() and not path.is_symlink()]
        yield from sorted(found, key=lambda path: (path.name not in _POINTERS, path))


def _add_file(archive: tarfile.TarFile, path: Path, base: Path) -> int:
    """Add a file under its name below `base`; return 0 for one that has gone meanwhile."""
    try:
        with path.open("rb") as content:
            info = archive.gettarinfo(arcname=str(path.relative_to(base)), fileobj=content)
            info.mode, info.uid, info.gid, info.uname, info.gname = 0o640, 0, 0, "", ""
            archive.addfile(info, content)
    except FileNotFoundError:
        return 0
    return 1


def restore(file: Path, state_dir: Path, *, replace: bool = False) -> Copied:
    """Put a backup into a state directory that no daemon uses. Raises StateError, and has changed nothing then.

    `replace`: what is there already is moved into a folder of its own; else it is an error.
    """
    lock = StateLock(usable(state_dir))
    try:
        with tempfile.TemporaryDirectory(dir=state_dir, prefix=".restore-") as name:
            unpacked = Path(name)
            found = _unpack(file, unpacked)
            before = _make_way(state_dir, replace=replace)
            for path in sorted(unpacked.iterdir()):
                path.rename(state_dir / path.name)
            return Copied(files=found.files, bytes=found.bytes, before=before)
    except OSError as error:
        raise StateError(
            f"{error.filename or file}: cannot be restored: {error.strerror or error}"
        ) from error
    finally:
        lock.release()


def _unpack(file: Path, folder: Path) -> Copied:
    try:
        with tarfile.open(file) as archive:
            members = archive.getmembers()
            archive.extractall(folder, members, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise StateError(f"{file}: is not a backup of surveil, or is damaged: {error}") from error
    known = {*_DATABASES, *_FOLDERS, FOLDER}
    if not {path.name for path in folder.iterdir()} <= known or not (folder / OUTBOX).is_file():
        raise StateError(f"{file}: is not a backup of surveil: it lacks {OUTBOX}, or has other files")
    if why := damage(folder / OUTBOX):
        raise StateError(f"{file}: the {OUTBOX} in it is damaged: {why}")
    return Copied(files=len(members), bytes=sum(member.size for member in members))


def _make_way(state_dir: Path, *, replace: bool) -> str:
    """Move aside what a restore would overwrite; return where it is."""
    names = [name + suffix for name in _DATABASES for suffix in ("", "-wal", "-shm")]
    there = [state_dir / name for name in (*names, *_FOLDERS, FOLDER) if (state_dir / name).exists()]
    if there and not replace:
        raise StateError(
            f"{state_dir}: already has a state ({there[0].name}): use --replace to move it aside"
        )
    if not there:
        return ""
    aside, n = state_dir / _BEFORE, 1
    while aside.exists():
        n += 1
        aside = state_dir / f"{_BEFORE}-{n}"
    aside.mkdir(mode=0o750)
    for path in there:
        shutil.move(path, aside / path.name)
    return aside.name
