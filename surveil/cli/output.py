"""Files that commands write: opened before the work begins, so that a wrong path costs no work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from surveil.errors import StateError


@contextmanager
def written(option: str, path: Path) -> Iterator[TextIO]:
    """Open the file that `option` names, and close it. Raises StateError when it cannot be written."""
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        remedy = "name a file in an existing, writable folder"
        raise StateError(
            f"{option}: {path} cannot be written ({error.strerror or error}); {remedy}"
        ) from None
    with file:
        yield file
