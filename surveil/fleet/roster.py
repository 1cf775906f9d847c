"""Which node has which camera: the coordinator writes it to the store, and every node reads it there.

A hint and never an order: what a node may read, its leases say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from surveil.errors import StateError
from surveil.filesystem import read_json, write_atomically

NAME = "roster.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The fleet as the coordinator saw it last."""

    owners: Mapping[str, str] = field(default_factory=dict)
    """Node by camera."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """URL of the pages by node; empty: unknown."""


def write_roster(store: Path, roster: Roster) -> None:
    """Replace what is there. Raises StateError."""
    try:
        write_atomically(store / NAME, json.dumps(asdict(roster)).encode())
    except OSError as error:
        raise StateError(f"{store / NAME}: cannot be written: {error.strerror}") from error


def read_roster(store: Path) -> Roster:
    """Return what the coordinator wrote last; empty before the first time. Raises StateError."""
    path = store / NAME
    try:
        plain = read_json(path.read_bytes())
        return Roster(owners=_texts(plain["owners"]), pages=_texts(plain["pages"]))
    except FileNotFoundError:
        return Roster()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(f"{path}: cannot be read: {error}") from error


def _texts(plain: Mapping[str, object]) -> dict[str, str]:
    return {str(key): str(value) for key, value in plain.items()}
