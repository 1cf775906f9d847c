"""Figures of merit of rules, with 95 % intervals: Wilson's of shares, the exact one of Poisson counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from statistics import median

from surveil import poisson
from surveil.offline.normality.figures import LEVEL, Estimate
from surveil.offline.rules.matching import EventOutcome, JudgedAlert, JudgedEvent, Kind

_Z = 1.959964
"""Quantile of the normal distribution for LEVEL."""
ALL = "all"
RECALL_BIAS = {"f1_operational": 0.65, "f1_recording": 0.75}
"""Recall bias α for each of the two roles that i-LIDS (Home Office) knows, operational alert and event recording.
i-LIDS sets α by scenario and role, in the user guide of each data set; these two are surveil's own."""
FIGURES = (
    "recall",
    "precision",
    "false_per_hour",
    "p_miss",
    "delay_s",
    "late",
    "repeated",
    *RECALL_BIAS,
)
"""Names of the figures of a group; a gate names `recall` of all, or `GROUP.recall`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFilm:
    """What the figures are made of: a recording's events and alerts."""

    events: tuple[JudgedEvent, ...]
    alerts: tuple[JudgedAlert, ...]
    seconds: float
    conditions: tuple[str, ...]
    """Of the whole recording."""
    types: frozenset[str]
    """Types of the rules that watch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Events and alerts that are judged together: all, those of a type of rule, or those of a condition."""

    name: str
    events: int
    found: int
    late: int
    false: int
    repeated: int
    hours: float | None
    """Of recordings; None where alerts cannot be told to belong to it."""
    delays: tuple[float, ...]
    """Of what was found, s, sorted."""
    p_miss: float
    """Least share that is missed by a threshold on the alerts' score that keeps the false alarms within the rate."""

    @property
    def missed(self) -> int:
        """Events without an alert, in time or late."""
        return self.events - self.found - self.late

    @property
    def figures(self) -> dict[str, Estimate]:
        """Each of FIGURES; NaN where it cannot be had."""
        alone = self.hours is None
        precision = Estimate(nan, nan, nan) if alone else wilson(self.found, self.found + self.false)
        recall = wilson(self.found, self.events)
        return {
            "recall": recall,
            "precision": precision,
            "false_per_hour": per_hour(self.false, self.hours or 0.0),
            "p_miss": _bare(nan if alone else self.p_miss),
            "delay_s": _bare(median(self.delays) if self.delays else nan),
            "late": _bare(float(self.late)),
            "repeated": _bare(float(self.repeated)),
            **{
                name: _bare(f_measure(recall.value, precision.value, bias))
                for name, bias in RECALL_BIAS.items()
            },
        }


def groups(films: Sequence[JudgedFilm], rate: float) -> list[Group]:
    """Return the group of everything, of each type of rule and of each condition. `rate`: false alarms per hour."""
    types = sorted({kind for film in films for kind in film.types})
    conditions = sorted(
        {
            c
            for film in films
            for c in (*film.conditions, *(c for e in film.events for c in e.event.conditions))
        }
    )
    made = [_group(ALL, films, rate)]
    made += [_group(kind, list(_of_type(films, kind)), rate) for kind in types]
    return made + [_of_condition(films, condition, rate) for condition in conditions]


def names(types: Iterable[str], conditions: Iterable[str]) -> list[str]:
    """Return what a gate may name where these types of rules and these conditions are judged."""
    return [*FIGURES, *(f"{group}.{figure}" for group in {*types, *conditions} for figure in FIGURES)]


def values(made: Iterable[Group]) -> dict[str, float]:
    """Return every figure by its name."""
    return {
        name if group.name == ALL else f"{group.name}.{name}": estimate.value
        for group in made
        for name, estimate in group.figures.items()
    }


def _of_type(films: Iterable[JudgedFilm], kind: str) -> Iterator[JudgedFilm]:
    for film in films:
        if kind in film.types:
            yield JudgedFilm(
                events=tuple(e for e in film.events if e.type == kind),
                alerts=tuple(a for a in film.alerts if a.told.alert.type == kind),
                seconds=film.seconds,
                conditions=film.conditions,
                types=frozenset({kind}),
            )


def _of_condition(films: Sequence[JudgedFilm], condition: str, rate: float) -> Group:
    """Return a condition's group. Alerts belong to it where it is one of recordings, not of single events."""
    whole = [film for film in films if condition in film.conditions]
    others = [film for film in films if condition not in film.conditions]
    single = [e for film in others for e in film.events if condition in e.event.conditions]
    if not single:
        return _group(condition, whole, rate)
    return _made(condition, [*single, *(e for film in whole for e in film.events)], [], None, rate)


def _group(name: str, films: Sequence[JudgedFilm], rate: float) -> Group:
    events = [event for film in films for event in film.events]
    alerts = [alert for film in films for alert in film.alerts]
    return _made(name, events, alerts, sum(film.seconds for film in films) / 3600, rate)


def _made(
    name: str, events: Sequence[JudgedEvent], alerts: Sequence[JudgedAlert], hours: float | None, rate: float
) -> Group:
    found = [e for e in events if e.verdict is EventOutcome.FOUND]
    false = [a.told.alert.score for a in alerts if a.kind is Kind.FALSE]
    scores = [e.told.alert.score for e in found if e.told is not None]
    return Group(
        name=name,
        events=len(events),
        found=len(found),
        late=sum(e.verdict is EventOutcome.LATE for e in events),
        false=len(false),
        repeated=sum(a.kind is Kind.REPEATED for a in alerts),
        hours=hours,
        delays=tuple(sorted(e.delay_s for e in found if e.delay_s is not None)),
        p_miss=p_miss(scores, false, len(events), rate * (hours or 0.0)),
    )


def p_miss(found: Sequence[float], false: Sequence[float], events: int, allowed: float) -> float:
    """Return the least share of `events` that is missed while at most `allowed` false alarms are left.

    `found` and `false` are scores; a threshold leaves those at least as high. NaN without events.
    """
    if not events:
        return nan
    kept = [t for t in {*found, *false, inf} if sum(score >= t for score in false) <= allowed]
    return 1 - sum(score >= min(kept) for score in found) / events


def f_measure(recall: float, precision: float, bias: float) -> float:
    """Return the F1 measure of i-LIDS: (bias + 1) R P / (R + bias P). NaN where one of them cannot be had."""
    weighted = recall + bias * precision
    return (bias + 1) * recall * precision / weighted if weighted else weighted


def wilson(hits: int, n: int) -> Estimate:
    """Return a share and its interval; NaN of nothing."""
    if not n:
        return Estimate(nan, nan, nan)
    p, z2 = hits / n, _Z * _Z
    middle, half = p + z2 / (2 * n), _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # The ends of the scale are reached exactly, whatever rounding leaves.
    low = 0.0 if hits == 0 else (middle - half) / (1 + z2 / n)
    return Estimate(p, low, 1.0 if hits == n else (middle + half) / (1 + z2 / n))


def per_hour(count: int, hours: float) -> Estimate:
    """Return a rate and its exact interval; NaN of no time. With none in T hours the upper end is 3.7 / T."""
    if not hours:
        return Estimate(nan, nan, nan)
    low, high = poisson.lower(count, (1 + LEVEL) / 2), poisson.upper(count, (1 + LEVEL) / 2)
    return Estimate(count / hours, low / hours, high / hours)


def _bare(value: float) -> Estimate:
    return Estimate(value, nan, nan)
