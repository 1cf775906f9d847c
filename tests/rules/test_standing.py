"""Who has just come to stand on a line, and whose legs something hides, has not crossed it.

The box of somebody new says little yet: neither how much it jitters nor how tall he is.
"""

from dataclasses import replace

import numpy as np
import pytest

from surveil.rules.base import Places
from surveil.rules.line_crossing import LineCrossing, LineCrossingSettings
from tests.scenes import scene, track

STANDS_S, HIDDEN_S, HIDDEN_PX = 4.0, 2.0, 40.0
STANDS = 100


def crossings(seed, jitter_px, fps):
    """Crossings of somebody 100 px tall who stands on a level line; boxes are filtered as a tracker's are."""
    rule = LineCrossing(LineCrossingSettings(line="kerb"), Places({}, {"kerb": ((0.0, 0.5), (1.0, 0.5))}))
    dice, stands, count = np.random.default_rng(seed), track(1, 0.5, 0.5), 0
    whole = box = np.array(stands.box)
    for look in range(round(STANDS_S * fps)):
        t = look / fps
        hidden = np.array([0.0, 0.0, 0.0, HIDDEN_PX * (t > STANDS_S - HIDDEN_S)])
        box = (box + whole - hidden + dice.normal(0, jitter_px, 4)) / 2
        seen = replace(stands, box=tuple(box.tolist()))
        count += len(list(rule.signals(scene(t, seen))))
    return count


@pytest.mark.parametrize("fps", [2.5, 5.0, 10.0])
def test_whoever_has_just_come_to_a_line_and_stands_on_it_has_not_crossed(fps):
    assert sum(crossings(seed, 10.0, fps) for seed in range(STANDS)) == 0


def test_a_second_id_of_whoever_stands_on_a_line_has_not_crossed_it_either():
    rule = LineCrossing(LineCrossingSettings(line="kerb"), Places({}, {"kerb": ((0.0, 0.5), (1.0, 0.5))}))
    dice, whole = np.random.default_rng(3), np.array(track(1, 0.5, 0.5).box)
    first = [
        replace(track(1, 0.5, 0.5), box=tuple((whole + dice.normal(0, 10, 4)).tolist())) for _ in range(30)
    ]
    shown = {look * 0.4: [one] for look, one in enumerate(first)}
    for t, by in ((12.0, -14.0), (12.4, 11.0), (15.6, 71.0)):
        second = replace(track(2, 0.5, 0.5), box=tuple((whole + np.array([0, by, 0, by])).tolist()))
        shown[t] = [first[-1], second]
    assert [signal for t, tracks in shown.items() for signal in rule.signals(scene(t, *tracks))] == []
