"""Direction: the velocity vector against the usual ones of the place (Mahalanobis distance).

Where everything goes one way, something that comes against it is far away; where people go both ways
the spread covers both, and only odd directions and speeds remain.
"""

from __future__ import annotations

import math

from surveil.features.normality.attributes.base import Attribute, AttributeScore
from surveil.features.normality.attributes.speed import moving
from surveil.features.normality.cells import Usual
from surveil.features.normality.features import Features
from surveil.types import Floats
from surveil.wording import Said, say

_NAMES = (
    say("right"),
    say("down to the right"),
    say("down"),
    say("down to the left"),
    say("left"),
    say("up to the left"),
    say("up"),
    say("up to the right"),
)


def velocity(features: Features) -> Floats:
    """Return the coverage-weighted velocity (2, rows, columns), px of the plane per second."""
    return features.velocity


def direction_name(vx: float, vy: float) -> Said:
    """Return the direction on the picture in words."""
    return _NAMES[round(math.atan2(vy, vx) / (math.pi / 4)) % 8]


def _words(finding: AttributeScore) -> Said:
    here = direction_name(*finding.measured)
    if math.hypot(*finding.usual) < 0.5 * finding.sd:
        return say("an unusual movement {here}", here=here)
    return say("moves {here} where {usual} is usual", here=here, usual=direction_name(*finding.usual))


DIRECTION = Attribute(
    name="direction",
    values=velocity,
    active=moving,
    score=Usual.distance,
    prior=Usual.prior((0.0, 0.0), (10.0, 10.0), (10.0, 10.0)),
    words=_words,
)
