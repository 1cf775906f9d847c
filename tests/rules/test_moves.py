"""Speed on the ground and the way somebody goes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from surveil.features.registry import RULES, build_rules
from surveil.rules.moves import Moves
from surveil.types import Signal
from tests.scenes import scene, track

ROAD = {"road": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}
FLAT = {"points": [[0, 0], [1, 0], [1, 1], [0, 1]], "metres": [[0, 0], [50, 0], [50, 25], [0, 25]]}
STEEP = {"points": [[0.4, 0.2], [0.6, 0.2], [1, 1], [0, 1]], "metres": [[0, 40], [8, 40], [8, 0], [0, 0]]}


def rule_of(kind, **settings):
    made = RULES[kind].settings(type=kind, zone="road", **settings)
    return build_rules([made], ROAD, {})[0]


def drive(rule, speed, fps=5.0, until=4.0, start=(0.1, 0.5), jitter=0.0):
    """Signals of somebody who moves `speed` = fractions of the frame a second."""
    found = []
    for i in range(round(until * fps)):
        t = i / fps
        x = start[0] + speed[0] * t + jitter * math.sin(7 * i)
        found += rule.signals(scene(t, track(1, x, start[1] + speed[1] * t)))
    return found


@pytest.mark.parametrize("fps", [2.0, 5.0, 15.0])
def test_speed_is_in_km_h_on_the_ground_at_any_frame_rate(fps):
    signals = drive(rule_of("speed", scale=FLAT, min_kmh=20), (0.2, 0.0), fps)
    assert signals[-1].details["kmh"] == pytest.approx(36.0, abs=0.5)
    assert signals[-1].text == "person in road at 36 km/h"


def test_a_signal_of_speed_says_who_where_and_how_fast():
    rule = rule_of("speed", scale=FLAT, min_kmh=20, after_s=2.5)
    assert (rule.after_s, rule.settings.type) == (2.5, "speed")
    signal = drive(rule, (0.2, 0.0))[-1]
    assert replace(signal, box=tuple(map(round, signal.box))) == Signal(
        rule="speed", key="road/person", score=0.9, label="person", zone="road", track=1,
        box=(840, 150, 880, 250), text="person in road at 36 km/h", details={"kmh": 36.0},
    )  # fmt: skip


def test_only_who_is_in_the_zone_is_timed():
    made = RULES["speed"].settings(type="speed", zone="kerb", scale=FLAT, min_kmh=20)
    rule = build_rules([made], {"kerb": ((0.0, 0.8), (1.0, 0.8), (1.0, 1.0), (0.0, 1.0))}, {})[0]
    assert drive(rule, (0.2, 0.0)) == []
    assert drive(rule, (0.2, 0.0), start=(0.1, 0.9)) != []


def test_perspective_is_taken_out():
    far = drive(rule_of("speed", scale=STEEP, min_kmh=1), (0.02, 0.0), start=(0.45, 0.2))
    near = drive(rule_of("speed", scale=STEEP, min_kmh=1), (0.1, 0.0), start=(0.1, 1.0))
    assert far[-1].details["kmh"] == pytest.approx(2.9, abs=0.1)
    assert near[-1].details["kmh"] == pytest.approx(2.9, abs=0.1)


def test_the_jitter_of_a_box_is_no_sprint():
    assert drive(rule_of("speed", scale=FLAT, min_kmh=9), (0.02, 0.0), jitter=0.004) == []


def test_too_slow_can_be_an_event_too():
    rule = rule_of("speed", scale=FLAT, max_kmh=2.0)
    assert drive(rule, (0.0, 0.0)) != []
    assert drive(rule_of("speed", scale=FLAT, max_kmh=2.0), (0.1, 0.0)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": {"points": [[0, 0], [0.5, 0.5], [1, 1], [0, 1]], "metres": FLAT["metres"]}},
        {"scale": {"points": FLAT["points"], "metres": [[0, 0]] * 4}},
        {"scale": {"points": FLAT["points"][:3], "metres": FLAT["metres"]}},
        {"scale": FLAT, "min_kmh": 50, "max_kmh": 20},
    ],
)
def test_a_scale_that_is_none_is_refused(wrong):
    with pytest.raises(ValidationError):
        rule_of("speed", **wrong)


ARROW = ((0.1, 0.5), (0.9, 0.5))


@pytest.mark.parametrize(
    ("speed", "wrong"),
    [
        ((0.1, 0.0), False),
        ((-0.1, 0.0), True),
        ((0.0, 0.2), False),
        ((-0.1, 0.02), True),
        ((0.0, 0.0), False),
    ],
)
def test_wrong_is_what_goes_against_the_arrow(speed, wrong):
    assert bool(drive(rule_of("wrong_way", way=ARROW), speed, start=(0.6, 0.3))) is wrong


def test_a_signal_of_the_wrong_way_says_who_and_where():
    rule = rule_of("wrong_way", way=ARROW, after_s=2.5)
    assert (rule.after_s, rule.settings.type) == (2.5, "wrong_way")
    signal = drive(rule, (-0.1, 0.0), start=(0.6, 0.5))[-1]
    assert replace(signal, box=tuple(map(round, signal.box))) == Signal(
        rule="wrong_way", key="road/person", score=0.9, label="person", zone="road", track=1,
        box=(200, 150, 240, 250), text="person in road goes the wrong way",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("way", "speed", "wrong"),
    [
        # 1000 × 500 px: the arrow goes 400 px right and 400 px down.
        (((0.1, 0.1), (0.5, 0.9)), (-0.1, 0.0), True),
        (((0.1, 0.1), (0.5, 0.9)), (-0.1, 0.08), False),
        (((0.1, 0.1), (0.5, 0.9)), (0.0, -0.1), True),
        (((0.1, 0.1), (0.5, 0.9)), (0.04, -0.2), False),
        (((0.5, 0.9), (0.1, 0.1)), (0.1, 0.1), True),
    ],
)
def test_the_arrow_and_the_way_are_compared_in_pixels(way, speed, wrong):
    assert bool(drive(rule_of("wrong_way", way=way), speed, start=(0.5, 0.5), until=2.0)) is wrong


def test_who_hardly_moves_goes_no_way():
    """He is 100 px high; less than .15 of that a second is jitter."""
    for share, wrong in ((0.012, False), (0.018, True)):
        assert bool(drive(rule_of("wrong_way", way=ARROW), (-share, 0.0), start=(0.6, 0.5))) is wrong


def test_who_turns_round_is_wrong_after_a_moment_not_at_once():
    rule, found = rule_of("wrong_way", way=ARROW), []
    for i in range(40):
        t = i / 5
        x = 0.3 + 0.1 * t if t < 4 else 0.7 - 0.1 * (t - 4)
        found += [t for _ in rule.signals(scene(t, track(1, x, 0.5)))]
    assert 4.6 <= found[0] <= 5.4


def test_an_arrow_needs_a_direction():
    with pytest.raises(ValidationError, match="the same"):
        rule_of("wrong_way", way=((0.5, 0.5), (0.5, 0.5)))


WHO = track(1, 0.0, 0.0)
OTHER = track(2, 0.0, 0.0)


def followed(*times, where=lambda t: (3.0 * t, -2.0 * t)):
    """Somebody who was seen at these times (s)."""
    moves = Moves()
    for t in times:
        moves.update([(WHO, where(t))], t)
    return moves


def test_velocity_is_the_slope_of_a_line_through_the_places_of_the_last_moments():
    def where(t):
        return (t**2, 7.0 - math.sqrt(t))

    times = (0.0, 0.4, 0.9, 1.0, 1.7, 2.0, 2.3)
    # Of what is older than 1.5 s, the last place is kept: the line covers the whole window.
    window = times[1:]
    expected = [np.polyfit(window, [where(t)[axis] for t in window], 1)[0] for axis in (0, 1)]
    assert followed(*times, where=where).velocity(1) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("times", "is_told"),
    [
        ((), False),
        ((0.0, 1.0), False),
        ((0.0, 0.5, 0.7), False),
        ((0.0, 0.5, 0.8), True),
        ((10.0, 10.5, 11.0), True),
        # Seen rarely: three places are kept, however old.
        ((0.0, 1.0, 2.5), True),
        ((0.0, 2.0, 4.0), True),
        ((0.0, 2.0, 4.0, 4.1), True),
    ],
)
def test_velocity_is_told_of_three_places_and_most_of_a_second(times, is_told):
    velocity = followed(*times).velocity(1)
    assert velocity == (pytest.approx((3.0, -2.0)) if is_told else None)


@pytest.mark.parametrize("fps", [0.25, 0.5, 0.6, 0.7, 1.0])
def test_rare_pictures_show_who_goes_the_wrong_way_and_how_fast(fps):
    assert drive(rule_of("wrong_way", way=ARROW), (-0.05, 0.0), fps, until=15.0, start=(0.9, 0.5)) != []
    signals = drive(rule_of("speed", scale=FLAT, min_kmh=5), (0.05, 0.0), fps, until=15.0)
    assert signals[-1].details["kmh"] == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize(("away_s", "is_known"), [(5.0, True), (5.1, False)])
def test_who_is_away_for_longer_than_five_seconds_is_forgotten(away_s, is_known):
    moves = followed(0.0, 0.5, 1.0)
    moves.update([(OTHER, (0.0, 0.0))], 1.0 + away_s)
    assert (moves.velocity(1) is not None) is is_known


def test_all_are_forgotten_when_the_camera_was_lost():
    moves = followed(0.0, 0.5, 1.0)
    moves.clear()
    assert moves.velocity(1) is None
