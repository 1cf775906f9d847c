"""Terms of coordinators: each start takes the next number, so that the newer of two can be identified.

A term is a file in the shared store that only one process can create. Nothing else of a coordinator has to survive: who
reads what, the nodes tell it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surveil.errors import StateError
from surveil.filesystem import make_folders, sync_folder

TERMS = "terms"
_KEPT = 3


def take_term(store: Path) -> int:
    """Return a term that is higher than any before. Raises StateError when the store cannot be used."""
    with _told(store):
        make_folders(store / TERMS)
        return _take_next(store / TERMS)


def take_term_above(store: Path, lost: int) -> int | None:
    """Return a term above `lost`, which a coordinator had and the store does not know: its terms were lost.

    None: another coordinator has just taken `lost` in this store. Raises StateError as `take_term` does.
    """
    path = _file(store / TERMS, lost)
    with _told(store):
        # Asked of the server of a network file system: a listing may be a minute old.
        if not _create(path):
            return None
        try:
            return _take_next(store / TERMS)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def highest_term(store: Path) -> int | None:
    """Return the highest term that was taken; None while the store is away."""
    try:
        terms = _terms(store / TERMS)
    except OSError:
        return None
    return terms[-1] if terms else None


@contextmanager
def _told(store: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"fleet.store: {store / TERMS} cannot be used ({error.strerror}); mount it, and make it writable for this"
            " user"
        ) from error


def _take_next(folder: Path) -> int:
    while True:
        terms = _terms(folder)
        term = (terms[-1] if terms else 0) + 1
        if _create(_file(folder, term)):
            sync_folder(folder)
            for old in terms[:-_KEPT]:
                _file(folder, old).unlink(missing_ok=True)
            return term


def _create(path: Path) -> bool:
    """Make a file; return False where there is one."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
    except FileExistsError:
        return False
    return True


def _file(folder: Path, term: int) -> Path:
    return folder / f"{term:09d}"


def _terms(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
