"""Flickering signals become episodes that open once and close once, and every signal is accounted for."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.events import Episodes, EventPolicy, Outcomes
from surveil.types import Signal

HABIT = EventPolicy(name="intrusion", type="intrusion", after_s=1.0, linger_s=2.0, cooldown_s=0.0)


def run(script, policy=HABIT):
    """Feed (t, signalled keys); return (t, what, key) of every change, and the outcomes."""
    episodes, outcomes, changes = Episodes(camera="gate", policies=[policy]), Outcomes(), []
    for t, keys in script:
        signals = [(0, Signal(rule="intrusion", key=key, score=0.5)) for key in keys]
        for change in episodes.step(t, 1000.0 + t, signals, outcomes):
            changes.append((t, change.ended or "opened", change.event.key))
    return changes, outcomes, episodes


def every(step, until, keys=("yard/person",)):
    return [(round(i * step, 3), keys) for i in range(round(until / step))]


def test_an_event_opens_when_it_has_lasted_and_ends_when_it_has_lingered():
    changes, outcomes, _ = run([*every(0.5, 3), (3.5, ()), (4.5, ()), (5.0, ())])
    assert changes == [(1.0, "opened", "yard/person"), (5.0, "gone", "yard/person")]
    assert outcomes == {("intrusion", "opened", ""): 1, ("intrusion", "joined", ""): 5}


def test_an_event_begins_with_its_first_signal_and_ends_with_its_last():
    episodes, outcomes, found = Episodes(camera="gate", policies=[HABIT]), Outcomes(), []
    for t in (0.0, 0.5, 1.0, 1.5, 2.0, 9.0):
        signals = [(0, Signal(rule="intrusion", key="k", score=0.5))] if t < 5 else []
        found += episodes.step(t, 1000.0 + t, signals, outcomes)
    assert [(c.event.t_start, c.event.t_end) for c in found] == [(0.0, None), (0.0, 2.0)]


def test_what_does_not_last_is_suppressed_as_too_short():
    changes, outcomes, _ = run([(0.0, ("k",)), (0.5, ("k",)), (5.0, ())])
    assert changes == []
    assert outcomes == {("intrusion", "suppressed", "too_short"): 2}


def test_flicker_within_the_linger_is_one_event():
    script = [(t, ("k",) if int(t) % 2 == 0 else ()) for t in range(20)]
    changes, _, _ = run([(float(t), keys) for t, keys in script])
    assert [what for _, what, _ in changes] == ["opened"]


def at_5_fps(*signalled):
    """A script of frames 0.2 s apart, signalled or not."""
    return [(round(i / 5, 3), ("k",) if there else ()) for i, there in enumerate(signalled)]


@pytest.mark.parametrize(
    "signalled",
    [
        [0, 1, 0, 0, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1],
        [0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1],
        [1, 1, 1, 1, 1, 0, 0, 0, 1, 0],
    ],
    ids=["1.2 s apart", "a third of the looks", "pairs", "leaves early, one look later"],
)
def test_looks_now_and_then_do_not_last(signalled):
    changes, outcomes, _ = run([*at_5_fps(*signalled), (9.0, ())])
    assert changes == []
    assert outcomes == {("intrusion", "suppressed", "too_short"): sum(signalled)}


def test_an_event_begins_with_what_has_lasted_not_with_a_look_before():
    episodes, outcomes, found = Episodes(camera="gate", policies=[HABIT]), Outcomes(), []
    for t, keys in at_5_fps(1, 0, 0, 0, 0, *[1] * 10):
        found += episodes.step(
            t, 1000.0 + t, [(0, Signal(rule="intrusion", key=key, score=0.5)) for key in keys], outcomes
        )
    (opened,) = found
    assert (opened.event.t_start, opened.event.t_wall_start) == (1.0, 1001.0)
    assert sum(outcomes.values()) == 11


def test_one_frame_in_which_it_was_missed_does_not_begin_it_again():
    assert run(at_5_fps(0, 1, 1, 0, 1, 1, 1))[0] == [(1.2, "opened", "k")]


def test_a_time_without_the_camera_is_neither_absence_nor_presence():
    episodes, outcomes, opened = Episodes(camera="gate", policies=[HABIT]), Outcomes(), []
    for t in (0.0, 0.2, 0.4, 8.0, 8.2, 8.4, 8.7):
        if t == 8.0:
            episodes.resume(t)
        opened += [
            t for _ in episodes.step(t, t, [(0, Signal(rule="intrusion", key="k", score=0.5))], outcomes)
        ]
    assert opened == [8.7]


def test_an_event_that_ends_after_a_time_without_the_camera_ended_before_it():
    episodes, found = Episodes(camera="gate", policies=[HABIT]), []
    for t in (0.0, 0.5, 1.0, 1.5, 2.5, 9.0, 10.0, 11.0, 11.5):
        if t == 9.0:
            episodes.resume(t)
        signals = [(0, Signal(rule="intrusion", key="k", score=0.5))] if t < 2 else []
        found += [(t, c.event.t_end) for c in episodes.step(t, t, signals, Outcomes())]
    assert found == [(1.0, None), (11.5, 1.5)], "it lingers once more, but ends where it was last signalled"


def test_of_two_times_without_the_camera_each_is_left_out_once():
    episodes, opened = Episodes(camera="gate", policies=[HABIT]), []
    for t, there in (
        (0.0, True),
        (0.4, True),
        (4.0, False),
        (8.0, False),
        (8.2, True),
        (8.6, True),
        (8.8, True),
    ):
        if t in (4.0, 8.0):
            episodes.resume(t)
        signals = [(0, Signal(rule="intrusion", key="k", score=0.5))] if there else []
        opened += [(t, round(c.event.t_start, 3)) for c in episodes.step(t, t, signals, Outcomes())]
    assert opened == [(8.6, 7.6)], "0.4 s before the first, 0.6 s after the second"


def stay(episodes, *times, since=0.0):
    """Changes (what, start, end, id) while a rule signals at these times that something is there since `since`."""
    found, outcomes = [], Outcomes()
    for t, there in times:
        signals = [(0, Signal(rule="loitering", key="k", score=0.5, since=since))] if there else []
        found += episodes.step(t, 1000.0 + t, signals, outcomes)
    return [(c.ended or "opened", c.event.t_start, c.event.t_end, c.event.id) for c in found]


def test_a_stay_that_outlasts_its_event_goes_on_as_another_event_where_the_first_ended():
    episodes = Episodes(camera="gate", policies=[replace(HABIT, after_s=0.0)])
    changes = stay(episodes, (10.0, True), (11.0, True), (13.5, False), (14.0, True), (17.0, False))
    assert [change[:3] for change in changes] == [
        ("opened", 0.0, None), ("gone", 0.0, 11.0), ("opened", 11.0, None), ("gone", 11.0, 14.0)
    ]  # fmt: skip
    assert [change[3] for change in changes[::2]] == [change[3] for change in changes[1::2]]
    assert changes[0][3] != changes[2][3]


def test_where_the_event_before_ended_is_known_under_the_new_index_of_its_rule():
    goes, stays = replace(HABIT, name="goes"), replace(HABIT, after_s=0.0)
    episodes = Episodes(camera="gate", policies=[stays])
    stay(episodes, (10.0, True), (12.5, False))
    episodes.replace([goes, stays], {0: 1}, Outcomes(), "config")
    again = Signal(rule="loitering", key="k", score=0.5, since=0.0)
    (opened,) = episodes.step(13.0, 1013.0, [(1, again)], Outcomes())
    assert opened.event.t_start == 10.0


def test_a_new_stay_begins_when_it_began():
    episodes = Episodes(camera="gate", policies=[replace(HABIT, after_s=0.0)])
    stay(episodes, (10.0, True), (13.0, False))
    assert [c[:2] for c in stay(episodes, (40.0, True), since=30.0)] == [("opened", 30.0)]


def test_keys_are_episodes_of_their_own():
    changes, _, _ = run([*every(0.5, 2, ("a", "b")), *[(t + 2, ("b",)) for t, _ in every(0.5, 4)]])
    assert changes == [(1.0, "opened", "a"), (1.0, "opened", "b"), (4.0, "gone", "a")]


def test_cooldown_suppresses_and_then_lets_through():
    policy = EventPolicy(name="intrusion", type="intrusion", after_s=0.0, linger_s=1.0, cooldown_s=10.0)
    script = [(0.0, ("k",)), (3.0, ()), (5.0, ("k",)), (8.0, ()), (11.0, ("k",))]
    changes, outcomes, _ = run(script, policy)
    assert changes == [(0.0, "opened", "k"), (3.0, "gone", "k"), (11.0, "opened", "k")]
    assert outcomes["intrusion", "suppressed", "cooldown"] == 1


def test_an_instant_signal_opens_and_ends_at_once():
    episodes, outcomes = Episodes(camera="gate", policies=[HABIT]), Outcomes()
    two = [(0, Signal(rule="line", key="door/left", score=0.9, track=n, instant=True)) for n in (1, 2)]
    changes = episodes.step(4.0, 1004.0, two, outcomes)
    assert [c.ended for c in changes] == ["", "instant", "", "instant"]
    assert [c.event.t_end for c in changes] == [None, 4.0, None, 4.0]
    assert len({c.event.id for c in changes}) == 2
    assert outcomes == {("intrusion", "opened", ""): 2}


def test_an_instant_signal_within_the_cooldown_of_its_key_is_suppressed():
    policy = EventPolicy(name="door", type="line_crossing", after_s=0.0, linger_s=1.0, cooldown_s=10.0)
    episodes, outcomes, opened = Episodes(camera="gate", policies=[policy]), Outcomes(), []
    for t, key in ((4.0, "left"), (6.0, "left"), (6.0, "right"), (13.9, "left"), (14.0, "left")):
        changes = episodes.step(t, t, [(0, Signal(rule="door", key=key, score=0.9, instant=True))], outcomes)
        opened += [(t, key) for change in changes if not change.ended]
    assert opened == [(4.0, "left"), (6.0, "right"), (14.0, "left")]
    assert outcomes == {("door", "opened", ""): 3, ("door", "suppressed", "cooldown"): 2}


def test_rules_that_stay_keep_cooldown_and_episodes_under_their_new_index():
    goes = EventPolicy(name="goes", type="intrusion", after_s=5.0, linger_s=2.0, cooldown_s=0.0)
    stays = EventPolicy(name="stays", type="presence", after_s=0.0, linger_s=1.0, cooldown_s=10.0)
    episodes, outcomes = Episodes(camera="gate", policies=[goes, stays]), Outcomes()
    both = [(0, Signal(rule="goes", key="k", score=0.5)), (1, Signal(rule="stays", key="k", score=0.5))]
    opened = episodes.step(0.0, 1000.0, both, outcomes)
    assert [(c.event.rule, c.ended) for c in opened] == [("stays", "")]
    assert episodes.replace([stays], {1: 0}, outcomes, "config") == []
    assert outcomes == {("stays", "opened", ""): 1, ("goes", "suppressed", "config"): 1}
    (end,) = episodes.step(2.0, 1002.0, [], outcomes)
    assert (end.event.id, end.ended) == (opened[0].event.id, "gone")
    again = [
        episodes.step(t, 1000.0 + t, [(0, Signal(rule="stays", key="k", score=0.5))], outcomes)
        for t in (5.0, 9.9, 10.0)
    ]
    assert [len(changes) for changes in again] == [0, 0, 1]
    assert outcomes["stays", "suppressed", "cooldown"] == 2


def test_ids_come_from_what_happened_not_from_chance():
    ids = [
        [
            c.event.id
            for c in Episodes(camera="gate", policies=[HABIT]).step(
                0.0, 5.0, [(0, Signal(rule="x", key="k", score=1.0, instant=True))], Outcomes()
            )
        ]
        for _ in "ab"
    ]
    assert ids[0] == ids[1]


moments = st.lists(st.tuples(st.floats(0.01, 3.0), st.sets(st.sampled_from("abc"))), min_size=1, max_size=60)


@given(moments, st.floats(0, 4), st.floats(0, 4), st.floats(0, 10))
def test_every_signal_has_one_outcome_and_every_event_one_end(script, after_s, linger_s, cooldown_s):
    policy = EventPolicy(
        name="intrusion", type="intrusion", after_s=after_s, linger_s=linger_s, cooldown_s=cooldown_s
    )
    episodes, outcomes, changes, t, given_signals = (
        Episodes(camera="gate", policies=[policy]),
        Outcomes(),
        [],
        0.0,
        0,
    )
    for dt, keys in script:
        t += dt
        given_signals += len(keys)
        changes += episodes.step(
            t, t, [(0, Signal(rule="intrusion", key=k, score=0.5)) for k in sorted(keys)], outcomes
        )
        assert sum(outcomes.values()) + sum(episodes.pending().values()) == given_signals
    changes += episodes.end_all(outcomes, "stop")
    assert sum(outcomes.values()) == given_signals
    phases = Counter((c.event.id, bool(c.ended)) for c in changes)
    assert set(phases.values()) <= {1}
    assert {i for i, ended in phases if ended} == {i for i, ended in phases if not ended}
