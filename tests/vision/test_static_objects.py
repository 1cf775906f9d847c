"""What was put down is left, what is taken away is removed, and neither light nor people are things."""

import cv2
import numpy as np
import pytest

from surveil.features.things.static_objects import StaticObjects

SIZE = (640, 360)
BAG = (150, 100, 168, 116)
"""x1 y1 x2 y2 in the plane, half the size of the frame."""


def ground(seed=1):
    """A textured floor, uint8 (180, 320)."""
    rng = np.random.default_rng(seed)
    slabs = cv2.resize(rng.uniform(100, 150, (12, 20)), (320, 180), interpolation=cv2.INTER_NEAREST)
    grain = cv2.resize(rng.normal(0, 10, (90, 160)), (320, 180), interpolation=cv2.INTER_CUBIC)
    return np.clip(slabs + grain, 0, 255).astype(np.uint8)


def with_bag(plane, level=25):
    plane = plane.copy()
    x1, y1, x2, y2 = BAG
    plane[y1:y2, x1:x2] = level
    return plane


def watch(script, noise=2.0):
    """Feed (plane, boxes) twice a second; return the things (kind, box) after each."""
    objects, rng, seen = StaticObjects(), np.random.default_rng(0), []
    for i, (plane, boxes) in enumerate(script):
        noisy = np.clip(plane + rng.normal(0, noise, plane.shape), 0, 255).astype(np.uint8)
        objects.update(noisy, i / 2, SIZE, boxes)
        seen.append([(thing.seen.kind, thing.seen.box, thing.seen.since) for thing in objects._things])
    return seen


def test_a_bag_that_is_put_down_is_left():
    seen = watch([(ground(), [])] * 20 + [(with_bag(ground()), [])] * 20)
    ((kind, box, since),) = seen[-1]
    assert kind == "left"
    assert box == pytest.approx([2 * v for v in BAG], abs=6)
    assert 11 <= since <= 14


def test_a_bag_that_was_there_from_the_start_and_is_taken_is_removed():
    seen = watch([(with_bag(ground()), [])] * 20 + [(ground(), [])] * 20)
    assert [kind for kind, _, _ in seen[-1]] == ["removed"]


def test_a_bag_that_is_fetched_is_no_longer_left():
    script = [(ground(), [])] * 20 + [(with_bag(ground()), [])] * 20 + [(ground(), [])] * 10
    assert watch(script)[-1] == []


def test_a_bag_stays_left_while_somebody_stands_before_it():
    hidden = ground()
    hidden[60:130, 140:180] = 220
    box = [(280.0, 120.0, 360.0, 260.0)]
    script = [(ground(), [])] * 20 + [(with_bag(ground()), [])] * 20 + [(hidden, box)] * 20
    seen = watch([*script, *[(with_bag(ground()), [])] * 10])
    assert [kind for kind, _, _ in seen[59]] == [kind for kind, _, _ in seen[-1]] == ["left"]
    assert seen[-1][0][2] == seen[39][0][2]


def test_walkers_leave_nothing_behind():
    script = []
    for i in range(80):
        plane = ground()
        x = (i * 9) % 300
        plane[80:130, x : x + 15] = 20
        script.append((plane, []))
    assert not any(watch(script))


@pytest.mark.parametrize("light", [lambda p: p * 0.7, lambda p: p * 1.3, lambda p: p + 40])
def test_a_change_of_light_is_no_thing(light):
    script = [(ground(), [])] * 20 + [(light(ground().astype(float)), [])] * 40
    assert not any(watch(script))


def test_a_patch_of_light_is_no_thing():
    light = np.ones((180, 320))
    light[90:130, 150:200] = 1.4
    script = [(ground(), [])] * 20 + [(ground() * cv2.blur(light, (9, 9)), [])] * 40
    assert watch(script)[-1] == []


def in_fog(plane, depth):
    """The plane when fog of `depth` 0..1 lies before it, thicker to the right as where it is farther away."""
    thick = depth * np.linspace(0.3, 1.0, plane.shape[1])
    return plane * (1 - thick) + 135 * thick


def yard_with_things():
    """Ground with things of all kinds in it, some with little contrast."""
    plane = ground().astype(float)
    for i, (x, y) in enumerate((x, y) for x in range(20, 300, 40) for y in (30, 80, 130)):
        plane[y : y + 14, x : x + 10] = 20 + 10 * i
    return plane


@pytest.mark.parametrize("depth", [0.5, 0.8])
def test_what_fades_in_fog_is_not_gone(depth):
    clear = yard_with_things()
    script = [(clear, [])] * 20 + [(in_fog(clear, depth * min(1, i / 10)), []) for i in range(60)]
    assert not any(watch(script))


def test_what_is_taken_after_the_fog_is_removed():
    clear = with_bag(yard_with_things())
    script = [(clear, [])] * 20 + [(in_fog(clear, 0.8), [])] * 20 + [(clear, [])] * 20
    seen = watch([*script, *[(yard_with_things(), [])] * 20])
    assert [kind for kind, _, _ in seen[59]] == []
    assert [kind for kind, _, _ in seen[-1]] == ["removed"]


def hunting(plane, seconds, start=0.0):
    """At night: `plane` with an exposure that hunts and steps, from stream time `start` on."""
    for t in np.arange(start, start + seconds, 0.5):
        gain = 1 + 0.25 * np.sin(t / 4) + 0.2 * (int(t / 23) % 2) + 0.1 * np.sin(1.7 * t)
        yield plane * (0.45 * gain), []


def test_nothing_comes_or_goes_when_the_exposure_hunts():
    assert not any(watch(hunting(yard_with_things(), 120), noise=5.0))


def test_what_comes_and_goes_is_seen_while_the_exposure_hunts():
    without = yard_with_things()
    with_one = with_bag(without, level=240)
    left = watch([*hunting(without, 60), *hunting(with_one, 30, start=60.0)], noise=5.0)
    assert [kind for kind, _, _ in left[-1]] == ["left"]
    removed = watch([*hunting(with_one, 60), *hunting(without, 30, start=60.0)], noise=5.0)
    assert [kind for kind, _, _ in removed[-1]] == ["removed"]


def test_what_is_lost_in_white_is_not_gone():
    plane = yard_with_things()
    plane[20:80, 200:280] = 185
    plane[40:60, 225:250] = 235
    script = [(plane, [])] * 20 + [(plane * 1.4, [])] * 40
    assert not any(watch(script))


def test_another_scene_is_no_heap_of_things():
    script = [(ground(), [])] * 20 + [(ground(seed=9), [])] * 40
    assert watch(script)[-1] == []


def test_where_people_stood_from_the_start_the_scene_is_not_yet_known():
    box = [(280.0, 180.0, 350.0, 250.0)]
    script = [(with_bag(ground()), box)] * 30 + [(ground(), [])] * 30
    assert not any(watch(script))
