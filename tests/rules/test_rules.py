"""Each rule says what is true in one scene, and nothing else."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.features.registry import RULES, build_rules
from surveil.types import Signal
from tests.scenes import scene, track

YARD = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))


def rule_of(kind, **settings):
    made = RULES[kind].settings(type=kind, **settings)
    lines = {"door": ((0.5, 0.0), (0.5, 1.0)), "kerb": ((0.0, 0.5), (1.0, 0.5))}
    return build_rules([made], {"yard": YARD}, lines)[0]


def keys(rule, *scenes):
    return [[signal.key for signal in rule.signals(one)] for one in scenes]


@pytest.mark.parametrize("kind", RULES)
def test_every_rule_has_a_description_for_every_setting(kind):
    for name, field in RULES[kind].settings.model_fields.items():
        assert name == "type" or field.description, name


def test_intrusion_is_about_feet_in_the_zone():
    rule = rule_of("intrusion", zone="yard")
    head_inside_only = track(1, 0.5, 0.95, height=400)
    assert keys(rule, scene(0, track(1, 0.5, 0.5)), scene(1, head_inside_only)) == [["yard/person"], []]


def test_intrusion_signals_once_per_class_with_the_surest_object():
    rule = rule_of("intrusion", zone="yard", classes=("person", "dog"))
    tracks = track(1, 0.4, 0.5, score=0.5), track(2, 0.5, 0.5, score=0.8), track(3, 0.6, 0.5, "dog")
    signals = list(rule.signals(scene(0, *tracks)))
    assert [(s.key, s.track) for s in signals] == [("yard/person", 2), ("yard/dog", 3)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ["yard/person"]),
        ({"min_score": 0.95}, []),
        ({"min_height": 0.3}, []),
        ({"max_height": 0.1}, []),
        ({"min_aspect": 0.5}, []),
        ({"max_aspect": 0.3}, []),
        ({"classes": ("car",)}, []),
    ],
)
def test_the_filter_of_objects(limits, expected):
    assert keys(rule_of("intrusion", zone="yard", **limits), scene(0, track(1, 0.5, 0.5))) == [expected]


def test_presence_needs_no_zone():
    assert keys(rule_of("presence"), scene(0, track(1, 0.9, 0.9)), scene(1)) == [["picture/person"], []]


def test_crowding_counts_and_boxes_the_crowd():
    rule = rule_of("crowding", zone="yard", count=2)
    few, many = scene(0, track(1, 0.3, 0.5)), scene(1, track(1, 0.3, 0.5), track(2, 0.7, 0.5))
    assert keys(rule, few, many) == [[], ["yard/crowd"]]
    assert next(iter(rule.signals(many))).box == (280, 150, 720, 250)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        ("intrusion", {"zone": "yard"}, {"key": "yard/person", "zone": "yard", "text": "person in yard"}),
        (
            "presence",
            {"zone": "yard"},
            {"key": "yard/person", "zone": "yard", "text": "person present in yard"},
        ),
        ("presence", {}, {"key": "picture/person", "zone": "", "text": "person present"}),
    ],
)
def test_a_signal_is_of_the_surest_object_of_its_class(kind, settings, told):
    outside, faint, sure = track(1, 0.1, 0.5, "dog"), track(2, 0.3, 0.5, score=0.6), track(3, 0.7, 0.5)
    tracks = (faint, sure) if kind == "presence" else (outside, faint, sure)
    (signal,) = rule_of(kind, **settings).signals(scene(0, *tracks))
    assert signal == Signal(rule=kind, score=0.9, label="person", track=3, box=(680, 150, 720, 250), **told)


@pytest.mark.parametrize(
    ("zone", "key", "text"),
    [("yard", "yard/crowd", "2 at once in yard"), (None, "picture/crowd", "3 at once")],
)
def test_a_crowd_is_as_sure_as_its_least_sure_member_and_is_of_those_in_the_zone(zone, key, text):
    tracks = track(2, 0.3, 0.5, score=0.6), track(3, 0.7, 0.6), track(1, 0.1, 0.5, "person", score=0.7)
    (signal,) = rule_of("crowding", zone=zone, count=2).signals(scene(0, *tracks))
    left = 280 if zone else 80
    assert signal == Signal(
        rule="crowding", key=key, score=0.6, label="person", zone=zone or "", box=(left, 150, 720, 300),
        text=text, details={"count": 2 if zone else 3},
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["intrusion", "presence", "crowding"])
def test_a_rule_waits_as_its_settings_say(kind):
    rule = rule_of(kind, zone="yard", after_s=7.5)
    assert (rule.after_s, rule.settings.type) == (7.5, kind)


def test_loitering_is_the_dwell_of_one_object_not_of_the_zone():
    rule = rule_of("loitering", zone="yard", after_s=10)
    changing = [scene(t, track(t, (0.3, 0.7)[t % 2], 0.5)) for t in range(20)]
    staying = [scene(t, track(99, 0.5, 0.5)) for t in range(40, 52)]
    assert keys(rule, *changing) == [[]] * 20
    assert keys(rule, *staying) == [[]] * 10 + [["yard/person"]] * 2


def test_loitering_survives_a_short_absence():
    rule = rule_of("loitering", zone="yard", after_s=10)
    found = keys(rule, *[scene(t, *([] if t in (4, 5) else [track(1, 0.5, 0.5)])) for t in range(12)])
    assert found[10:] == [["yard/person"]] * 2


def test_loitering_goes_on_when_the_id_of_somebody_who_stays_breaks():
    rule = rule_of("loitering", zone="yard", after_s=10)
    found = keys(rule, *[scene(t, track(1 if t < 6 else 2, 0.5, 0.5)) for t in range(12)])
    assert found[10:] == [["yard/person"]] * 2


def test_whoever_comes_through_the_same_door_later_is_somebody_else():
    rule = rule_of("loitering", zone="yard", after_s=10)
    found = keys(rule, *[scene(t, *([track(t // 10, 0.5, 0.5)] if t % 10 < 7 else [])) for t in range(40)])
    assert found == [[]] * 40


def test_loitering_is_since_the_entry_into_the_zone_not_into_the_picture():
    rule = rule_of("loitering", zone="yard", after_s=10)
    scenes = [scene(t, track(1, 0.1 if t < 20 else 0.5, 0.5)) for t in range(31)]
    signals = [s for one in scenes for s in rule.signals(one)]
    assert [(s.since, s.details["dwell_s"]) for s in signals] == [(20, 10)]


def walk(rule, *places, number=1):
    """Signals of somebody who is at these places, for two seconds each."""
    looks = [(2 * n + half, place) for n, place in enumerate(places) for half in (0, 1)]
    return [s.key for t, at in looks for s in rule.signals(scene(float(t), track(number, *at)))]


@pytest.mark.parametrize(
    ("line", "places", "expected"),
    [
        ("door", [(0.4, 0.5), (0.6, 0.5)], ["door/right"]),
        ("door", [(0.6, 0.5), (0.4, 0.5)], ["door/left"]),
        ("kerb", [(0.5, 0.3), (0.5, 0.7)], ["kerb/down"]),
        ("kerb", [(0.5, 0.7), (0.5, 0.3)], ["kerb/up"]),
        ("door", [(0.4, 0.5), (0.5, 0.5), (0.4, 0.5)], []),
        ("door", [(0.4, 0.5), (0.499, 0.5), (0.501, 0.5), (0.499, 0.6), (0.6, 0.6)], ["door/right"]),
        ("door", [(0.4, 0.5), (0.6, 0.5), (0.4, 0.5), (0.6, 0.5)], ["door/right", "door/left", "door/right"]),
        ("door", [(0.5, 0.2), (0.5, 0.4), (0.5, 0.9)], []),
    ],
)
def test_a_crossing_is_from_one_clear_side_to_the_other(line, places, expected):
    assert walk(rule_of("line_crossing", line=line), *places) == expected


def test_only_the_wanted_direction_is_signalled():
    rule = rule_of("line_crossing", line="door", direction="left")
    assert walk(rule, (0.4, 0.5), (0.6, 0.5), (0.4, 0.5)) == ["door/left"]


def test_where_nobody_was_found_is_no_place_to_settle():
    """A track that was overlooked stays at the place that was foreseen for it, however wrong that was."""
    rule = rule_of("line_crossing", line="door")
    assert walk(rule, (0.4, 0.5)) == []
    there = replace(track(1, 0.6, 0.5), guessed=True)
    assert [s.key for t in range(2, 8) for s in rule.signals(scene(float(t), there))] == []
    assert [s.key for t in (8, 9) for s in rule.signals(scene(float(t), track(1, 0.6, 0.5)))] == [
        "door/right"
    ]


def test_going_round_the_end_of_a_line_is_no_crossing():
    made = RULES["line_crossing"].settings(type="line_crossing", line="short")
    rule = build_rules([made], {}, {"short": ((0.5, 0.4), (0.5, 0.6))})[0]
    assert walk(rule, (0.4, 0.9), (0.6, 0.9)) == []


@given(st.lists(st.floats(0.05, 0.95), min_size=2, max_size=40))
def test_crossings_alternate_and_end_on_the_side_where_the_walker_is(xs):
    rule = rule_of("line_crossing", line="door")
    crossed = [key.rpartition("/")[2] for key in walk(rule, *[(x, 0.5) for x in xs])]
    assert all(a != b for a, b in pairwise(crossed))
    if crossed and abs(xs[-1] - 0.5) * 1000 >= 300:
        assert crossed[-1] == ("right" if xs[-1] > 0.5 else "left")
