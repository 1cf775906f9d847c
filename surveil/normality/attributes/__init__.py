"""The attributes of motion that are learned per location, one file each: measure, prior, words.

Adding one is a file and a line in `ATTRIBUTES`. `OFFSETS` says how many decades of surprise an
attribute must exceed before it adds to the fused score: speed counts from its median on, presence beyond its
95 % quantile, the others beyond 99 %, because most things that are slightly unusual in them are not worth a look.
Compared on planted anomalies (docs/adr/0013-what-adds-up-to-a-surprise.md): with speed from 0 on, the sum was no
better than direction alone.
"""

from __future__ import annotations

from surveil.normality.attributes.base import Attribute, Finding
from surveil.normality.attributes.direction import DIRECTION
from surveil.normality.attributes.energy import ENERGY
from surveil.normality.attributes.speed import SPEED
from surveil.normality.attributes.static import STATIC
from surveil.normality.attributes.stay import STAY
from surveil.normality.hours import HOUR

ATTRIBUTES: dict[str, Attribute] = {
    "speed": SPEED,
    "static": STATIC,
    "direction": DIRECTION,
    "energy": ENERGY,
    "stay": STAY,
}
OBJECT = "object"
"""The attribute that comes from tracks instead of cells; see `surveil.normality.objects`."""
OFFSETS = dict.fromkeys((*ATTRIBUTES, OBJECT, HOUR), 2.0) | {"speed": 0.3, "static": 1.3}
NAMES = (*ATTRIBUTES, OBJECT, HOUR)
"""Everything that has a tail and adds to the score."""

__all__ = ["ATTRIBUTES", "HOUR", "NAMES", "OBJECT", "OFFSETS", "Attribute", "Finding"]
