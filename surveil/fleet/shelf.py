"""The shared store: files that are named by their content, and lists of them.

    STORE/learned/CAMERA/000001000000007-000002.json   epoch and number: the parts by name, each by its SHA-256
    STORE/learned/CAMERA/objects/SHA-256
    STORE/classifiers/NAME/…                           the same; the epoch counts deployments
    STORE/verdicts/NAME/…                              the same; the epoch counts changes of a data set

The list with the highest epoch is the newest, whatever any clock says: a node that was cut off cannot overwrite what
its successor has put there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import structlog

from surveil.errors import StateError
from surveil.filesystem import make_folders, read_json, sync_folder, write_atomically
from surveil.fleet.terms import TERMS

log = structlog.get_logger(__name__)
_LIST = re.compile(r"(\d{15,})-(\d{6,})\.json")
VERDICTS = "verdicts"
_KEPT = 3
"""Lists of a camera that are kept."""
_SPARED_S = 3600.0
"""How long a file may be there before a list names it: another node may be about to write one."""


class LostError(StateError):
    """What a list names is missing or damaged. Trying again is of no use."""


@dataclass(frozen=True, slots=True)
class ShelfEntry:
    """One list."""

    epoch: int
    number: int
    parts: Mapping[str, str]
    """SHA-256 (hex) by name."""


class Shelf:
    """One part of the store, for example a camera's. Raises StateError when the store cannot be used."""

    def __init__(self, store: Path, part: str) -> None:
        """`part`: relative to `store`."""
        self._store = store
        self._folder = store / part

    def newest(self) -> ShelfEntry | None:
        """Return the newest list; None if there is none."""
        found = self._lists()
        if not found:
            return None
        epoch, number = found[-1]
        return ShelfEntry(epoch, number, _parts(self._path(epoch, number)))

    def newest_whole(self) -> ShelfEntry | None:
        """Return the newest list that is not damaged; None if there is none."""
        for epoch, number in reversed(self._lists()):
            try:
                return ShelfEntry(epoch, number, _parts(self._path(epoch, number)))
            except LostError as error:
                log.warning("damaged list in the shared store left out", why=str(error))
        return None

    def get(self, digest: str) -> bytes:
        """Return a file by its SHA-256."""
        path = self._folder / "objects" / digest
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise LostError(f"{path}: is missing; its node puts it there again") from error
        except OSError as error:
            raise StateError(f"{path}: cannot be read: {error.strerror}") from error
        if digest_of(content) != digest:
            raise LostError(f"{path}: is damaged; remove it, and its node puts it there again")
        return content

    def stored(self) -> Collection[str]:
        """Return the SHA-256 of the files that are there and in the newest list; what others name may not be whole."""
        try:
            entry = self.newest()
            named = set(entry.parts.values()) if entry else set()
            return named & {path.name for path in (self._folder / "objects").iterdir()}
        except (LostError, FileNotFoundError):
            return ()
        except OSError as error:
            raise StateError(f"{self._folder}: cannot be read: {error.strerror}") from error

    def put(
        self, epoch: int, parts: Mapping[str, bytes], kept: Mapping[str, str] = MappingProxyType({})
    ) -> ShelfEntry:
        """Store files as the newest of this epoch, beside `kept`: SHA-256 by name of some that are there."""
        check_store(self._store)
        new = {name: digest_of(content) for name, content in parts.items()}
        digests = {**kept, **new}
        try:
            for name, content in parts.items():
                self._store_object(new[name], content)
            number = max((n for e, n in self._lists() if e == epoch), default=0) + 1
            make_folders(self._folder)
            path = self._path(epoch, number)
            _write(path, json.dumps(digests).encode())
            self._sweep(path.stat().st_mtime)
        except OSError as error:
            raise StateError(f"{self._folder}: cannot be written: {error.strerror}") from error
        return ShelfEntry(epoch, number, digests)

    def _store_object(self, digest: str, content: bytes) -> None:
        path = self._folder / "objects" / digest
        if path.is_file() and path.read_bytes() == content:
            os.utime(path)  # No node sweeps it away before a list names it.
        else:
            make_folders(path.parent)
            _write(path, content)

    def _sweep(self, now: float) -> None:
        """Remove old lists, and old files that none of the others names; `now`: by the clock of the store (Unix s)."""
        lists = self._lists()
        for epoch, number in lists[:-_KEPT]:
            self._path(epoch, number).unlink(missing_ok=True)
        try:
            kept = {d for one in lists[-_KEPT:] for d in _parts(self._path(*one)).values()}
        except StateError:
            return  # It is unknown what a damaged list names.
        for path in (*(self._folder / "objects").glob("*"), *self._folder.glob(".*")):
            if path.name not in kept and _written_at(path) < now - _SPARED_S:
                path.unlink(missing_ok=True)

    def _lists(self) -> list[tuple[int, int]]:
        """Return epoch and number of all lists, the newest last."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            check_store(self._store)
            return []
        except OSError as error:
            raise StateError(f"{self._folder}: cannot be read: {error.strerror}") from error
        return sorted((int(m[1]), int(m[2])) for m in map(_LIST.fullmatch, names) if m)

    def _path(self, epoch: int, number: int) -> Path:
        return self._folder / f"{epoch:015d}-{number:06d}.json"


def check_store(store: Path) -> None:
    """Refuse an empty mount point: a coordinator has left its terms in the store. Raises StateError."""
    try:
        is_there = (store / TERMS).is_dir()
    except OSError as error:
        raise StateError(f"fleet.store: {store} cannot be read: {error.strerror}") from error
    if not is_there:
        raise StateError(f"fleet.store: {store} is not the fleet's; mount it, or start the coordinator")


def _parts(path: Path) -> Mapping[str, str]:
    """Return what a list names."""
    try:
        return {str(name): str(digest) for name, digest in read_json(path.read_bytes()).items()}
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, AttributeError) as error:
        raise LostError(f"{path}: is damaged: {error}; remove it, and the one before it is used") from error


def _write(path: Path, content: bytes) -> None:
    """Write a file that appears whole, also when another node writes the same at the same time."""
    own = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_atomically(own, content)
    own.rename(path)
    sync_folder(path.parent)


def _written_at(path: Path) -> float:
    """Return when a file was written (Unix s); another node may have removed it: then never."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def digest_of(content: bytes) -> str:
    """Return the SHA-256, hex."""
    return sha256(content).hexdigest()
