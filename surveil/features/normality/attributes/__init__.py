"""The attributes of motion that are learned per location, one file each: measure, prior, words.

Adding one is a file and a line in `ATTRIBUTES`. `SHARES` says how much each counts in the fused score: speed,
direction and energy are three views of one movement, presence and stay two of what stands there, and presence is the
one that light disturbs. `OFFSETS` says from how many decades on a surprise counts in full rather than half: speed from
its median on, the others beyond 99 %. Compared on planted anomalies
(docs/adr/0013-what-adds-up-to-a-surprise.md).
"""

from __future__ import annotations

from surveil.features.normality.attributes.base import Attribute, AttributeScore
from surveil.features.normality.attributes.direction import DIRECTION
from surveil.features.normality.attributes.energy import ENERGY
from surveil.features.normality.attributes.speed import SPEED
from surveil.features.normality.attributes.static import STATIC
from surveil.features.normality.attributes.stay import STAY
from surveil.features.normality.hours import HOUR

ATTRIBUTES: dict[str, Attribute] = {
    "speed": SPEED,
    "static": STATIC,
    "direction": DIRECTION,
    "energy": ENERGY,
    "stay": STAY,
}
OBJECT = "object"
"""The attribute that comes from tracks instead of cells; see `surveil.features.normality.objects`."""
NAMES = (*ATTRIBUTES, OBJECT, HOUR)
"""Everything that has a tail and adds to the score."""
SHARES = dict.fromkeys(NAMES, 0.5) | {"speed": 1.0, "static": 0.25}
OFFSETS = dict.fromkeys(NAMES, 2.0) | {"speed": 0.3}

__all__ = ["ATTRIBUTES", "HOUR", "NAMES", "OBJECT", "OFFSETS", "SHARES", "Attribute", "AttributeScore"]
