"""What goes a way of its own through a zone is told of, whatever the model says; and rules with `classes: [any]`."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from surveil.features.perimeter.rule import PerimeterSettings
from surveil.features.registry import FEATURES, RULES, build_rules
from surveil.rules.intrusion import IntrusionSettings
from surveil.rules.movers import FIRST_ID, Mover, Movers
from surveil.types import Findings, Scene, Track
from tests.scenes import observation

ZONES = {"yard": ((0.2, 0.0), (0.8, 0.0), (0.8, 1.0), (0.2, 1.0))}
LINES = {"door": ((0.5, 0.0), (0.5, 1.0))}


def rule_of(kind, **settings):
    return build_rules([RULES[kind].settings(type=kind, **settings)], ZONES, LINES)[0]


def box(x, y=300.0, length=100.0):
    return (x - length / 2, y - 40, x + length / 2, y)


def mover(*xs, number=1, t=0.0):
    """Something 100 px long that was at these x, 0.2 s apart."""
    path = tuple((t + i / 5, float(x), 300.0) for i, x in enumerate(xs))
    return Mover(id=number, box=box(xs[-1]), length=100.0, path=path)


def seen(t, *movers, tracks=()):
    return Scene(
        replace(observation(t), findings=Findings([Movers(movers)] if movers else [])), tuple(tracks)
    )


def track(x, label, score=0.9, number=1, **kind):
    return Track(id=number, label=label, box=box(x), score=score, t_first=0.0, t_last=0.0, **kind)


def keys(rule, *scenes):
    return [[signal.key for signal in rule.signals(scene)] for scene in scenes]


def test_a_way_through_the_zone_is_an_intrusion_of_an_object():
    (signal,) = rule_of("perimeter", zone="yard").signals(seen(1.0, mover(*range(300, 540, 20))))
    assert (signal.key, signal.label, signal.zone, signal.track) == ("yard", "object", "yard", None)
    assert signal.details == {"way": 2.2, "unit": "of its length", "objects": 1}


@pytest.mark.parametrize(
    "xs",
    [range(300, 420, 20), range(-60, 300, 20), range(700, 1000, 20)],
    ids=["too short", "hardly in it", "left it"],
)
def test_less_of_a_way_in_the_zone_is_none(xs):
    assert keys(rule_of("perimeter", zone="yard"), seen(1.0, mover(*xs))) == [[]]


def test_the_least_way_can_be_given_in_lengths_and_in_metres():
    scale = {"points": [[0, 0], [1, 0], [1, 1], [0, 1]], "metres": [[0, 0], [10, 0], [10, 5], [0, 5]]}
    scene = seen(1.0, mover(*range(300, 560, 20)))
    assert keys(rule_of("perimeter", zone="yard", distance=3), scene) == [[]]
    assert keys(rule_of("perimeter", zone="yard", metres=2.0, scale=scale), scene) == [["yard"]]
    assert keys(rule_of("perimeter", zone="yard", metres=3.0, scale=scale), scene) == [[]]
    with pytest.raises(ValidationError, match="belong together"):
        PerimeterSettings(zone="yard", metres=2.0)


def walk(rule, label, score=0.9, **kind):
    """The signals of a track of a class that crosses the zone."""
    return [
        s
        for i in range(30)
        for s in rule.signals(seen(i / 5, tracks=[track(20 * i + 150, label, score, **kind)]))
    ]


@pytest.mark.parametrize(
    ("label", "score", "is_told"),
    [
        ("person", 0.3, True),
        ("chair", 0.9, True),
        ("dog", 0.9, False),
        ("dog", 0.5, True),
        ("truck", 0.7, False),
    ],
)
def test_a_track_is_told_of_unless_the_model_is_sure_that_it_is_left_out(label, score, is_told):
    assert bool(walk(rule_of("perimeter", zone="yard"), label, score)) == is_told
    assert walk(rule_of("perimeter", zone="yard", ignore=[]), label, score)


def test_what_stands_still_has_no_way():
    assert walk(rule_of("perimeter", zone="yard"), "person", stationary=True) == []


@pytest.mark.parametrize(("label", "expected"), [("dog", []), ("person", ["person"]), ("bench", ["bench"])])
def test_a_mover_is_what_the_model_is_sure_of(label, expected):
    xs = range(300, 540, 20)
    scene = seen(1.0, mover(*xs), tracks=[track(xs[-1], label)])
    assert [s.label for s in rule_of("perimeter", zone="yard").signals(scene)] == expected


def test_one_animal_beside_somebody_who_crawls_does_not_hide_him():
    one, other = mover(*range(300, 540, 20)), mover(*range(500, 780, 20), number=2)
    scene = seen(1.0, one, other, tracks=[track(520, "dog")])
    (signal,) = rule_of("perimeter", zone="yard").signals(scene)
    assert signal.box == other.box


def test_any_takes_every_class_and_what_the_model_does_not_know():
    rule = rule_of("intrusion", zone="yard", classes=["any"])
    scene = seen(1.0, mover(*range(300, 540, 20)), tracks=[track(600, "chair"), track(700, "dog", number=2)])
    assert sorted(s.label for s in rule.signals(scene)) == ["chair", "object"]
    assert [s.track for s in rule.signals(scene) if s.label == "object"] == [FIRST_ID + 1]
    named = rule_of("intrusion", zone="yard", classes=["any", "dog"])
    assert sorted(s.label for s in named.signals(scene)) == ["chair", "dog", "object"]


def test_an_object_that_has_a_track_is_not_counted_twice():
    rule = rule_of("crowding", zone="yard", classes=["any"], count=2)
    one = mover(*range(300, 540, 20))
    assert keys(rule, seen(1.0, one, tracks=[track(520, "person")]), seen(1.2, one, tracks=[track(700, "person")])) == [
        [], ["yard/crowd"],
    ]  # fmt: skip


def test_what_the_model_does_not_know_crosses_lines_too():
    rule = rule_of("line_crossing", line="door", classes=["any"])
    found = [
        signal.key
        for n in range(2, 40)
        for signal in rule.signals(seen(n / 5, mover(*range(300, 300 + 15 * n, 15))))
    ]
    assert found == ["door/right"]


def test_without_any_nothing_but_the_classes_counts():
    rule = rule_of("intrusion", zone="yard")
    assert keys(rule, seen(1.0, mover(*range(300, 540, 20)), tracks=[track(600, "chair")])) == [[]]


class Camera:
    """What a feature may know of a camera."""

    name, zones, lines, unstored, masks = "gate", ZONES, LINES, (), {}

    def __init__(self, *rules):
        from surveil.detect.settings import DetectSettings

        self.rules, self.detect = rules, DetectSettings()


def test_nothing_looks_where_no_rule_wants_it():
    needs = FEATURES["perimeter"].needs
    assert needs(Camera(IntrusionSettings(zone="yard"))) is None
    assert needs(Camera(IntrusionSettings(zone="yard", classes=("any",)))) is not None
    assert needs(Camera(PerimeterSettings(zone="yard"))) is not None
