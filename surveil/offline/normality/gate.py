"""`--gate`: conditions on figures, as "frame_auc>=0.97,event_recall>=0.9", or a file. Never evaluated as code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from surveil.errors import ConfigError

_CONDITION = re.compile(
    r"^\s*([a-z][a-z0-9_.]*)\s*(>=|<=|==|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*$"
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A figure's name, a comparison and a number."""

    figure: str
    compare: str
    bound: float

    def holds(self, figures: Mapping[str, float]) -> bool:
        """Return whether it holds; a figure that could not be had (NaN) fails."""
        value = figures[self.figure]
        return not isnan(value) and _COMPARE[self.compare](value, self.bound)

    def __str__(self) -> str:
        return f"{self.figure}{self.compare}{self.bound:g}"


def read_gate(given: str) -> tuple[Condition, ...]:
    """Return the conditions that an option gives, or the file that it names; `#` begins a comment. Empty: none.

    Raises ConfigError naming what is no condition.
    """
    if not given:
        return ()
    path = Path(given)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [given]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"gate: {path}: cannot be read: {error}"]) from None
    stated = (line.partition("#")[0].strip().rstrip(",") for line in lines)
    return parse_gate(",".join(filter(None, stated)))


def parse_gate(text: str) -> tuple[Condition, ...]:
    """Return the conditions, separated by commas. Raises ConfigError naming what is none."""
    wrong, found = [], []
    for part in text.split(","):
        match = _CONDITION.match(part)
        if match is None:
            wrong.append(f"gate: {part.strip()!r} is not a condition such as frame_auc>=0.97")
        else:
            found.append(Condition(match[1], match[2], float(match[3])))
    if wrong:
        raise ConfigError(wrong)
    return tuple(found)


def check_figures(conditions: tuple[Condition, ...], known: Iterable[str]) -> None:
    """Raise ConfigError for figures that are not among those that there will be."""
    there = sorted(known)
    unknown = sorted({c.figure for c in conditions} - set(there))
    if unknown:
        names = ", ".join(there)
        raise ConfigError([f"gate: there is no figure {name!r}; there are {names}" for name in unknown])


def failures(conditions: tuple[Condition, ...], figures: Mapping[str, float]) -> list[str]:
    """Return a line for every condition that does not hold. Raises ConfigError for an unknown figure."""
    check_figures(conditions, figures)
    return [f"{c} fails: {figures[c.figure]:.4g}" for c in conditions if not c.holds(figures)]
