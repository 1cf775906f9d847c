"""Static foreground: how much of a window differs from the background, whether it moves or not."""

from __future__ import annotations

from surveil.features.normality.attributes.base import Attribute, AttributeScore, ratio_words
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import BoolMap, Floats
from surveil.wording import Said, say


def foreground(features: Features) -> Floats:
    """Return the share of the window that is not background (1, rows, columns)."""
    return features.ground[None]


def occupied(features: Features) -> BoolMap | None:
    """Return the cells where something is, moving or not; None: nowhere."""
    return features.occupied


def _words(finding: AttributeScore) -> Said:
    return ratio_words(finding, say("presence"))


STATIC = Attribute(
    name="static",
    values=foreground,
    active=occupied,
    score=Usual.excess,
    prior=Usual.prior((0.2,), (0.2,), (1e-3,)),
    words=_words,
)
