"""The engine: the same observations give the same alerts, whatever clock and threads do."""

from collections import Counter
from dataclasses import replace

from surveil.engine import CameraEngine
from surveil.features.health.report import HealthReport, PictureFault
from surveil.features.registry import RULES, build_rules
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from tests.scenes import START_WALL, observation

ZONES = {"yard": ((0.2, 0.0), (0.8, 0.0), (0.8, 1.0), (0.2, 1.0))}
LINES = {"door": ((0.5, 0.0), (0.5, 1.0))}


def engine_of(*rules, on_error=lambda *_: None):
    made = [RULES[r["type"]].settings(**r) for r in rules]
    return CameraEngine(
        "gate", build_rules(made, ZONES, LINES), Tracker(TrackSettings()), labels=("person", "car"),
        on_rule_error=on_error,
    )  # fmt: skip


INTRUSION = {"type": "intrusion", "zone": "yard", "after_s": 1.0, "linger_s": 2.0}
CROSSING = {"type": "line_crossing", "line": "door"}


def person(x):
    return (x, 200.0, x + 60, 400.0)


def walk(engine, until=16.0, fps=5.0, speed=60.0):
    """Somebody walks from left to right through the picture; return all alerts."""
    alerts = []
    for i in range(round(until * fps)):
        t = i / fps
        x = -60 + speed * t
        alerts += engine.step(observation(t, [person(x)] if x < 1000 else [])).alerts
    return alerts


def told(alerts):
    return [(a.rule, a.phase, a.key, a.reason) for a in alerts]


def test_a_walk_through_zone_and_line_as_literals():
    alerts = walk(engine_of(INTRUSION, CROSSING), until=22.0)
    assert told(alerts) == [
        ("intrusion", "start", "yard/person", ""),
        ("line_crossing", "start", "door/right", ""),
        ("line_crossing", "end", "door/right", "instant"),
        ("intrusion", "end", "yard/person", "gone"),
    ]
    start, crossing, _, end = alerts
    assert (start.t, crossing.t, end.t) == (4.0, 9.2, 13.8)
    assert start.t_wall == START_WALL + start.t
    assert end.event_id == start.event_id
    assert end.details["duration_s"] == 9.8


def test_slow_cameras_tell_the_same_story():
    for fps in (2.0, 5.0, 15.0):
        assert told(walk(engine_of(INTRUSION, CROSSING), until=22.0, fps=fps))[0] == (
            "intrusion", "start", "yard/person", "",
        )  # fmt: skip


def test_a_short_loss_does_not_end_an_event_and_a_long_one_does():
    engine = engine_of(INTRUSION)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    assert engine.lost(4.0, START_WALL + 4).alerts == ()
    assert engine.tick(9.0, START_WALL + 9).alerts == ()
    assert [a for i in range(50, 60) for a in engine.step(observation(i / 5, [person(450)])).alerts] == []
    engine.lost(12.0, START_WALL + 12)
    assert told(engine.tick(22.1, START_WALL + 22.1).alerts) == [("intrusion", "end", "yard/person", "lost")]


def test_the_grace_is_over_at_its_last_moment_and_what_ends_is_accounted_for():
    engine = engine_of({**INTRUSION, "after_s": 0.0}, {**INTRUSION, "after_s": 60.0, "name": "stays"})
    for i in range(10):
        engine.step(observation(i / 5, [person(450)]))
    waiting = engine.pending()["stays"]
    assert waiting > 0
    engine.lost(2.0, START_WALL + 2)
    assert engine.tick(11.9, START_WALL + 11.9).alerts == ()
    step = engine.tick(12.0, START_WALL + 12)
    assert [(a.rule, a.phase, a.reason, a.t) for a in step.alerts] == [("intrusion", "end", "lost", 1.8)]
    assert step.outcomes == {("stays", "suppressed", "lost"): waiting}


def test_a_camera_that_is_back_after_the_grace_has_ended_its_events_though_nobody_ticked():
    engine = engine_of(INTRUSION)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    engine.lost(4.0, START_WALL + 4)
    assert told(engine.step(observation(15.0, [])).alerts) == [("intrusion", "end", "yard/person", "lost")]


def test_an_object_keeps_its_id_when_the_resolution_changes():
    engine = engine_of(INTRUSION)
    for i in range(10):
        engine.step(observation(i / 5, [person(450)]))
    smaller = replace(observation(2.0, [tuple(v / 2 for v in person(450))]), width=500, height=250)
    assert [track.id for track in engine.step(smaller).tracks] == [1]


def test_a_rule_that_is_off_is_held_back_and_accounted_for():
    made = [RULES["intrusion"].settings(**INTRUSION)]
    rules = build_rules(made, ZONES, LINES)
    off = {"intrusion": lambda t_wall: "" if t_wall < START_WALL + 2 else "schedule"}
    engine = CameraEngine("gate", rules, Tracker(TrackSettings()), labels=("person",), off=off)
    steps = [engine.step(observation(i / 5, [person(450)])) for i in range(30)]
    assert told([a for s in steps for a in s.alerts]) == [
        ("intrusion", "start", "yard/person", ""),
        ("intrusion", "end", "yard/person", "schedule"),
    ]
    outcomes = sum((s.outcomes for s in steps), Counter())
    assert outcomes["intrusion", "suppressed", "schedule"] == 20
    assert sum(outcomes.values()) == 29


def test_an_open_event_ends_when_its_rule_is_switched_off_and_another_opens_afterwards():
    made = [RULES["intrusion"].settings(**INTRUSION)]
    off = {"intrusion": lambda t_wall: "disarmed" if START_WALL + 3 <= t_wall < START_WALL + 5 else ""}
    engine = CameraEngine(
        "gate", build_rules(made, ZONES, LINES), Tracker(TrackSettings()), labels=("person",), off=off
    )
    steps = [engine.step(observation(i / 5, [person(450)])) for i in range(40)]
    assert told([a for s in steps for a in s.alerts]) == [
        ("intrusion", "start", "yard/person", ""),
        ("intrusion", "end", "yard/person", "disarmed"),
        ("intrusion", "start", "yard/person", ""),
    ]
    outcomes = sum((s.outcomes for s in steps), Counter())
    assert outcomes["intrusion", "suppressed", "disarmed"] == 10
    assert sum(outcomes.values()) == 39


def test_new_rules_leave_the_events_of_unchanged_ones_open():
    engine = engine_of(INTRUSION, {**INTRUSION, "name": "other"})
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    changed = [RULES["intrusion"].settings(**{**INTRUSION, "name": "other", "linger_s": 5.0})]
    kept = [RULES["intrusion"].settings(**INTRUSION)]
    step = engine.replace_rules(build_rules([*changed, *kept], ZONES, LINES))
    assert told(step.alerts) == [("other", "end", "yard/person", "config")]
    assert [event.rule for event in engine.open_events] == ["intrusion"]
    assert told(engine.finish(4.0, START_WALL + 4, "stop").alerts) == [
        ("intrusion", "end", "yard/person", "stop")
    ]


def rules_of(*rules):
    return build_rules([RULES[r["type"]].settings(**r) for r in rules], ZONES, LINES)


def test_other_sinks_and_masks_leave_what_is_followed_and_open():
    engine = engine_of(INTRUSION)
    starts = [a for i in range(20) for a in engine.step(observation(i / 5, [person(450)])).alerts]
    kept = engine.retune(rules=rules_of(INTRUSION), moved=frozenset(), tracker=None, sinks=("ops",), masks=())
    assert kept.alerts == ()
    went_on = [engine.step(observation(i / 5, [person(450)])) for i in range(20, 30)]
    assert [a for step in went_on for a in step.alerts] == []
    assert {track.id for step in went_on for track in step.tracks} == {starts[0].track}
    everything = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    engine.retune(
        rules=rules_of(INTRUSION), moved=frozenset(), tracker=None, sinks=("ops",), masks=[everything]
    )
    (end,) = [a for i in range(30, 60) for a in engine.step(observation(i / 5, [person(450)])).alerts]
    assert (end.event_id, end.phase, end.reason, end.sinks) == (starts[0].event_id, "end", "gone", ("ops",))


def test_with_another_tracker_everything_is_found_again_and_its_event_goes_on():
    engine = engine_of(INTRUSION)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    tracker = Tracker(TrackSettings(confirm_hits=4))
    engine.retune(rules=rules_of(INTRUSION), moved=frozenset(), tracker=tracker, sinks=None, masks=())
    steps = [engine.step(observation(i / 5, [person(450)])) for i in range(20, 30)]
    assert [len(step.tracks) for step in steps[:5]] == [0, 0, 0, 1, 1]
    assert [a for step in steps for a in step.alerts] == []


def test_of_two_equal_rules_each_keeps_its_own_and_one_that_goes_is_accounted_for():
    twin = {**INTRUSION, "after_s": 0.0}
    engine = engine_of(twin, CROSSING, twin, {**INTRUSION, "after_s": 60.0, "name": "goes"})
    starts = [a for i in range(10) for a in engine.step(observation(i / 5, [person(450)])).alerts]
    waiting = engine.pending()["goes"]
    step = engine.replace_rules(rules_of(twin, twin, CROSSING))
    assert step.alerts == ()
    assert step.outcomes == {("goes", "suppressed", "config"): waiting}
    ends = engine.replace_rules(rules_of(twin)).alerts
    assert [(a.phase, a.reason) for a in ends] == [("end", "config")]
    ends += engine.replace_rules([]).alerts
    assert sorted(a.event_id for a in ends) == sorted(a.event_id for a in starts)


def test_a_zone_that_moved_ends_the_events_about_it():
    engine = engine_of(INTRUSION)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    same = [RULES["intrusion"].settings(**INTRUSION)]
    step = engine.replace_rules(build_rules(same, ZONES, LINES), moved={"yard"})
    assert [a.reason for a in step.alerts] == ["config"]


def test_loitering_begins_with_the_entry_not_when_it_shows():
    engine = engine_of({"type": "loitering", "zone": "yard", "after_s": 5.0})
    alerts = [a for i in range(40) for a in engine.step(observation(i / 5, [person(450)])).alerts]
    assert [(a.phase, a.t) for a in alerts] == [("start", 0.2)]


def test_a_rule_that_stays_remembers_what_it_has_seen_and_follows_the_new_switch():
    loitering = {"type": "loitering", "zone": "yard", "after_s": 5.0}
    engine = engine_of(CROSSING, loitering)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    off = {"loitering": lambda t_wall: "" if t_wall < START_WALL + 7 else "disarmed"}
    engine.replace_rules(rules_of(loitering), off=off)
    alerts = [a for i in range(20, 50) for a in engine.step(observation(i / 5, [person(450)])).alerts]
    assert [(a.phase, a.reason) for a in alerts] == [("start", ""), ("end", "disarmed")]
    assert alerts[0].t == 0.2, "it was there before the other rule went"


def test_finishing_ends_what_is_open():
    engine = engine_of(INTRUSION)
    for i in range(20):
        engine.step(observation(i / 5, [person(450)]))
    assert told(engine.finish(4.0, START_WALL + 4, "stop").alerts) == [
        ("intrusion", "end", "yard/person", "stop")
    ]
    assert engine.open_events == []


def test_a_bug_in_one_rule_does_not_blind_the_others():
    errors = []
    engine = engine_of(CROSSING, INTRUSION, on_error=lambda rule, error: errors.append((rule, str(error))))

    def broken(_scene):
        raise RuntimeError("broken")

    engine._rules[0].signals = broken
    assert told(walk(engine))[0] == ("intrusion", "start", "yard/person", "")
    assert errors[0] == ("line_crossing", "broken")


def test_degraded_frames_mark_their_alerts():
    engine = engine_of(INTRUSION)
    alerts = [
        a for i in range(20) for a in engine.step(observation(i / 5, [person(450)], degraded=True)).alerts
    ]
    assert [a.degraded for a in alerts] == [True]


def test_frames_that_nobody_looked_at_do_not_make_an_object_vanish():
    engine = engine_of(INTRUSION)
    alerts = []
    for i in range(100):
        alerts += engine.step(observation(i / 5, [person(450)], looked=i < 20 or i % 25 == 0)).alerts
    assert told(alerts) == [("intrusion", "start", "yard/person", "")]


def test_what_has_its_centre_in_a_mask_is_not_seen():
    masked = CameraEngine(
        "gate",
        build_rules([RULES["intrusion"].settings(**INTRUSION)], ZONES, LINES),
        Tracker(TrackSettings()),
        labels=("person", "car"),
        masks=[((0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.4, 1.0))],
    )
    assert [a for i in range(20) for a in masked.step(observation(i / 5, [person(450)])).alerts] == []


def turned(engine, moved, until=22.0):
    """The walk of `walk`, during which the camera shows something else from and to these times."""
    alerts, outcomes = [], Counter()
    for i in range(round(until * 5)):
        t = i / 5
        report = HealthReport(states=(PictureFault.MOVED,) if moved[0] <= t < moved[1] else ())
        x = -60 + 60 * t
        step = engine.step(observation(t, [person(x)] if x < 1000 else [], findings=[report]))
        alerts += step.alerts
        outcomes += step.outcomes
    return alerts, outcomes


PICTURE = {"type": "picture", "states": ["moved"]}
PRESENCE = {"type": "presence"}


def test_what_stands_on_the_view_is_held_while_the_camera_shows_another():
    engine = engine_of(INTRUSION, CROSSING, PRESENCE, PICTURE)
    alerts, outcomes = turned(engine, (6.0, 10.0))
    assert [row for row in told(alerts) if row[0] != "presence"] == [
        ("intrusion", "start", "yard/person", ""),
        ("intrusion", "end", "yard/person", "moved"),
        ("picture", "start", "moved", ""),
        ("intrusion", "start", "yard/person", ""),
        ("picture", "end", "moved", "gone"),
        ("intrusion", "end", "yard/person", "gone"),
    ]
    assert outcomes["line_crossing", "suppressed", "moved"] == 1
    assert outcomes["intrusion", "suppressed", "moved"] > 10
    assert [row[1] for row in told(alerts) if row[0] == "presence"] == ["start", "end"]
    assert engine.held == ""


def test_a_picture_that_is_only_covered_holds_nothing():
    engine = engine_of(INTRUSION)
    for i in range(30):
        covered = [HealthReport(states=(PictureFault.COVERED,))]
        alerts = engine.step(observation(i / 5, [person(500)], findings=covered)).alerts
        if alerts:
            break
    assert alerts[0].rule == "intrusion"


def test_who_wants_it_is_alerted_all_the_same():
    made = [RULES["intrusion"].settings(**INTRUSION)]
    engine = CameraEngine(
        "gate",
        build_rules(made, ZONES, LINES),
        Tracker(TrackSettings()),
        labels=("person",),
        hold_moved=False,
    )
    alerts, _ = turned(engine, (0.0, 30.0))
    assert [alert.phase for alert in alerts] == ["start", "end"]


def test_rules_that_need_the_view_are_those_about_places_things_and_what_was_learned():
    settings = {
        "intrusion": {"zone": "yard"}, "line_crossing": {"line": "door"}, "loitering": {"zone": "yard"},
        "left_object": {}, "removed_object": {}, "anomaly": {}, "presence": {}, "crowding": {"count": 3},
        "picture": {}, "classified": {"model": "shelf", "class": "full"},
    }  # fmt: skip
    need = {name for name, given in settings.items() if RULES[name].settings(type=name, **given).needs_view}
    assert need == settings.keys() - {"presence", "crowding", "picture"}
    on_track = {"model": "helmet", "class": "bare", "on": "track"}
    assert not RULES["classified"].settings(type="classified", **on_track).needs_view
