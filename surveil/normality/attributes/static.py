"""Static foreground: how much of a window differs from the background, whether it moves or not."""

from __future__ import annotations

import numpy as np

from surveil.normality.attributes.base import Attribute, Finding, ratio_words
from surveil.normality.cells import Usual
from surveil.normality.features import ACTIVE, Features
from surveil.types import BoolMap, Floats

MIN_GROUND = 0.3


def foreground(features: Features) -> Floats:
    """Return the share of the window that is not background (1, rows, columns)."""
    return features.ground[None]


def occupied(features: Features) -> BoolMap:
    """Return the cells where something is, moving or not."""
    return np.asarray((features.cover > ACTIVE) | (features.ground > MIN_GROUND), np.bool_)


def _words(finding: Finding) -> str:
    return ratio_words(finding, "presence")


STATIC = Attribute("static", foreground, occupied, Usual.excess, Usual.prior((0.2,), (0.2,), (1e-3,)), _words)
