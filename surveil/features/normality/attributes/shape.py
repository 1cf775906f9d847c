"""Shape: how wide for their height the silhouettes are: a wheelchair, a cart or a bicycle where people walk."""

from __future__ import annotations

from math import exp

from surveil.features.normality.attributes.base import Attribute, AttributeScore
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import BoolMap, Floats
from surveil.wording import Said, say


def shape(features: Features) -> Floats:
    """Return ln(width / height) of what is in the window (1, rows, columns)."""
    return features.shape[None]


def filled(features: Features) -> BoolMap | None:
    """Return the cells that have a silhouette; None: none has."""
    return features.filled


def _words(finding: AttributeScore) -> Said:
    wider = exp(finding.measured[0] - finding.usual[0])
    return say("{wider:.1f} × as wide for its height as is usual here", wider=wider)


SHAPE = Attribute(
    name="shape",
    values=shape,
    active=filled,
    score=Usual.excess,
    prior=Usual.prior((-0.7,), (0.5,), (0.05,)),
    words=_words,
)
