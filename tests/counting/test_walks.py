"""Drawn walks over a line: whoever turns on it, walks along it or stops on it is counted once or not at all."""

import math
from dataclasses import replace

import pytest

from surveil.features.counting.live import CameraCounts
from surveil.features.counting.settings import CountingSettings
from surveil.types import Track

SIZE = (1280, 720)
FPS = 5
DOOR = {"door": ((0.5, 0.2), (0.5, 0.9))}
X = 640.0
"""Column of the line, px."""


def walk(*way, speed=120.0, wobble=0.0, broken=()):
    """Tracks of somebody who goes from point to point (px); "s" seconds of standing are given as numbers.

    `wobble`: px by which the foot sways. `broken`: (t, seconds) at which he is lost and comes back under another id.
    """
    here, places = way[0], []
    for to in way[1:]:
        if isinstance(to, (int, float)):
            places += [here] * round(to * FPS)
            continue
        steps = max(1, round(math.dist(here, to) / speed * FPS))
        places += [
            (here[0] + (to[0] - here[0]) * k / steps, here[1] + (to[1] - here[1]) * k / steps)
            for k in range(steps)
        ]
        here = to
    for i, (x, y) in enumerate(places):
        t = i / FPS
        gone = [start for start, seconds in broken if start <= t < start + seconds]
        number = 1 + sum(t >= start + seconds for start, seconds in broken)
        foot = x + wobble * math.sin(2.1 * i)
        yield (
            t,
            []
            if gone
            else [
                Track(
                    id=number,
                    label="person",
                    box=(foot - 30, y - 150, foot + 30, y),
                    score=0.9,
                    t_first=0.0,
                    t_last=t,
                )
            ],
        )


def crossed(tracks):
    counter = CameraCounts(CountingSettings(), {}, DOOR)
    return [c.direction for t, there in tracks for c in counter.update(there, SIZE, t).crossings]


LEFT, RIGHT, ON = (300.0, 500.0), (980.0, 500.0), (X, 500.0)


@pytest.mark.parametrize(
    ("what", "tracks", "counted"),
    [
        ("straight through", walk(LEFT, RIGHT), ["right"]),
        ("there and back", walk(LEFT, RIGHT, LEFT), ["right", "left"]),
        ("turns on the line", walk(LEFT, ON, LEFT), []),
        ("turns just behind it", walk(LEFT, (X + 10, 500.0), LEFT), []),
        ("stops on the line and goes on", walk(LEFT, ON, 8, RIGHT, wobble=8.0), ["right"]),
        ("stops on the line and goes back", walk(LEFT, ON, 8, LEFT, wobble=8.0), []),
        ("stands beside it and sways", walk(LEFT, (X - 12, 500.0), 30, LEFT, wobble=14.0), []),
        ("walks along the line", walk((X, 200.0), (X, 600.0), wobble=10.0), []),
        ("walks along it and leaves on the side he came from", walk(LEFT, ON, (X, 600.0), LEFT, wobble=8.0), []),
        ("walks along it and leaves on the other", walk(LEFT, ON, (X, 600.0), RIGHT, wobble=8.0), ["right"]),
        ("goes round its end", walk(LEFT, (300.0, 700.0), (980.0, 700.0), RIGHT), []),
        ("comes back under another id on the line", walk(LEFT, RIGHT, broken=[(2.6, 0.8)]), ["right"]),
        ("whose id breaks twice", walk(LEFT, ON, 4, RIGHT, broken=[(2.0, 0.6), (5.0, 1.0)]), ["right"]),
        ("whose id breaks while he stands on it", walk(LEFT, ON, 6, LEFT, broken=[(4.0, 1.0), (6.0, 1.0)]), []),
    ],
)  # fmt: skip
def test_whoever(what, tracks, counted):
    assert crossed(tracks) == counted, what


@pytest.mark.parametrize("speed", [40.0, 120.0, 400.0, 900.0])
def test_slow_and_fast_are_counted_alike(speed):
    assert crossed(walk(LEFT, RIGHT, 1, LEFT, 1, speed=speed)) == ["right", "left"]


def test_a_stay_of_somebody_whose_id_breaks_is_one_stay():
    zones = {"hall": ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))}
    counter = CameraCounts(CountingSettings(), zones, {})
    stays = []
    for t, there in walk(LEFT, 20, broken=[(5.0, 1.0), (12.0, 1.2)]):
        stays += counter.update(there, SIZE, t).stays
    stays += counter.finish().stays
    assert [round(stay.dwell_s, 1) for stay in stays] == [19.8]


def test_who_comes_in_where_another_goes_out_is_not_taken_for_him():
    zones = {"hall": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))}
    counter, stays = CameraCounts(CountingSettings(), zones, {}), []
    out, comes = list(walk((240.0, 500.0), (1140.0, 500.0))), list(walk((1140.0, 500.0), (240.0, 500.0)))
    for (t, first), (_, second) in zip(out, comes, strict=True):
        other = [replace(track, id=7) for track in second]
        stays += counter.update([*first, *other], SIZE, t).stays
    stays += counter.finish().stays
    assert [round(stay.dwell_s, 1) for stay in stays] == [3.2, 3.0]
