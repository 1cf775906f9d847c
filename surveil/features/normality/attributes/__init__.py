"""The attributes of motion that are learned per location, one file each: measure, prior, words.

Adding one is a file and a line in `ATTRIBUTES`. `SHARES` says how much each counts in the fused score: speed,
direction and energy are three views of one movement, presence and stay two of what stands there, and presence is the
one that light disturbs. `OFFSETS` says from how many decades on a surprise counts in full rather than half: speed from
60 % on, the others beyond 99 %. `EPISODES` says after how many independent episodes an attribute has half of its say:
places and shapes of a few visitors say little about those of the next. Compared on planted anomalies
(docs/adr/0013-what-adds-up-to-a-surprise.md, docs/adr/0016-thresholds-that-the-footage-counts.md).
"""

from __future__ import annotations

from surveil.features.normality.attributes.base import Attribute, AttributeScore
from surveil.features.normality.attributes.direction import DIRECTION
from surveil.features.normality.attributes.energy import ENERGY
from surveil.features.normality.attributes.shape import SHAPE
from surveil.features.normality.attributes.speed import SPEED
from surveil.features.normality.attributes.static import STATIC
from surveil.features.normality.attributes.stay import STAY
from surveil.features.normality.hours import HOUR
from surveil.features.normality.rare import PLACE

ATTRIBUTES: dict[str, Attribute] = {
    "speed": SPEED,
    "static": STATIC,
    "direction": DIRECTION,
    "energy": ENERGY,
    "stay": STAY,
    "shape": SHAPE,
}
OBJECT = "object"
"""The attribute that comes from tracks instead of cells; see `surveil.features.normality.objects`."""
NAMES = (*ATTRIBUTES, OBJECT, HOUR, PLACE)
"""Everything that has a tail and adds to the score."""
SHARES = dict.fromkeys(NAMES, 0.5) | {
    "speed": 1.0,
    "static": 0.1,
    "direction": 0.25,
    "energy": 0.6,
    "stay": 0.75,
}
OFFSETS = dict.fromkeys(NAMES, 2.0) | {"speed": 0.4}
EPISODES = dict.fromkeys(NAMES, 5.0) | {"shape": 80.0, PLACE: 80.0}

__all__ = [
    "ATTRIBUTES",
    "EPISODES",
    "HOUR",
    "NAMES",
    "OBJECT",
    "OFFSETS",
    "PLACE",
    "SHARES",
    "Attribute",
    "AttributeScore",
]
