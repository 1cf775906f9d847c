"""Terms of coordinators: each start takes the next number, so that the newer of two can be identified.

A term is a file in the shared store that only one process can create. Nothing else of a coordinator has to survive: who
reads what, the nodes tell it.
"""

from __future__ import annotations

import os
from pathlib import Path

from surveil.errors import StateError
from surveil.filesystem import make_folders, sync_folder

TERMS = "terms"
_KEPT = 3


def take_term(store: Path) -> int:
    """Return a term that is higher than any before. Raises StateError when the store cannot be used."""
    folder = store / TERMS
    try:
        make_folders(folder)
        while True:
            terms = _terms(folder)
            term = (terms[-1] if terms else 0) + 1
            try:
                os.close(os.open(folder / f"{term:09d}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
            except FileExistsError:
                continue
            sync_folder(folder)
            for old in terms[:-_KEPT]:
                (folder / f"{old:09d}").unlink(missing_ok=True)
            return term
    except OSError as error:
        raise StateError(
            f"fleet.store: {folder} cannot be used ({error.strerror}); mount it, and make it writable for this user"
        ) from error


def highest_term(store: Path) -> int | None:
    """Return the highest term that was taken; None while the store is away."""
    try:
        terms = _terms(store / TERMS)
    except OSError:
        return None
    return terms[-1] if terms else None


def _terms(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
