"""Classifiers that are deployed or rolled back on one node reach all nodes through the shared store.

    STATE/classifiers/NAME/shared   SHA-256 of the version that was the same here and there

A version here that differs from it was deployed since, and goes there; one there that differs comes here. Where both
do, that of the store stays: the first to get there wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import structlog

from surveil.app.rounds import do_all
from surveil.errors import StateError
from surveil.features.classify.store import ClassifierStore, names
from surveil.filesystem import write_atomically
from surveil.fleet.shelf import Shelf, digest_of

log = structlog.get_logger(__name__)
_CURRENT = "current"
_SHARED = "shared"


class SharedClassifiers:
    """Owned by one thread.

    Args:
        folder: the state directory.
        store: the shared folder.
        wanted: names the classifiers that rules need.
    """

    def __init__(self, folder: Path, store: Path, wanted: Callable[[], Collection[str]]) -> None:
        self._folder, self._store, self._wanted = folder, store, wanted
        self._digests: dict[tuple[Path, int], str] = {}

    def run_once(self) -> None:
        """Take and put what has changed. Raises StateError, when the other classifiers are done."""
        do_all(partial(self._share, name) for name in sorted({*names(self._folder), *self._wanted()}))

    def _share(self, name: str) -> None:
        here, there = ClassifierStore(self._folder, name), Shelf(self._store, f"classifiers/{name}")
        entry, path = there.newest(), here.path()
        theirs = entry.parts.get(_CURRENT, "") if entry else ""
        own, shared = self._digest(path), _shared(here)
        if own == theirs == shared:
            return
        if path and own != theirs and theirs in {"", shared} and self._is_whole(here, shared):
            there.put(entry.epoch + 1 if entry else 1, {_CURRENT: _content(path)})
            theirs = own
        elif theirs and own != theirs:
            here.publish(there.get(theirs), reuse=True)
            log.info("classifier of the fleet is used", classifier=here.name)
        _note(here, theirs)

    def _is_whole(self, here: ClassifierStore, shared: str) -> bool:
        """Whether the version that was shared last is still here: if not it was damaged, and nobody chose another."""
        return not shared or shared in {self._digest(here.folder / name) for name in here.versions()}

    def _digest(self, path: Path | None) -> str:
        """Return the SHA-256 of a version; empty: there is none."""
        if path is None:
            return ""
        key = path, _changed_at(path)
        if key not in self._digests:
            self._digests[key] = digest_of(_content(path))
        return self._digests[key]


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from error


def _shared(store: ClassifierStore) -> str:
    path = store.folder / _SHARED
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path}: cannot be read: {error}; remove it") from error


def _note(store: ClassifierStore, digest: str) -> None:
    path = store.folder / _SHARED
    try:
        if digest:
            write_atomically(path, f"{digest}\n".encode("ascii"))
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from error
