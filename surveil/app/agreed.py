"""What a camera has learned as it was the same here and in the shared store, kept across restarts.

    STATE/carried/CAMERA.json

A part that differs from it here was changed here, and one that differs from it there was changed there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from surveil.errors import StateError
from surveil.filesystem import make_folders, read_json, write_atomically

log = structlog.get_logger(__name__)
_FOLDER = "carried"


@dataclass(frozen=True, slots=True)
class Agreed:
    """One camera's."""

    epoch: int = 0
    """Of the lease for which the store was read; 0: never."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 (hex) by name of what was the same."""
    began: int = 0
    """Epoch of the lease that `begun` belongs to."""
    begun: Mapping[str, str] | None = None
    """Parts to which a node adds, by name: what is in them that was not added since that lease began. None: all that
    nodes before have put was read since."""
    listed: int = 0
    """Epoch of the list of the store that named `parts`; 0: none did."""

    def keeps(self, name: str, own: str | None, theirs: str) -> bool:
        """Whether a part of the store is to stay as it is here: it is the same, or was changed here alone."""
        return own is not None and theirs in {own, self.parts.get(name)}


class AgreedFiles:
    """In one state directory. One thread's; every method raises StateError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def read(self, camera: str) -> Agreed:
        """Return what was noted of a camera; a damaged note is none, as before the first one."""
        path = self._path(camera)
        try:
            return _agreed(read_json(path.read_bytes()))
        except FileNotFoundError:
            return Agreed()
        except OSError as error:
            raise StateError(f"{path}: cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            log.warning("note of what is in the shared store is damaged", path=str(path), why=str(error))
            return Agreed()

    def note(self, camera: str, agreed: Agreed) -> None:
        """Replace what was noted."""
        path = self._path(camera)
        try:
            make_folders(path.parent)
            write_atomically(path, json.dumps(asdict(agreed)).encode())
        except OSError as error:
            raise StateError(f"{path}: cannot be written: {error.strerror}") from error

    def _path(self, camera: str) -> Path:
        return self._folder / f"{camera}.json"


def _agreed(plain: Any) -> Agreed:
    begun = plain["begun"]
    return Agreed(
        int(plain["epoch"]),
        _texts(plain["parts"]),
        int(plain["began"]),
        None if begun is None else _texts(begun),
        int(plain.get("listed", 0)),
    )


def _texts(plain: Any) -> Mapping[str, str]:
    return {str(name): str(text) for name, text in plain.items()}
