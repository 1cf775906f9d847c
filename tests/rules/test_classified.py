"""The rule reads what a classifier saw; between two looks it remembers the last one."""

from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from surveil.features.classify.finding import Classifications
from surveil.features.classify.rule import Classified, ClassifiedSettings
from surveil.rules.base import Places
from surveil.types import Findings, Frame, Observation, Scene, Track


@dataclass(frozen=True)
class Finding:
    scores: dict
    on: str = "frame"
    model: str = "helmet"
    zone: str = ""
    track: int | None = None
    box: tuple = (0.0, 0.0, 10.0, 10.0)
    thresholds: dict = field(default_factory=dict)
    version: str = "v"


def rule(**settings):
    return Classified(ClassifiedSettings(**{"model": "helmet", "class": "missing", **settings}), Places())


def scene(t, *findings, tracks=()):
    frame = Frame(camera="yard", seq=0, t=t, t_wall=t, picture=None)
    return Scene(
        Observation(
            frame=frame, width=320, height=240, findings=Findings([Classifications(tuple(findings))])
        ),
        tracks,
    )


def seen(a_rule, *scenes):
    return [[(s.key, round(s.score, 2)) for s in a_rule.signals(one)] for one in scenes]


def track(number, label="person"):
    return Track(id=number, label=label, box=(0.0, 0.0, 10.0, 20.0), score=0.9, t_first=0.0, t_last=0.0)


def test_a_class_seen_at_one_look_counts_until_the_next_is_overdue():
    found = seen(rule(), scene(0.0, Finding({"missing": 0.8})), scene(0.5), scene(1.4), scene(1.6))
    assert found == [[("helmet/missing/picture", 0.8)]] * 3 + [[]]


def test_a_look_that_no_longer_sees_the_class_ends_it_at_once():
    found = seen(rule(), scene(0.0, Finding({"missing": 0.8})), scene(0.5, Finding({"missing": 0.2})))
    assert found == [[("helmet/missing/picture", 0.8)], []]


def test_the_threshold_is_the_settings_or_the_models_or_a_half():
    sure = Finding({"missing": 0.6}, thresholds={"missing": 0.7})
    assert seen(rule(), scene(0.0, sure)) == [[]]
    assert seen(rule(min_score=0.55), scene(0.0, sure)) == [[("helmet/missing/picture", 0.6)]]
    assert seen(rule(), scene(0.0, Finding({"missing": 0.51}))) == [[("helmet/missing/picture", 0.51)]]


def test_other_models_places_and_zones_are_not_its_business():
    others = (Finding({"missing": 1.0}, model="gate"), Finding({"missing": 1.0}, on="zone", zone="yard"))
    assert seen(rule(), scene(0.0, *others)) == [[]]
    assert seen(rule(on="zone", zone="yard"), scene(0.0, *others)) == [[("helmet/missing/yard", 1.0)]]
    assert seen(rule(on="zone", zone="door"), scene(0.0, *others)) == [[]]


def test_each_followed_object_of_the_classes_is_an_episode_of_its_own():
    findings = [Finding({"missing": 0.9}, on="track", track=n) for n in (1, 2, 3)]
    tracks = (track(1), track(2), track(3, "dog"))
    watching = rule(on="track")
    assert seen(watching, scene(0.0, *findings, tracks=tracks), scene(0.2, tracks=tracks[:1])) == [
        [("helmet/missing/track 1", 0.9), ("helmet/missing/track 2", 0.9)],
        [("helmet/missing/track 1", 0.9)],
    ]


def test_after_a_lost_camera_nothing_is_remembered():
    watching = rule()
    seen(watching, scene(0.0, Finding({"missing": 0.8})))
    watching.reset()
    assert seen(watching, scene(0.1)) == [[]]


def test_class_and_model_are_required():
    with pytest.raises(ValidationError):
        ClassifiedSettings(model="helmet")


def test_the_signal_says_what_was_seen_where_and_how_surely():
    (signal,) = rule(on="zone", zone="yard").signals(
        scene(0.0, Finding({"missing": 0.812345, "worn": 0.187655}, on="zone", zone="yard"))
    )
    assert signal.text == "missing (81%) on yard"
    assert signal.details == {
        "model": "helmet",
        "version": "v",
        "scores": {"missing": 0.8123, "worn": 0.1877},
    }
