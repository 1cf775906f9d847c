"""Drawn films with the events that their rules are to find: a yard by day, at night and in rain, things that are left
and taken, cameras that are tampered with, approaches to a perimeter, and hours of weather in which nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from benchmarks import health
from benchmarks.perimeter_scenes import APPROACHES, FPS, WEATHER, approach, weather
from surveil.demo.backdrop import Pinhole
from surveil.demo.cast import noisy
from surveil.demo.figures import Clothing
from surveil.demo.scene import DrawnScene
from surveil.demo.walks import Walker, edge

Image = NDArray[np.uint8]
Event = dict[str, object]
SIZE, YARD_FPS = (768, 432), 10
WAITS_S, SLACK_S = 8.0, 1.5
"""Time in the yard from which somebody loiters, and how near to it a label would be a guess."""
DARK_WEATHER = {"headlights", "insects", "noise and exposure"}
THINGS = [
    {"type": "left_object", "after_s": 15},
    {"type": "removed_object", "after_s": 10},
    {"type": "picture"},
]
FIELD = {"field": [[0.02, 0.05], [0.98, 0.05], [0.98, 1.0], [0.02, 1.0]]}


@dataclass(frozen=True, kw_only=True)
class DrawnFilm:
    """A film, and what its rules are to find in it."""

    suite: str
    name: str
    pictures: Iterable[Image]
    """uint8 BGR, or grey."""
    fps: float
    conditions: tuple[str, ...]
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DrawnCamera:
    """What watches the films of a suite."""

    rules: list[dict[str, object]]
    zones: dict[str, object] = field(default_factory=dict)
    lines: dict[str, object] = field(default_factory=dict)


CAMERAS = {
    "yard": DrawnCamera(
        zones={"yard": DrawnScene.still().zones["yard"]},
        lines={"gate": DrawnScene.still().lines["gate"]},
        rules=[
            {"type": "intrusion", "zone": "yard"},
            {"type": "loitering", "zone": "yard", "after_s": WAITS_S},
            {"type": "crowding", "zone": "yard", "count": 2, "after_s": 2},
            {"type": "line_crossing", "line": "gate"},
            *THINGS,
        ],
    ),
    "things": DrawnCamera(rules=THINGS),
    "tampering": DrawnCamera(rules=THINGS),
    "perimeter": DrawnCamera(zones=FIELD, rules=[{"type": "perimeter", "zone": "field"}]),
    "weather": DrawnCamera(
        zones=FIELD,
        rules=[{"type": "perimeter", "zone": "field"}, {"type": "intrusion", "zone": "field"}, *THINGS],
    ),
}
"""By suite."""


def films(suites: Collection[str], seeds: range, hours: float) -> Iterator[DrawnFilm]:
    """Yield the films of some suites; `hours` of weather are shared among its kinds."""
    for suite, made in MADE.items():
        if suite in suites:
            for seed in seeds:
                yield from made(seed)
    for kind in WEATHER if hours and "weather" in suites else ():
        name = kind.replace(" ", "_")
        light = ("night",) if kind in DARK_WEATHER else ()
        pictures = weather(kind, seeds.stop, hours * 3600 / len(WEATHER))
        yield DrawnFilm(suite="weather", name=name, pictures=pictures, fps=FPS, conditions=(name, *light))


def yards(seed: int) -> Iterator[DrawnFilm]:
    """Yield the same people by day, at night and in rain, and others far away."""
    day = DrawnScene.default(seed=seed, size=SIZE, fps=YARD_FPS, seconds=60.0)
    night = replace(day, grey=True, noise=5.0, light=((0.0, 0.4),))
    far = replace(day, walkers=tuple(_far(seed)), seed=seed + 100)
    labels = tuple(_labels(day))
    yield _yard("day", seed, day, _drawn(day), ("day",), labels)
    yield _yard("night", seed, night, _drawn(night), ("night",), labels)
    yield _yard("rain", seed, day, _changed(_drawn(day), health.rain(seed + 8)), ("rain",), labels)
    yield _yard("far", seed, far, _drawn(far), ("day", "small"), tuple(_labels(far)))


def _yard(
    what: str, seed: int, scene: DrawnScene, pictures: Iterator[Image], conditions: tuple[str, ...],
    labels: tuple[Event, ...],
) -> DrawnFilm:  # fmt: skip
    return DrawnFilm(
        suite="yard",
        name=f"yard-{what}-{seed}",
        pictures=pictures,
        fps=scene.fps,
        conditions=conditions,
        events=labels,
    )


def _drawn(scene: DrawnScene) -> Iterator[Image]:
    return (scene.frame(i) for i in range(scene.frames))


def _changed(pictures: Iterable[Image], effect: health.Effect, start: float = 0.0) -> Iterator[Image]:
    """Yield the pictures with an effect that begins at `start` s."""
    for i, picture in enumerate(pictures):
        yield effect(picture, i / YARD_FPS - start)


def _far(seed: int) -> Iterator[Walker]:
    """Yield people who walk by one after the other, 16 to 19 m away."""
    rng, t = np.random.default_rng([seed, 31]), 2.0
    for n in count():
        z, speed, side = float(rng.uniform(16, 19)), float(rng.uniform(1.2, 1.6)), 1 - 2 * (n % 2)
        end = t + 2 * edge(z) / speed
        if end > 58.0:
            return
        yield Walker(n, Clothing.sample(seed * 8 + n), ((t, -side * edge(z), z), (end, side * edge(z), z)))
        t = end + 2.0


def _labels(scene: DrawnScene) -> Iterator[Event]:
    """Yield what the rules of the yard are to find."""
    for crossing in scene.crossings("gate"):
        yield {
            "rule": "line_crossing",
            "start": _s(crossing.t),
            "direction": crossing.direction,
            "within_s": 4,
        }
    visits = [(v.t_in, v.t_out) for v in scene.visits("yard") if v.t_out > v.t_in]
    for start, end in _joined(visits, 2.0):
        yield _lasting("intrusion", start, end, 1.0)
    for start, end in visits:
        yield _lasting("loitering", start, end, WAITS_S)
    together = [(max(a[0], b[0]), min(a[1], b[1])) for k, a in enumerate(visits) for b in visits[k + 1 :]]
    for start, end in _joined(sorted(span for span in together if span[1] > span[0]), 2.0):
        yield _lasting("crowding", start, end, 2.0)


def _lasting(rule: str, start: float, end: float, after_s: float) -> Event:
    """Return an event; where it lasts about as long as its rule waits it is unclear."""
    doubt = {"unclear": True} if abs(end - start - after_s) < SLACK_S else {}
    return {"rule": rule, "start": _s(start), "end": _s(end), **doubt}


def _joined(spans: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Return spans of time, sorted by their start, those with less than `gap` between them as one."""
    found: list[tuple[float, float]] = []
    for start, end in spans:
        if found and start - found[-1][1] < gap:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _s(t: float) -> float:
    return round(float(t), 2)


def things(seed: int) -> Iterator[DrawnFilm]:
    """Yield a bag that is put down and one that is taken, by day and at night."""
    rng = np.random.default_rng([seed, 41])
    x, z, speed = float(rng.uniform(-1.5, 1.5)), float(rng.uniform(6.5, 9.0)), 1.3
    comes, waits = 16.0, 4.0
    arrives = comes + (x + edge(z)) / speed
    leaves = arrives + waits
    gone = leaves + (edge(z) - x) / speed
    who = Walker(
        0,
        Clothing.sample(seed + 3),
        ((comes, -edge(z), z), (arrives, x, z), (leaves, x, z), (gone, edge(z), z)),
    )
    scene = DrawnScene(walkers=(who,), size=SIZE, fps=YARD_FPS, seconds=55.0, seed=seed + 40)
    change = arrives + waits / 2
    # Who walks away attends it until he is a body's height away.
    left = {"rule": "left_object", "start": _s(leaves + 1.8 / speed), "end": scene.seconds}
    taken = {"rule": "removed_object", "start": _s(change), "end": scene.seconds}
    for light, one in (("day", scene), ("night", replace(scene, grey=True, noise=5.0, light=((0.0, 0.5),)))):
        for what, event in (("left", left), ("taken", taken)):
            pictures = _with_bag(
                one, (x + 0.35, z - 0.3), lambda t, what=what: (t >= change) == (what == "left")
            )
            yield DrawnFilm(
                suite="things", name=f"{what}-{light}-{seed}", pictures=pictures, fps=one.fps, conditions=(light,),
                events=(event,),
            )  # fmt: skip


def _with_bag(
    scene: DrawnScene, where: tuple[float, float], is_there: Callable[[float], bool]
) -> Iterator[Image]:
    """Yield the scene's pictures with a bag on the ground at `where` (x, z m) while it is there."""
    camera = Pinhole(*scene.size)
    px = camera.scale(where[1])
    gx, gy = camera.ground(*where)
    left, top, right, bottom = round(gx - 0.28 * px), round(gy - 0.4 * px), round(gx + 0.28 * px), round(gy)
    for i in range(scene.frames):
        picture = scene.frame(i)
        if is_there(i / scene.fps):
            bag = np.full((bottom - top, right - left, 3), (40, 38, 60), np.uint8)
            bag[: round(0.12 * px)] += 25
            bag[:, :: max(2, round(0.1 * px))] += 18
            picture[top:bottom, left:right] = noisy(bag, scene.noise, scene.seed + i)
        yield picture


def tampering(seed: int) -> Iterator[DrawnFilm]:
    """Yield what can be done to a camera, each after 20 s of people who pass by."""
    start, seconds = 20.0, 36.0
    for state, make in health.SICK.items():
        scene = DrawnScene.passing(seed=seed + 60, size=SIZE, fps=YARD_FPS, seconds=seconds)
        event = {"rule": "picture", "label": state, "start": start, "end": seconds}
        yield DrawnFilm(
            suite="tampering", name=f"{state}-{seed}", pictures=_changed(_drawn(scene), make(seed + 10), start),
            fps=scene.fps, conditions=("day",), events=(event,),
        )  # fmt: skip


def approaches(seed: int) -> Iterator[DrawnFilm]:
    """Yield who comes up to a perimeter, by day and at night; his way is the event, five of his lengths."""
    for kind in APPROACHES:
        for light in ("day", "night"):
            pictures = list(approach(kind if light == "day" else f"{kind} at night", 5000 + seed))
            end = len(pictures) / FPS
            event = {"rule": "perimeter", "start": 10.0, "end": end, "within_s": end}
            yield DrawnFilm(
                suite="perimeter", name=f"{kind}-{light}-{seed}", pictures=pictures, fps=FPS,
                conditions=(light, kind), events=(event,),
            )  # fmt: skip


MADE: dict[str, Callable[[int], Iterator[DrawnFilm]]] = {
    "yard": yards, "things": things, "tampering": tampering, "perimeter": approaches,
}  # fmt: skip
"""By suite: its films of a seed."""
