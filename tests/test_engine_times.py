"""When events begin and end: stays that outlast their events."""

from tests.scenes import START_WALL, observation
from tests.test_engine import engine_of, person


def test_a_loiterer_who_steps_over_the_edge_for_a_moment_leads_to_two_events_one_after_the_other():
    """It is still the same stay, but it was not signalled for longer than its event lingers."""
    engine = engine_of({"type": "loitering", "zone": "yard", "after_s": 5.0})
    places = [(i / 5, 120 if 50 <= i < 65 else 180) for i in range(100)]
    alerts = [a for t, x in places for a in engine.step(observation(t, [person(x)])).alerts]
    alerts += engine.finish(20.0, START_WALL + 20, "stop").alerts
    assert [(a.phase, a.t) for a in alerts] == [("start", 0.2), ("end", 10.0), ("start", 10.0), ("end", 19.8)]
    assert len({a.event_id for a in alerts}) == 2
    assert len({a.id for a in alerts}) == 4
