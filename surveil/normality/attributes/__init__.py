"""The attributes of motion that are learned per location, one file each: measure, prior, words.

Adding one is a file and a line in `ATTRIBUTES`. `OFFSETS` says how many decades of surprise an
attribute must exceed before it adds to the fused score: speed counts from the first, the others only
in their tails, because most things that are slightly unusual in them are not worth a look.
"""

from __future__ import annotations

from surveil.normality.attributes.base import Attribute, Finding
from surveil.normality.attributes.direction import DIRECTION
from surveil.normality.attributes.energy import ENERGY
from surveil.normality.attributes.speed import SPEED
from surveil.normality.attributes.static import STATIC

ATTRIBUTES: dict[str, Attribute] = {
    "speed": SPEED,
    "static": STATIC,
    "direction": DIRECTION,
    "energy": ENERGY,
}
OBJECT = "object"
"""The attribute that comes from tracks instead of cells; see `surveil.normality.objects`."""
OFFSETS = {"speed": 0.0, "static": 1.3, "direction": 2.0, "energy": 2.0, OBJECT: 2.0}

__all__ = ["ATTRIBUTES", "OBJECT", "OFFSETS", "Attribute", "Finding"]
