"""What an attribute of motion is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import BoolMap, Floats
from surveil.wording import Said, say


@dataclass(frozen=True, slots=True)
class AttributeScore:
    """One attribute at one cell: what was measured and what is usual there, in the attribute's units."""

    measured: tuple[float, ...]
    usual: tuple[float, ...]
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A measure per cell with its prior, its meaning and its words."""

    name: str
    values: Callable[[Features], Floats]
    """(d, rows, columns) float32."""
    active: Callable[[Features], BoolMap | None]
    """Cells where the measure means something; None: nowhere."""
    score: Callable[[Usual, Floats], Floats]
    """How unusual, (rows, columns): standard deviations."""
    prior: Usual
    words: Callable[[AttributeScore], Said]
    """A clause such as “4.1 × the usual speed here”."""

    @property
    def dimensions(self) -> int:
        """Components of the measure."""
        return len(self.prior.mean)


def ratio_words(finding: AttributeScore, what: Said) -> Said:
    """Return “3.2 × the usual WHAT here”, or words for a place where next to nothing is usual."""
    measured, usual = finding.measured[0], finding.usual[0]
    if usual <= 1e-3 or measured / usual > 20:
        return say("{what} where there is hardly any", what=what)
    return say("{ratio:.1f} × the usual {what} here", ratio=measured / usual, what=what)
