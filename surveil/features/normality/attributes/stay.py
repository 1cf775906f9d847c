"""Stay: foreground that has been there for a while, such as a person who stands still or an object left behind."""

from __future__ import annotations

from surveil.features.normality.attributes.base import Attribute, AttributeScore, ratio_words
from surveil.features.normality.attributes.static import occupied
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import Floats
from surveil.wording import Said, say


def lasting(features: Features) -> Floats:
    """Return the share of the window that has not been background for some seconds (1, rows, columns)."""
    return features.stay[None]


def _words(finding: AttributeScore) -> Said:
    return ratio_words(finding, say("stay"))


STAY = Attribute(
    name="stay",
    values=lasting,
    active=occupied,
    score=Usual.excess,
    prior=Usual.prior((0.1,), (0.2,), (1e-3,)),
    words=_words,
)
