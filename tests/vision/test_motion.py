from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from surveil.types import GateDecision, Track
from surveil.vision.motion import MotionGate, moving_boxes, plane_size
from surveil.vision.settings import MotionSettings
from tests.vision.drawn import PLANE, SIZE, Camera, ground, hits, person

SCENE = ground()


def gate(idle_s=60.0, masks=(), **settings):
    return MotionGate(MotionSettings(**settings), idle_interval_s=idle_s, masks=masks)


def run(machine, scenes, camera=None, dt=0.2, t0=0.0, tracks=()):
    """Feed scenes `dt` s apart; return what the gate said."""
    camera = camera or Camera()
    return [machine.update(camera.plane(s), t0 + i * dt, SIZE, tracks) for i, s in enumerate(scenes)]


def still(machine, seconds=6.0, camera=None):
    return run(machine, [SCENE] * int(seconds / 0.2), camera)


def track(box, *, stationary, missed=False):
    return Track(
        id=1,
        label="person",
        box=box,
        score=0.8,
        t_first=0.0,
        t_last=0.0,
        stationary=stationary,
        missed=missed,
    )


def test_a_still_noisy_picture_keeps_the_gate_closed_after_the_start():
    said = still(gate(), 30.0, Camera(noise=6.0))
    assert {m.gate for m in said[15:]} == {GateDecision.CLOSED_STILL}


@pytest.mark.parametrize("height", [27, 40, 60, 120])
@pytest.mark.parametrize("speed", [0.3, 0.8])
def test_somebody_who_walks_opens_the_gate_and_lies_in_a_moving_box(height, speed):
    machine, camera = gate(), Camera()
    still(machine, 4.0, camera)
    figures = [person(SCENE, 300 + speed * height * 0.2 * i, 500, height) for i in range(25)]
    said = run(machine, [f[0] for f in figures], camera, t0=4.0)
    found = [hits(m.boxes, f[1]) for m, f in zip(said[2:], figures[2:], strict=True)]
    assert np.mean(found) >= 0.95
    assert all(m.gate.is_open for m in said[2:])


def test_a_copy_of_a_gate_goes_on_as_the_gate_would_have_whatever_the_gate_has_seen_meanwhile():
    scenes = [person(SCENE, 300 + 10 * i, 500, 120)[0] * (1 - i / 60) for i in range(30)]
    machine, alone = gate(), gate()
    for one in (machine, alone):
        run(one, [SCENE] * 10, Camera())
    kept = machine.copy()
    run(machine, scenes[::-1], Camera(), t0=2.0)
    said, expected = (run(one, scenes, Camera(), t0=2.0) for one in (kept, alone))
    assert [m.gate for m in said] == [m.gate for m in expected]
    assert all(np.array_equal(a.boxes, b.boxes) for a, b in zip(said, expected, strict=True))


def test_what_stops_becomes_background_and_opens_the_gate_again_when_it_moves_on():
    machine, camera = gate(), Camera()
    still(machine, 4.0, camera)
    walk = [person(SCENE, 300 + 12 * i, 500, 80)[0] for i in range(20)]
    run(machine, walk, camera, t0=4.0)
    stands = run(machine, [walk[-1]] * 60, camera, t0=8.0)
    assert {m.gate for m in stands[25:]} == {GateDecision.CLOSED_STILL}
    goes_on = run(machine, [person(SCENE, 540 + 12 * i, 500, 80)[0] for i in range(5)], camera, t0=20.0)
    assert goes_on[2].gate is GateDecision.MOTION


def test_a_live_track_keeps_the_gate_open_and_a_stationary_one_does_not():
    machine = gate()
    still(machine)
    box = (300.0, 420.0, 330.0, 500.0)
    walking = run(machine, [SCENE] * 3, t0=6.0, tracks=(track(box, stationary=False),))
    parked = run(machine, [SCENE] * 3, t0=6.6, tracks=(track(box, stationary=True),))
    missed = run(machine, [SCENE] * 3, t0=7.2, tracks=(track(box, stationary=True, missed=True),))
    said = [m.gate for m in walking + parked + missed]
    assert said == [GateDecision.TRACK] * 3 + [GateDecision.CLOSED_STILL] * 3 + [GateDecision.TRACK] * 3


@pytest.mark.parametrize("dt", [0.2, 0.5])
def test_the_detector_looks_at_least_every_idle_interval(dt):
    said = run(gate(idle_s=5.0), [SCENE] * int(40 / dt), dt=dt)
    looks = [i * dt for i, m in enumerate(said) if m.gate is GateDecision.IDLE and i * dt > 3]
    assert looks
    assert max(np.diff(looks)) <= 5.0 + dt


def test_an_idle_look_is_told_what_has_changed_and_grain_has_not():
    said = run(gate(idle_s=5.0), [SCENE] * 100, dt=0.4)
    idle = [m.changed for i, m in enumerate(said) if m.gate is GateDecision.IDLE and i * 0.4 > 3]
    assert len(idle) >= 6
    assert not any(changed.any() for changed in idle)
    closed = [m.changed for m in said if m.gate is GateDecision.CLOSED_STILL]
    assert closed
    assert set(closed) == {None}


def change_at(first, then):
    return [first] * 20 + [then] * 40


@pytest.mark.parametrize(
    "other",
    [SCENE * 1.6, SCENE * 0.5, SCENE * 0.12 + 3, 255 * (SCENE / 255) ** 0.6, 220 - 0.7 * SCENE],
    ids=["on", "off", "dark", "gamma", "infrared"],
)
def test_a_change_of_all_the_picture_is_closed_global_once_and_then_still(other):
    said = run(gate(), change_at(SCENE, np.clip(other, 0, 255)))
    assert said[20].gate is GateDecision.CLOSED_GLOBAL
    after = [m.gate for m in said[21:]]
    assert GateDecision.MOTION not in after
    assert set(after[15:]) == {GateDecision.CLOSED_STILL}


def test_after_a_light_switch_somebody_who_walks_is_seen():
    machine, camera = gate(), Camera()
    run(machine, change_at(SCENE, SCENE * 1.3), camera)
    figures = [person(SCENE * 1.3, 300 + 10 * i, 500, 60) for i in range(10)]
    said = run(machine, [f[0] for f in figures], camera, t0=12.0)
    assert all(hits(m.boxes, f[1]) for m, f in zip(said[2:], figures[2:], strict=True))


@pytest.mark.parametrize("step_px", [15, 40, 120])
def test_a_sweep_of_the_camera_is_not_motion_for_longer_than_it_lasts(step_px):
    wide = ground((2600, 720))
    scenes = [
        wide[:, d : d + 1280] for d in [0] * 20 + [step_px * i for i in range(1, 9)] + [step_px * 8] * 20
    ]
    said = run(gate(), scenes)
    during = [m.gate for m in said[20:28]]
    assert during.count(GateDecision.CLOSED_GLOBAL) >= 7
    assert GateDecision.MOTION not in [m.gate for m in said[29:]]


@pytest.mark.slow
def test_a_slow_change_of_light_is_not_motion():
    scenes = [SCENE * f for f in np.concatenate([np.ones(20), np.linspace(1, 1.3, 50), np.full(30, 1.3)])]
    said = run(gate(), scenes)
    assert GateDecision.MOTION not in {m.gate for m in said}


def test_a_global_change_that_never_ends_counts_as_motion_in_the_end():
    wide = ground((2600, 720))
    scenes = [wide[:, d : d + 1280] for d in np.random.default_rng(0).integers(0, 300, 60)]
    said = run(gate(global_max_s=3.0), scenes)
    assert GateDecision.CLOSED_GLOBAL in {m.gate for m in said[:15]}
    assert {m.gate for m in said[20:]} == {GateDecision.MOTION}


def test_while_the_whole_picture_goes_on_changing_the_detector_looks_every_two_seconds():
    """Dense rain, or a camera that shakes: whoever comes with it must not be unseen for `global_max_s`."""
    wide = ground((2600, 720))
    scenes = [wide[:, :1280]] * 20
    scenes += [wide[:, d : d + 1280] for d in np.random.default_rng(0).integers(0, 300, 60)]
    said = run(gate(), scenes)[20:]
    assert GateDecision.MOTION not in {m.gate for m in said}
    looks = [n for n, m in enumerate(said) if m.gate.is_open]
    assert max(b - a for a, b in pairwise([0, *looks, len(said)])) <= 11


def test_nothing_counts_inside_a_mask():
    left_half = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    machine, camera = gate(masks=(left_half,)), Camera()
    still(machine, 4.0, camera)
    left = run(machine, [person(SCENE, 200 + 12 * i, 500, 80)[0] for i in range(15)], camera, t0=4.0)
    right = run(machine, [person(SCENE, 900 + 12 * i, 500, 80)[0] for i in range(5)], camera, t0=7.0)
    assert GateDecision.MOTION not in {m.gate for m in left}
    assert right[-1].gate is GateDecision.MOTION


def test_a_gate_that_is_off_lets_every_frame_through():
    assert {m.gate for m in run(gate(enabled=False), [SCENE] * 5)} == {GateDecision.OFF}


def test_a_gate_that_is_off_still_says_where_something_moves():
    machine, camera = gate(enabled=False), Camera()
    still(machine, 4.0, camera)
    figures = [person(SCENE, 300 + 12 * i, 500, 80) for i in range(10)]
    said = run(machine, [f[0] for f in figures], camera, t0=4.0)
    assert all(hits(m.boxes, f[1]) for m, f in zip(said[2:], figures[2:], strict=True))
    assert {m.gate for m in said} == {GateDecision.OFF}
    assert {m.gate for m in run(machine, [SCENE * 0.4] * 3, camera, t0=6.0)} == {GateDecision.OFF}


def test_a_hole_in_the_stream_or_another_resolution_starts_anew_with_a_look():
    machine, camera = gate(), Camera()
    still(machine)
    assert machine.update(camera.plane(SCENE * 0.5), 100.0, SIZE).gate is GateDecision.IDLE
    assert machine.update(camera.plane(SCENE, (160, 90)), 100.2, SIZE).gate is GateDecision.IDLE
    assert machine.update(camera.plane(SCENE, (160, 90)), 50.0, SIZE).gate is GateDecision.IDLE


def test_boxes_are_whole_and_inside_the_frame():
    mask = np.zeros((180, 320), np.uint8)
    mask[100:120, 300:320] = 255
    mask[0:8, 0:8] = 255
    mask[50, 50] = 255  # One pixel alone is noise.
    boxes = sorted(tuple(b) for b in moving_boxes(mask, (1280, 720)).tolist())
    assert boxes == [(0.0, 0.0, 32.0, 32.0), (1200.0, 400.0, 1280.0, 480.0)]


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        ((1280, 720), (320, 180)),
        ((1920, 1080), (320, 180)),  # 322 by the rule; 320 is a sixth
        ((3840, 2160), (640, 360)),
        ((240, 180), (240, 180)),
        ((1080, 1920), (180, 320)),
        ((2560, 1440), (426, 240)),
        ((800, 600), (320, 240)),
    ],
)
def test_the_plane_keeps_the_smallest_object_seven_pixels_high(frame, wanted):
    assert plane_size(*frame, 40) == wanted


def test_the_plane_is_not_written_to():
    plane = Camera().plane(SCENE)
    plane.setflags(write=False)
    machine = gate()
    for i in range(5):
        machine.update(plane, i * 0.2, PLANE)


def test_where_somebody_came_to_stand_the_picture_has_changed_and_where_somebody_passed_it_has_not():
    machine, camera = gate(), Camera()
    still(machine, 4.0, camera)
    came = [person(SCENE, 300 + 20 * min(i, 15), 500, 120) for i in range(30)]
    (x1, y1, x2, y2) = came[-1][1]
    said = run(machine, [f[0] for f in came], camera, t0=4.0)[-1]
    assert said.changed is not None
    cells = said.changed[round(y1 / 16) : round(y2 / 16), round(x1 / 16) : round(x2 / 16)]
    assert cells.mean() > 0.5
    assert said.changed.sum() < 2.5 * cells.size


def test_a_change_of_light_is_no_change_of_the_picture():
    machine, camera = gate(), Camera()
    still(machine, 4.0, camera)
    came = [person(SCENE * (1 - 0.005 * i), 300 + 20 * i, 500, 120)[0] for i in range(50)]
    gone = [SCENE * 0.75] * 10
    said = run(machine, came + gone, camera, t0=4.0)[-1]
    assert said.changed is not None
    assert said.changed.mean() < 0.02


def test_long_after_the_last_motion_nobody_asks_what_changed():
    machine, camera = gate(), Camera()
    assert {m.changed is None for m in still(machine, 20.0, camera)[60:]} == {True}
