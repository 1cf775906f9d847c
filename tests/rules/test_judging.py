"""Alerts beside labels, and the figures that come of it: small cases whose answers are known by hand."""

from dataclasses import replace
from math import isnan

import pytest

from surveil.offline.rules.figures import (
    JudgedFilm,
    f_measure,
    groups,
    names,
    p_miss,
    per_hour,
    values,
    wilson,
)
from surveil.offline.rules.matching import EventOutcome, Kind, RuleTime, ToldAlert, judge
from surveil.offline.rules.suite import Event
from surveil.types import Alert

RULES = {
    "intrusion": RuleTime(type="intrusion", after_s=1.0),
    "gate": RuleTime(type="line_crossing", after_s=0.0),
    "loitering": RuleTime(type="loitering", after_s=10.0),
}
FOUND, LATE, MISSED = EventOutcome.FOUND, EventOutcome.LATE, EventOutcome.MISSED


def told(t, rule="intrusion", score=0.9, **names):
    alert = Alert(
        id=f"{rule}{t}", event_id=f"{rule}{t}", camera="film", rule=rule, type=RULES[rule].type, key="k", phase="start",
        t=t, t_wall=t, score=score, text="", **names,
    )  # fmt: skip
    return ToldAlert(t=t, alert=alert)


def lasting(start, end, rule="intrusion", **more):
    return Event(rule=rule, start=start, end=end, **more)


def outcome(alerts, events, within_s=10.0):
    """What became of each event and each alert."""
    judged = judge(alerts, events, RULES, within_s)
    return [e.verdict for e in judged.events], [a.kind for a in judged.alerts]


@pytest.mark.parametrize(
    ("t", "verdict", "kind"),
    [
        (9.9, MISSED, Kind.FALSE),
        (10.0, FOUND, Kind.TRUE),
        (11.0, FOUND, Kind.TRUE),
        (21.0, FOUND, Kind.TRUE),
        (21.1, LATE, Kind.LATE),
        (61.0, LATE, Kind.LATE),
        (61.1, MISSED, Kind.FALSE),
    ],
)
def test_an_alert_counts_from_a_second_before_it_is_due_and_is_late_until_the_event_ends(t, verdict, kind):
    assert outcome([told(t)], [lasting(10, 60)]) == ([verdict], [kind])


def test_a_short_event_may_be_told_of_after_its_end():
    assert outcome([told(15)], [lasting(10, 12)]) == ([FOUND], [Kind.TRUE])


def test_an_event_is_due_when_its_rule_may_alert():
    (event,) = judge([told(21.5, "loitering")], [lasting(10, 40, "loitering")], RULES, 10.0).events
    assert (event.due, event.delay_s, event.type) == (20, 1.5, "loitering")


def test_who_leaves_before_the_rule_may_alert_is_no_event_and_an_alert_about_him_is_false():
    assert outcome([], [lasting(10, 15, "loitering")]) == ([], [])
    assert outcome([told(14, "loitering")], [lasting(10, 15, "loitering")]) == ([], [Kind.FALSE])


def test_a_second_alert_of_an_event_that_lasts_is_repeated_and_of_a_moment_is_false():
    assert outcome([told(12), told(30)], [lasting(10, 60)]) == ([FOUND], [Kind.TRUE, Kind.REPEATED])
    crossing = Event(rule="gate", start=10)
    assert outcome([told(11, "gate"), told(12, "gate")], [crossing]) == ([FOUND], [Kind.TRUE, Kind.FALSE])


def test_an_alert_after_the_end_of_an_event_that_was_found_is_false():
    assert outcome([told(12), told(18)], [lasting(10, 14)]) == ([FOUND], [Kind.TRUE, Kind.FALSE])


def test_each_alert_counts_once_and_no_choice_finds_more():
    first, second = Event(rule="gate", start=10, within_s=10), Event(rule="gate", start=10, within_s=2)
    alerts = [told(11, "gate"), told(15, "gate")]
    assert outcome(alerts, [first, second]) == ([FOUND, FOUND], [Kind.TRUE, Kind.TRUE])
    assert outcome(alerts[:1], [first, second])[0].count(FOUND) == 1


@pytest.mark.parametrize(
    "named", [{"direction": "left"}, {"zone": "yard"}, {"line": "gate"}, {"label": "car"}], ids=str
)
def test_what_the_label_names_the_alert_must_name(named):
    event = Event(rule="gate", start=10, **named)
    assert outcome([told(11, "gate", **named)], [event])[0] == [FOUND]
    other = dict.fromkeys(named, "other")
    assert outcome([told(11, "gate", **other)], [event]) == ([MISSED], [Kind.FALSE])


def test_what_is_unclear_counts_on_neither_side():
    event = lasting(10, 30, unclear=True)
    assert outcome([], [event]) == ([], [])
    assert outcome([told(12), told(29), told(32)], [event]) == ([], [Kind.UNCLEAR, Kind.UNCLEAR, Kind.FALSE])


def film(alerts, events, seconds=1800.0, conditions=()):
    judged = judge(alerts, events, RULES, 10.0)
    types = frozenset(rule.type for rule in RULES.values())
    return JudgedFilm(
        events=judged.events, alerts=judged.alerts, seconds=seconds, conditions=conditions, types=types
    )


DAY = film(
    [told(12), told(130), told(300, score=0.5), told(14, "gate")],
    [lasting(10, 20), lasting(100, 160), Event(rule="gate", start=13, conditions=("near",))],
    conditions=("day",),
)
NIGHT = film([told(12), told(500, score=0.4)], [lasting(10, 20), lasting(50, 60)], conditions=("night",))


def test_groups_are_counted_by_hand():
    made = {group.name: group for group in groups([DAY, NIGHT], rate=1.0)}
    assert list(made) == ["all", "intrusion", "line_crossing", "loitering", "day", "near", "night"]
    counted = {n: (g.events, g.found, g.late, g.missed, g.false, g.hours) for n, g in made.items()}
    assert counted == {
        "all": (5, 3, 1, 1, 2, 1.0),
        "intrusion": (4, 2, 1, 1, 2, 1.0),
        "line_crossing": (1, 1, 0, 0, 0, 1.0),
        "loitering": (0, 0, 0, 0, 0, 1.0),
        "day": (3, 2, 1, 0, 1, 0.5),
        "near": (1, 1, 0, 0, 0, None),
        "night": (2, 1, 0, 1, 1, 0.5),
    }
    figures = values(made.values())
    assert (figures["recall"], figures["precision"], figures["false_per_hour"]) == (0.6, 0.6, 2.0)
    assert figures["intrusion.delay_s"] == 1.0
    assert figures["f1_operational"] == pytest.approx(0.6)
    assert set(figures) == set(names({"intrusion", "line_crossing", "loitering"}, {"day", "night", "near"}))


def test_alerts_are_not_told_to_belong_to_the_condition_of_an_event():
    figures = values(groups([DAY], rate=1.0))
    assert figures["near.recall"] == 1.0
    assert all(isnan(figures[f"near.{name}"]) for name in ("precision", "false_per_hour", "p_miss"))
    assert isnan(figures["near.f1_operational"])


def test_a_condition_of_a_recording_and_of_an_event_elsewhere_is_one_group():
    near = replace(NIGHT, conditions=("near",))
    made = {group.name: group for group in groups([DAY, near], rate=1.0)}
    assert (made["near"].events, made["near"].hours) == (3, None)


def test_p_miss_is_that_of_the_threshold_that_keeps_the_false_alarms_within_the_rate():
    found, false = [0.9, 0.8, 0.45, 0.3], [0.5, 0.4]
    assert p_miss(found, false, 5, allowed=2.0) == pytest.approx(1 / 5)
    assert p_miss(found, false, 5, allowed=1.0) == pytest.approx(2 / 5)
    assert p_miss(found, false, 5, allowed=0.0) == pytest.approx(3 / 5)
    assert p_miss([0.5], [0.9], 1, allowed=0.0) == 1.0
    assert isnan(p_miss([], [0.9], 0, allowed=0.0))


def test_intervals_are_those_of_the_books():
    share = wilson(9, 10)
    assert (share.value, share.low, share.high) == pytest.approx((0.9, 0.5958, 0.9821), abs=1e-4)
    assert (wilson(0, 5).low, wilson(5, 5).high) == (0.0, 1.0)
    rate = per_hour(3, 2.0)
    assert (rate.value, rate.low, rate.high) == pytest.approx((1.5, 0.3093, 4.3836), abs=1e-3)
    assert per_hour(0, 1.0).high == pytest.approx(3.6889, abs=1e-3)
    assert isnan(per_hour(0, 0.0).value)
    assert isnan(wilson(0, 0).value)


def test_f_measure_leans_to_precision_by_its_bias():
    assert f_measure(0.5, 1.0, 0.65) == pytest.approx(1.65 * 0.5 / 1.15)
    assert f_measure(1.0, 0.5, 0.65) == pytest.approx(1.65 * 0.5 / 1.325)
    assert f_measure(0.0, 0.0, 0.65) == 0.0
    assert isnan(f_measure(0.5, float("nan"), 0.65))
