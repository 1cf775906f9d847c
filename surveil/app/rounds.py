"""Rounds of work whose parts do not depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from surveil.errors import StateError


def do_all(parts: Iterable[Callable[[], None]]) -> None:
    """Do every part, also after one has failed. Raises the first StateError when the rest is done."""
    failed: list[StateError] = []
    for part in parts:
        try:
            part()
        except StateError as error:
            failed.append(error)
    if failed:
        raise failed[0]
