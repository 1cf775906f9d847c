"""What a soak found: figures, slopes with their intervals, and a page with plots."""

from __future__ import annotations

import html
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from statistics import fmean

EVERY_S = 5.0
WARM_S = 600.0
"""After a start, memory grows for good reasons: caches and arenas fill, and cameras are tried for two groups each.

Of an hour without a kill, 18 MB came in the first ten minutes and 3 MB in the other fifty.
"""
MEAN_S = 60.0
"""A fault changes memory for longer than a sample: samples of one minute are not independent, so they are one point."""
MOST_AGAIN = 0.9
"""Largest autocorrelation that is believed: of a few points it may come out as any."""
WIDTH, HEIGHT, EDGE = 900, 140, 46


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was seen at one moment."""

    at_s: float
    life: int
    """Number of kills before."""
    rss_mb: float
    descriptors: int
    streaming: int
    pending: int


@dataclass(kw_only=True)
class Report:
    """All that was seen."""

    began: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    alerts: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    def now(self) -> float:
        """Return seconds since the beginning."""
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Slope:
    """Growth per hour with its 95 % interval; NaN of too little."""

    value: float
    half: float

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.value:+.2f} ± {self.half:.2f} per hour"


def slope(points: list[tuple[int, float, float]]) -> Slope:
    """Return the common slope of (life, seconds, value) within lives: least squares, every life its own level.

    Points follow one another: what a fault adds to one is partly still there in the next. So the interval counts as
    many independent points as their autocorrelation leaves (Santer et al., 2000, for trends of temperature).
    """
    sums: dict[int, list[float]] = {}
    for life, at, value in points:
        entry = sums.setdefault(life, [0.0, 0.0, 0.0])
        entry[0] += 1
        entry[1] += at
        entry[2] += value
    means = {life: (at / n, value / n) for life, (n, at, value) in sums.items()}
    centred = [(life, at - means[life][0], value - means[life][1]) for life, at, value in points]
    square = sum(x * x for _, x, _ in centred)
    free = len(points) - len(sums) - 1
    if free < 3 or not square:
        return Slope(float("nan"), float("nan"))
    rise = sum(x * y for _, x, y in centred) / square
    rests = [(life, y - rise * x) for life, x, y in centred]
    squares = sum(rest * rest for _, rest in rests)
    error = sqrt(squares / free / square * _fewer(rests, squares))
    return Slope(rise * 3600, 1.96 * error * 3600)


def _fewer(rests: list[tuple[int, float]], squares: float) -> float:
    """Return how many points that follow one another are worth one that is independent, 1 or more."""
    both = sum(a * b for (life, a), (other, b) in pairwise(rests) if life == other)
    again = min(max(both / squares, 0.0), MOST_AGAIN) if squares else 0.0
    return (1 + again) / (1 - again)


def slopes(report: Report) -> dict[str, Slope]:
    """Return how memory (MB) and descriptors grow once the daemon is warm."""
    begins: dict[int, float] = {}
    for one in report.samples:
        begins.setdefault(one.life, one.at_s)
    minutes: dict[tuple[int, int], list[Sample]] = {}
    for one in report.samples:
        if one.at_s - begins[one.life] >= WARM_S:
            minutes.setdefault((one.life, int(one.at_s // MEAN_S)), []).append(one)
    return {
        "memory, MB": slope([_mean(life, found, "rss_mb") for (life, _), found in minutes.items()]),
        "descriptors": slope([_mean(life, found, "descriptors") for (life, _), found in minutes.items()]),
    }


def _mean(life: int, found: list[Sample], name: str) -> tuple[int, float, float]:
    """Return a point of `slope`."""
    return life, fmean(one.at_s for one in found), fmean(getattr(one, name) for one in found)


def words(report: Report) -> str:
    """Return the figures as text."""
    kinds = Counter(
        fault.split(" ", 1)[-1] if fault[:1] == "c" and fault[1:2].isdigit() else fault
        for _, fault in report.faults
    )
    told = ", ".join(f"{n} delivered to {name}" for name, n in report.alerts.items())
    lines = [
        f"{report.now() / 60:.1f} minutes, {len(report.faults)} faults, {report.kills} kills, {told}",
        ", ".join(f"{kind} × {n}" for kind, n in kinds.most_common()),
        *(f"{name}: {value}" for name, value in slopes(report).items()),
        *(f"PROBLEM {problem}" for problem in report.problems),
        f"{len(report.problems)} problems",
    ]
    return "\n".join(lines)


def page(report: Report, *, seed: int, cameras: int) -> str:
    """Return the page."""
    plots = "".join(
        f"<h2>{title}</h2>{plot([(one.at_s, float(getattr(one, name))) for one in report.samples], report.faults)}"
        for title, name in (
            ("Resident memory, MB", "rss_mb"), ("File descriptors", "descriptors"),
            ("Cameras streaming", "streaming"), ("Alerts that wait", "pending"),
        )
    )  # fmt: skip
    return (
        "<!doctype html><meta charset=utf-8><title>surveil soak</title>"
        "<style>body{font:15px sans-serif;max-width:60em;margin:2em auto}pre{white-space:pre-wrap}"
        "svg{background:#f6f6f6;width:100%}</style>"
        f"<h1>Soak: {cameras} cameras, seed {seed}</h1><pre>{html.escape(words(report))}</pre>{plots}"
        "<p>Red marks: faults. A fall of memory to the start: the daemon was killed.</p>"
    )


def plot(points: list[tuple[float, float]], faults: list[tuple[float, str]]) -> str:
    """Return an SVG line over time, in minutes."""
    if not points:
        return "<p>nothing was measured</p>"
    end = max(points[-1][0], 1.0)
    low, high = min(value for _, value in points), max(value for _, value in points)
    span = high - low or 1.0

    def place(at: float, value: float) -> tuple[float, float]:
        return EDGE + at / end * (WIDTH - EDGE), (HEIGHT - 20) * (1 - (value - low) / span) + 5

    line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
    marks = "".join(
        f'<line x1="{place(at, low)[0]:.1f}" x2="{place(at, low)[0]:.1f}" y1="{HEIGHT - 14}" y2="{HEIGHT - 8}"'
        ' stroke="#c00">'
        f"<title>{html.escape(words)}</title></line>"
        for at, words in faults
        if at <= end
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><text x="0" y="14" font-size="11">{high:g}</text>'
        f'<text x="0" y="{HEIGHT - 20}" font-size="11">{low:g}</text>'
        f'<text x="{WIDTH - 60}" y="{HEIGHT}" font-size="11">{end / 60:.1f} min</text>'
        f'<polyline fill="none" stroke="#06c" points="{line}"/>{marks}</svg>'
    )
