"""Energy: how strongly the picture changes where something moves: fights, falls, fire, big near things."""

from __future__ import annotations

from surveil.features.normality.attributes.base import Attribute, AttributeScore, ratio_words
from surveil.features.normality.attributes.speed import moving
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import Floats
from surveil.wording import Said, say


def energy(features: Features) -> Floats:
    """Return the mean luma change (1, rows, columns), tens of luma steps."""
    return features.energy[None]


def _words(finding: AttributeScore) -> Said:
    return ratio_words(finding, say("commotion"))


ENERGY = Attribute(
    name="energy",
    values=energy,
    active=moving,
    score=Usual.excess,
    prior=Usual.prior((0.5,), (1.0,), (0.01,)),
    words=_words,
)
