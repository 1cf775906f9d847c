"""When events begin and end: stays that outlast their events, times without the camera, other resolutions."""

import math
from dataclasses import replace

from tests.scenes import START_WALL, observation
from tests.test_engine import CROSSING, INTRUSION, engine_of, person


def test_a_loiterer_who_steps_over_the_edge_for_a_moment_leads_to_two_events_one_after_the_other():
    """It is still the same stay, but it was not signalled for longer than its event lingers."""
    engine = engine_of({"type": "loitering", "zone": "yard", "after_s": 5.0})
    places = [(i / 5, 120 if 50 <= i < 65 else 180) for i in range(100)]
    alerts = [a for t, x in places for a in engine.step(observation(t, [person(x)])).alerts]
    alerts += engine.finish(20.0, START_WALL + 20, "stop").alerts
    assert [(a.phase, a.t) for a in alerts] == [("start", 0.2), ("end", 10.0), ("start", 10.0), ("end", 19.8)]
    assert len({a.event_id for a in alerts}) == 2
    assert len({a.id for a in alerts}) == 4


def starts(rule, where, until=40.0, lost=(0.0, 0.0)):
    """Return (told at, began) of a rule's alerts about somebody at `where(t)`; no pictures from lost[0] to lost[1]."""
    engine, found = engine_of(rule), []
    for t in (i / 5 for i in range(round(until * 5))):
        if lost[0] <= t < lost[1]:
            engine.lost(t, START_WALL + t)
        else:
            alerts = engine.step(observation(t, [person(where(t))])).alerts
            found += [(t, a.t) for a in alerts if a.phase == "start"]
    return found


def test_a_short_loss_ends_no_stay():
    loitering = {"type": "loitering", "zone": "yard", "after_s": 30.0}

    def sways(t):
        return 450 + 60 * math.sin(t / 2)

    assert starts(loitering, sways) == [(30.2, 0.2)]
    assert starts(loitering, sways, lost=(20.0, 28.0)) == [(30.2, 0.2)]


def test_who_changes_sides_during_a_short_loss_has_crossed():
    assert starts(CROSSING, lambda t: 350 + 20 * t, until=14.0, lost=(3.0, 11.0)) == [(11.4, 11.2)]


def resized(rule, x, until=12.0):
    """Return (told at, key) of a rule's alerts about somebody at x(t); at 5 s the picture becomes half as large."""
    engine, found = engine_of(rule), []
    for t in (i / 5 for i in range(round(until * 5))):
        share = 1.0 if t < 5 else 0.5
        one = observation(t, [tuple(v * share for v in person(x(t)))])
        one = replace(one, width=round(one.width * share), height=round(one.height * share))
        found += [(t, a.key) for a in engine.step(one).alerts if a.phase == "start"]
    return found


def test_who_goes_the_right_way_still_does_when_the_resolution_changes():
    rule = {"type": "wrong_way", "zone": "yard", "way": ((0.2, 0.5), (0.8, 0.5))}
    assert resized(rule, lambda t: 250 + 30 * t) == []
    assert [key for _, key in resized(rule, lambda t: 700 - 30 * t)] == ["yard/person"]


def test_who_crosses_while_the_resolution_changes_has_crossed():
    """He is on the line as the picture becomes smaller."""
    told = resized(CROSSING, lambda t: 320 + 30 * t)
    assert [key for _, key in told] == ["door/right"]


def test_a_change_of_resolution_is_no_way_through_a_zone():
    """After two lengths of his box, 400 px, he has gone a way, not before."""
    assert resized({"type": "perimeter", "zone": "yard"}, lambda t: 250 + 40 * t) == [(10.2, "yard")]


def ended(engine, lost=None):
    """Somebody is there until 3 s; return when his event ended. `lost`: (since, until) there are no pictures."""
    alerts = []
    for i in range(100):
        t = i / 5
        if lost and t == lost[0]:
            engine.lost(t, START_WALL + t)
        if not lost or not lost[0] <= t < lost[1]:
            alerts += engine.step(observation(t, [person(450)] if t < 3 else [])).alerts
    return [(a.reason, a.t, a.details["duration_s"]) for a in alerts if a.phase == "end"]


def test_an_event_ends_when_it_was_last_seen_whether_or_not_the_camera_was_lost_soon_after():
    whole = ended(engine_of(INTRUSION))
    assert len(whole) == 1
    assert ended(engine_of(INTRUSION), lost=(4.0, 13.0)) == whole
