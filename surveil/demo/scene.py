"""A fixed camera's scene with people whose every step is known: frames, boxes, visits, crossings.

Deterministic: frame `i` of a scene is the same on every run and in any order of asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from surveil.demo.backdrop import Picture, Pinhole, backdrop
from surveil.demo.cast import Drawn, draw, noisy, put
from surveil.demo.walks import Walker, busy_yard, passers_by
from surveil.types import Box, Point, Polygon

YARD: Polygon = ((0.28, 0.55), (0.72, 0.55), (0.84, 0.99), (0.16, 0.99))
GATE: tuple[Point, Point] = ((0.5, 0.30), (0.5, 1.0))
_NOISES = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """One person in one frame: the truth."""

    walker: int
    box: Box
    """px, clipped to the picture."""
    visible: float
    """Share of the full box that lies in the picture and behind no nearer person's box, 0..1."""

    @property
    def foot(self) -> Point:
        """Bottom centre of the box, px."""
        return ((self.box[0] + self.box[2]) / 2, self.box[3])


@dataclass(frozen=True, slots=True)
class ScriptedVisit:
    """A person's foot was inside a zone from `t_in` to `t_out`, s of the clip."""

    walker: int
    t_in: float
    t_out: float


@dataclass(frozen=True, slots=True)
class ScriptedCrossing:
    """A person's foot went over a line at `t` s, to the `left` or `right` in the picture."""

    walker: int
    t: float
    direction: str


@dataclass(frozen=True, kw_only=True)
class DrawnScene:
    """A clip of `seconds` s at `fps`; see `default`, `passing` and `still` for ready ones.

    `light`: (t, factor) steps of the lamp. `grey`: as an infrared camera sees it. `noise`: sd in grey levels.
    """

    walkers: tuple[Walker, ...]
    size: tuple[int, int] = (1280, 720)
    fps: int = 15
    seconds: float = 60.0
    seed: int = 0
    car: bool = True
    noise: float = 2.0
    light: tuple[tuple[float, float], ...] = ()
    grey: bool = False
    zones: Mapping[str, Polygon] = field(default_factory=lambda: {"yard": YARD})
    lines: Mapping[str, tuple[Point, Point]] = field(default_factory=lambda: {"gate": GATE})

    @classmethod
    def default(
        cls, seed: int = 0, size: tuple[int, int] = (1280, 720), fps: int = 15, seconds: float = 60.0
    ) -> DrawnScene:
        """People come and go through the yard; somebody waits; nobody is in the picture at both ends."""
        return cls(walkers=busy_yard(seed, seconds), size=size, fps=fps, seconds=seconds, seed=seed)

    @classmethod
    def passing(
        cls,
        seed: int = 0,
        size: tuple[int, int] = (640, 360),
        fps: int = 15,
        people: int = 3,
        seconds: float | None = None,
    ) -> DrawnScene:
        """One person after the other goes straight through, alternately to the right and to the left."""
        walkers = passers_by(seed, people)
        return cls(
            walkers=walkers, size=size, fps=fps, seconds=seconds or walkers[-1].leaves + 1.0, seed=seed
        )

    @classmethod
    def still(
        cls, seed: int = 0, size: tuple[int, int] = (1280, 720), fps: int = 15, seconds: float = 20.0
    ) -> DrawnScene:
        """Nobody: a parked car, a wall, sensor noise."""
        return cls(walkers=(), size=size, fps=fps, seconds=seconds, seed=seed)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return round(self.seconds * self.fps)

    @cached_property
    def _camera(self) -> Pinhole:
        return Pinhole(*self.size)

    @cached_property
    def _backdrops(self) -> list[Picture]:
        """The empty scene under several samples of the sensor's noise."""
        clean = backdrop(self._camera, self.seed, self.car)
        if self.grey:
            clean = np.repeat(clean.mean(-1, keepdims=True).astype(np.uint8), 3, -1)
        return [noisy(clean, self.noise, self.seed * 1000 + k) for k in range(_NOISES)]

    def frame(self, i: int) -> Picture:
        """Draw frame `i`: uint8 BGR (height, width, 3)."""
        which = int(np.random.default_rng([self.seed, i]).integers(_NOISES))
        picture = self._backdrops[which].copy()
        for drawn in self._drawn(i):
            put(picture, drawn, self._camera, self.noise, self.grey)
        factor = self._factor(i / self.fps)
        if factor != 1.0:
            picture = np.asarray(cv2.convertScaleAbs(picture, alpha=factor), np.uint8)
        return picture

    def truth(self, i: int) -> tuple[Figure, ...]:
        """Return everybody of whom something can be seen in frame `i`, the farthest first."""
        drawn = self._drawn(i)
        found = []
        for k, one in enumerate(drawn):
            box = _clip(one.box, self.size)
            if box is not None:
                hidden = max((_overlap(box, nearer.box) for nearer in drawn[k + 1 :]), default=0.0)
                share = _area(box) / _area(one.box)
                found.append(Figure(one.walker.id, box, share * (1 - hidden)))
        return tuple(found)

    def visits(self, zone: str) -> tuple[ScriptedVisit, ...]:
        """Return who was in `zone` and when, in order of coming."""
        outline = np.array(self.zones[zone], np.float32) * np.array(self.size, np.float32)
        found: list[ScriptedVisit] = []
        for walker, feet in self._feet().items():
            inside = [cv2.pointPolygonTest(outline, foot, measureDist=False) >= 0 for _, foot in feet]
            found += _runs(walker, [t for t, _ in feet], inside)
        return tuple(sorted(found, key=lambda v: (v.t_in, v.walker)))

    def crossings(self, line: str) -> tuple[ScriptedCrossing, ...]:
        """Return who crossed `line` and when, in order."""
        a, b = (np.array(p) * self.size for p in self.lines[line])
        found: list[ScriptedCrossing] = []
        for walker, feet in self._feet().items():
            sides = [_side(a, b, foot) for _, foot in feet]
            found += [
                ScriptedCrossing(walker, feet[k][0], "right" if feet[k][1][0] > feet[k - 1][1][0] else "left")
                for k in range(1, len(sides))
                if sides[k] != sides[k - 1] and _within(a, b, feet[k][1])
            ]
        return tuple(sorted(found, key=lambda c: (c.t, c.walker)))

    def _feet(self) -> dict[int, list[tuple[float, Point]]]:
        feet: dict[int, list[tuple[float, Point]]] = {}
        for i in range(self.frames):
            for figure in self.truth(i):
                feet.setdefault(figure.walker, []).append((i / self.fps, figure.foot))
        return feet

    def _factor(self, t: float) -> float:
        return next((factor for start, factor in reversed(self.light) if t >= start), 1.0)

    def _drawn(self, i: int) -> list[Drawn]:
        """Everybody in frame `i` as he is drawn, the farthest first."""
        t = i / self.fps
        present = [w for w in self.walkers if w.arrives <= t <= w.leaves]
        return sorted((draw(w, t, self._camera) for w in present), key=lambda d: -d.z)


def _clip(box: Box, size: tuple[int, int]) -> Box | None:
    x0, y0, x1, y1 = (
        max(box[0], 0.0),
        max(box[1], 0.0),
        min(box[2], float(size[0])),
        min(box[3], float(size[1])),
    )
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlap(box: Box, other: Box) -> float:
    """Share of `box` that lies under `other`."""
    cut = (max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3]))
    return _area(cut) / _area(box) if cut[2] > cut[0] and cut[3] > cut[1] else 0.0


def _runs(walker: int, times: list[float], inside: list[bool]) -> list[ScriptedVisit]:
    visits: list[ScriptedVisit] = []
    for t, is_in, was_in in zip(times, inside, [False, *inside[:-1]], strict=True):
        if is_in:
            start = visits.pop().t_in if was_in else t
            visits.append(ScriptedVisit(walker, start, t))
    return visits


def _side(a: NDArray[np.float64], b: NDArray[np.float64], foot: Point) -> int:
    """1 when `foot` lies to the right of the way from `a` to `b` as one sees it in the picture, else -1."""
    (dx, dy), (px, py) = b - a, foot - a
    return 1 if dx * py - dy * px >= 0 else -1


def _within(a: NDArray[np.float64], b: NDArray[np.float64], foot: Point) -> bool:
    along = float((foot - a) @ (b - a) / ((b - a) @ (b - a)))
    return 0.0 <= along <= 1.0
