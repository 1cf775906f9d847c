"""Left and removed things: what is one, and who attends it."""

from dataclasses import replace
from itertools import count

import pytest

from surveil.features.registry import RULES, build_rules
from surveil.features.things.finding import StaticObject, StaticThings
from surveil.types import Findings, Scene, Track
from tests.scenes import observation

BAG = (480.0, 400.0, 520.0, 440.0)


def rule_of(kind, **settings):
    made = RULES[kind].settings(type=kind, **{"after_s": 10.0, **settings})
    return build_rules([made], {"hall": ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))}, {})[0]


def scene(t, *tracks, box=BAG, kind="left", number=1, since=0.0):
    things = (StaticObject(number, kind, box, since),) if box else ()
    return Scene(replace(observation(t), findings=Findings([StaticThings(things)])), tracks)


def person(number, x, speed=0.0, stationary=False, label="person"):
    return Track(
        id=number,
        label=label,
        box=(x, 240.0, x + 80, 440.0),
        score=0.9,
        t_first=0.0,
        t_last=0.0,
        velocity=(speed, 0.0),
        stationary=stationary,
    )


def found(rule, scenes):
    """(t, key, since) of every signal."""
    return [(s.t, signal.key, signal.since) for s in scenes for signal in rule.signals(s)]


def test_a_thing_alone_is_left_after_a_while_since_it_was_alone():
    rule = rule_of("left_object")
    near = [scene(float(t), person(7, 400)) for t in range(20)]
    alone = [scene(float(t)) for t in range(20, 32)]
    assert found(rule, near + alone) == [(30.0, "picture/5-8", 20.0), (31.0, "picture/5-8", 20.0)]


def test_the_owner_is_named():
    rule = rule_of("left_object")
    for t in range(20):
        list(rule.signals(scene(float(t), person(7, 400), person(8, 900))))
    (signal,) = [s for t in range(20, 31) for s in rule.signals(scene(float(t)))]
    assert signal.track == 7
    assert signal.details["owner"] == 7
    assert signal.box == BAG


@pytest.mark.parametrize(("kind", "word"), [("left_object", "owner"), ("removed_object", "taken_by")])
def test_who_was_there_just_before_it_showed_is_named_though_he_is_gone(kind, word):
    rule = rule_of(kind)
    before = [scene(float(t), person(7, 400), person(8, 900), box=None) for t in range(3)]
    before += [
        scene(float(t), person(7, 400 + 120 * t, speed=120.0), person(8, 900), box=None) for t in range(3, 6)
    ]
    alone = [scene(float(t), person(8, 900), kind=kind.split("_")[0], since=6.0) for t in range(6, 17)]
    (signal,) = [s for one in before + alone for s in rule.signals(one)]
    assert (signal.track, signal.details[word]) == (7, 7)


@pytest.mark.parametrize(("kind", "word"), [("left_object", "owner"), ("removed_object", "taken_by")])
def test_nobody_is_named_for_having_been_far_away_or_there_long_ago(kind, word):
    rule = rule_of(kind)
    before = [scene(float(t), person(7, 400), box=None) for t in range(3)]
    before += [scene(float(t), person(8, 900), box=None) for t in range(3, 12)]
    alone = [scene(float(t), kind=kind.split("_")[0], since=12.0) for t in range(12, 23)]
    (signal,) = [s for one in before + alone for s in rule.signals(one)]
    assert (signal.track, signal.details[word]) == (None, None)


def test_who_walks_past_does_not_attend_it():
    rule = rule_of("left_object")
    passing = [scene(float(t), person(9, 100 + 60 * t, speed=150.0)) for t in range(12)]
    assert [t for t, _, _ in found(rule, passing)] == [10.0, 11.0]


def test_who_comes_back_and_stays_attends_it_again():
    rule = rule_of("left_object")
    script = [scene(float(t), *([person(7, 420)] if 12 <= t < 20 else [])) for t in range(25)]
    assert [t for t, _, _ in found(rule, script)] == [10, 11, 12, 13, 14, 15, 16]


@pytest.mark.parametrize("label", ["person", "car"])
def test_somebody_who_stands_still_is_no_thing_even_when_the_detector_loses_him(label):
    rule = rule_of("left_object")
    body = (400.0, 240.0, 480.0, 440.0)
    standing = [scene(float(t), person(7, 400, stationary=True, label=label), box=body) for t in range(3)]
    lost = [scene(float(t), box=body) for t in range(3, 30)]
    assert found(rule, standing + lost) == []


@pytest.mark.parametrize(
    ("settings", "box"),
    [
        ({"min_size": 0.1}, BAG),
        ({"max_size": 0.07}, BAG),
        ({"zone": "hall"}, (480.0, 100.0, 520.0, 140.0)),
        ({"classes": ("suitcase",)}, BAG),
    ],
)
def test_size_zone_and_class_hold_things_back(settings, box):
    assert found(rule_of("left_object", **settings), [scene(float(t), box=box) for t in range(20)]) == []


def test_a_thing_that_the_detector_knows_has_its_class():
    rule = rule_of("left_object", classes=("suitcase",))
    case = Track(id=3, label="suitcase", box=BAG, score=0.8, t_first=0.0, t_last=0.0, stationary=True)
    labels = [s.label for t in range(12) for s in rule.signals(scene(float(t), case))]
    assert labels == ["suitcase", "suitcase"]


def test_the_key_is_the_place_so_that_a_thing_found_anew_is_the_same_event():
    rule = rule_of("left_object", after_s=1.0)
    numbers = count(1)
    keys = {k for t in range(10) for _, k, _ in found(rule, [scene(float(t), number=next(numbers) // 4)])}
    assert keys == {"picture/5-8"}


def test_what_is_gone_for_long_enough_is_removed_since_it_was_missed():
    rule = rule_of("removed_object")
    gone = [scene(float(t), kind="removed", since=2.0) for t in range(2, 14)]
    assert found(rule, gone) == [(12.0, "picture/5-8", 2.0), (13.0, "picture/5-8", 2.0)]
    assert found(rule_of("removed_object"), [scene(float(t)) for t in range(30)]) == []


def test_a_scene_without_findings_has_no_things():
    assert found(rule_of("left_object"), [Scene(observation(1.0), (person(1, 300),))]) == []
