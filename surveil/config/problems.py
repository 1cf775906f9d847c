"""Mistakes in a configuration, collected so that all of them are reported at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake at one place."""

    line: int
    """1-based; 0: the file as a whole."""
    path: str
    text: str

    def show(self, file: str) -> str:
        """Return `file:line: path: what is wrong`."""
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.path}: {self.text}" if self.path else f"{place}: {self.text}"


@dataclass(slots=True)
class Problems:
    """What has been found so far; the same mistake reached twice (through `defaults`) counts once."""

    found: set[Problem] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    """Paths whose value could not even be had: what else is wrong with it is not worth a message."""
    mask: Callable[[str], str] = str
    """Cuts secrets out of a value; done before the value is shortened, or a part of a secret would be left."""

    def add(self, line: int, path: str, text: str) -> None:
        """Note a mistake."""
        self.found.add(Problem(line, path, text))

    def show(self, file: str) -> list[str]:
        """Return every mistake as a line of text, in the order of the file."""
        return [problem.show(file) for problem in sorted(self.found)]


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` for the nearest known word, else the words there are, else nothing."""
    words = sorted(set(known))
    if nearest := difflib.get_close_matches(wrong.lower(), [word.lower() for word in words], n=1, cutoff=0.6):
        word = next(word for word in words if word.lower() == nearest[0])
        return f", did you mean '{word}'?"
    if not words:
        return ""
    shown = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f" (there is: {shown})"


def no_camera(name: str, known: Iterable[str]) -> str:
    """Return that there is no such camera, with the nearest one that there is."""
    return f"there is no camera '{name}'{suggest(name, known)}"


def shorten(value: object, limit: int = 40) -> str:
    """Return a value as it may be quoted in a message."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
