"""Backup of the daemon's state while it runs, and restore.

A backup is a tar file of everything in the state directory: databases as SQLite's online copies, each of one moment,
and all else as it is; pictures, clips and recordings only where they are asked for. The configuration is no part of it,
but what the console keeps is: users, tokens, cameras with their passwords.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from surveil import __version__
from surveil.alerts.database import BUSY_TIMEOUT_S, DamagedError, foreign_errors, migrations
from surveil.alerts.evidence import FOLDER
from surveil.alerts.salvage import damage
from surveil.app.state_dir import StateLock, usable
from surveil.console.auth import database as console
from surveil.errors import StateError
from surveil.features.counting import store as counts
from surveil.filesystem import appearing, free_name, give_away
from surveil.offsite import queue as offsite
from surveil.recording import index as recordings

OUTBOX = "surveil.db"
_PICTURES = frozenset({FOLDER, "recordings", "recordings.db", "collected"})
"""What only grows large: pictures, clips, recordings and footage to learn from."""
_PASSING = frozenset({StateLock.NAME, "decisions.db"})
"""What a daemon makes again."""
_LOG = ("-wal", "-shm", "-journal")
_POINTERS = ("current", "shadow")
_BEFORE = "before-restore"
_MODE = 0o600
"""A backup has what the console knows of cameras and users."""
_LIST = "backup.json"
"""The names of all files, so that one that was added or is missing is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a backup has, or what was put back."""

    files: int
    bytes: int
    before: str = ""
    """Where what was there before a restore is now."""
    damaged: tuple[str, ...] = ()
    """Databases that were damaged when they were backed up."""


def backup(state_dir: Path, file: Path, *, evidence: bool = False) -> Copied:
    """Write the state of a daemon, which may run, into a new file. Raises StateError."""
    if not (state_dir / OUTBOX).is_file():
        raise StateError(f"{state_dir}: nothing to back up: no {OUTBOX}; check the state directory")
    try:
        with appearing(file, _MODE) as beside, tarfile.open(beside, "w") as archive:
            files = _files(state_dir, evidence=evidence)
            damaged = [
                str(path.relative_to(state_dir)) for path in files if not _add(archive, path, state_dir)
            ]
            names = archive.getnames()
            _add_list(archive, names, damaged)
        return Copied(files=len(names), bytes=file.stat().st_size, damaged=tuple(damaged))
    except OSError as error:
        raise StateError(f"{error.filename or file}: cannot be copied: {error.strerror or error}") from error


def _files(state_dir: Path, *, evidence: bool) -> Iterator[Path]:
    """Yield all files but those that are left out; what says which version is in use before the versions."""
    left_out = _PASSING if evidence else _PASSING | _PICTURES
    for top in sorted(state_dir.iterdir()):
        # A backup that was written here would be in all that follow.
        if top.name in left_out or top.name.startswith((".", _BEFORE)) or top.suffix == ".tar":
            continue
        below = sorted(top.rglob("*"), key=lambda path: (path.name not in _POINTERS, path))
        for path in (top, *below):
            if path.is_file() and not path.is_symlink() and not path.name.endswith(_LOG):
                yield path


def _add(archive: tarfile.TarFile, path: Path, base: Path) -> bool:
    """Add a file; return whether it is whole."""
    name = str(path.relative_to(base))
    if path.suffix == ".db":
        try:
            return _add_database(archive, path, name)
        except DamagedError:
            # It costs no more than itself, and a daemon takes over from it what can be read.
            _add_file(archive, path, name)
            log = path.with_name(path.name + "-wal")
            if log.is_file():
                _add_file(archive, log, f"{name}-wal")
            return False
    _add_file(archive, path, name)
    return True


def _add_database(archive: tarfile.TarFile, path: Path, name: str) -> bool:
    """Add the copy of a database as of one moment, and return whether it is sound; writers do not wait for it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with (
            foreign_errors(),
            closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        copy.chmod(path.stat().st_mode)
        _add_file(archive, copy, name)
        return not (damage(copy) if name == OUTBOX else damage(copy, lambda _: ""))


def _add_file(archive: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file, unless it has gone meanwhile."""
    with suppress(FileNotFoundError), path.open("rb") as content:
        info = archive.gettarinfo(arcname=name, fileobj=content)
        info.mode, info.uid, info.gid, info.uname, info.gname = info.mode & 0o640, 0, 0, "", ""
        archive.addfile(info, content)


def _add_list(archive: tarfile.TarFile, names: Sequence[str], damaged: Sequence[str]) -> None:
    content = json.dumps({"surveil": __version__, "files": names, "damaged": damaged}).encode()
    info = tarfile.TarInfo(_LIST)
    info.size, info.mode = len(content), 0o640
    archive.addfile(info, io.BytesIO(content))


def restore(file: Path, state_dir: Path, *, replace: bool = False) -> Copied:
    """Put a backup into a state directory that no daemon uses. Raises StateError, and has changed nothing then.

    `replace`: what is there already is moved into a folder of its own; else it is an error.
    """
    lock = StateLock(usable(state_dir))
    try:
        with tempfile.TemporaryDirectory(dir=state_dir, prefix=".restore-") as name:
            unpacked = Path(name)
            found = _unpack(file, unpacked)
            for path in (unpacked, *sorted(unpacked.rglob("*"))):  # folders before what is in them
                give_away(path)
            before = _make_way(state_dir, replace=replace)
            for path in sorted(unpacked.iterdir()):
                path.rename(state_dir / path.name)
            return replaced(found, before=before)
    except OSError as error:
        raise StateError(
            f"{error.filename or file}: cannot be restored: {error.strerror or error}"
        ) from error
    finally:
        lock.release()


def _unpack(file: Path, folder: Path) -> Copied:
    try:
        with tarfile.open(file) as archive:
            members = [member for member in archive.getmembers() if member.name != _LIST]
            listed = json.loads((archive.extractfile(_LIST) or io.BytesIO()).read())
            damaged = tuple(str(name) for name in listed.get("damaged", ()))
            if listed["files"] != [member.name for member in members]:
                raise StateError(f"{file}: is not a backup of surveil: it lacks files, or has others")
            archive.extractall(folder, members, filter="data")
    except (tarfile.TarError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise StateError(f"{file}: is not a backup of surveil, or is damaged: {error}") from error
    if not (folder / OUTBOX).is_file():
        raise StateError(f"{file}: is not a backup of surveil: it lacks {OUTBOX}")
    if OUTBOX not in damaged and (why := damage(folder / OUTBOX)):
        raise StateError(f"{file}: the {OUTBOX} in it is damaged: {why}")
    for name, known in _versions().items():
        if name not in damaged and (folder / name).is_file():
            _check_version(file, folder / name, known)
    return Copied(files=len(members), bytes=sum(member.size for member in members), damaged=damaged)


def _versions() -> dict[str, int]:
    """Return database → the newest schema that this program knows."""
    return {
        OUTBOX: migrations()[-1][0],
        console.NAME: console.VERSION,
        counts.DATABASE: counts.VERSION,
        offsite.DATABASE: offsite.VERSION,
        recordings.DATABASE: recordings.VERSION,
    }


def _check_version(file: Path, database: Path, known: int) -> None:
    with foreign_errors(), closing(sqlite3.connect(database)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > known:
        raise StateError(
            f"{file}: {database.name}: was written by a newer surveil "
            f"(schema {version}, this one knows up to {known}): upgrade first"
        )


def _make_way(state_dir: Path, *, replace: bool) -> str:
    """Move aside what was there; return where it is."""
    there = [
        path
        for path in sorted(state_dir.iterdir())
        if path.name != StateLock.NAME and not path.name.startswith((".", _BEFORE))
    ]
    if there and not replace:
        named = next((path for path in there if path.name == OUTBOX), there[0])
        raise StateError(f"{state_dir}: already has a state ({named.name}): use --replace to move it aside")
    if not there:
        return ""
    aside = free_name(state_dir / _BEFORE)
    aside.mkdir(mode=0o750)
    give_away(aside)
    for path in there:
        shutil.move(path, aside / path.name)
    return aside.name
