"""A table of budgets: the threshold of each, what it finds, and whether a daemon would alert at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surveil.clock import DAY_S
from surveil.features.normality.budget import COUNTED, MIN_ALARMS, REACH, Threshold, least_budget
from surveil.features.normality.judge import footage_status
from surveil.features.normality.model import SceneModel
from surveil.features.normality.words import duration_words

EXPECTED = (COUNTED, 10.0, MIN_ALARMS)
"""Budgets of the table, in alarms that they allow in the held-out footage: from the least that has a threshold of its
own to the one that the footage supports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a threshold finds in labelled footage."""

    events: int
    found: int
    false_alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """One budget of the table."""

    threshold: Threshold
    found: Found | None
    """None: a daemon would not alert at this budget."""

    @property
    def state(self) -> str:
        """What a daemon with this budget and this footage is: learning, provisional, ready."""
        return footage_status(self.threshold).state.value


def alerting_threshold(model: SceneModel, budget: float) -> Threshold:
    """Return the threshold of `budget`, or of the least budget at which a daemon would alert with this footage."""
    asked = model.threshold(budget)
    if asked.supported or not asked.held_out_s:
        return asked
    return model.threshold(least_budget(asked.held_out_s))


def budgets(model: SceneModel, asked: float) -> tuple[Threshold, ...]:
    """Return the thresholds of the table, the rarest alarms first."""
    seconds = model.peaks.seconds
    wanted = {asked, *(n * DAY_S / seconds for n in EXPECTED if seconds > 0)}
    return tuple(model.threshold(budget) for budget in sorted(wanted))


def table_lines(rows: Sequence[BudgetRow]) -> list[str]:
    """Return the table as text."""
    found = [f"{'alarms a day':>12}  threshold  in footage   events  false alarms  daemon"]
    return found + [_line(row) for row in rows]


def _line(row: BudgetRow) -> str:
    threshold, what = row.threshold, row.found
    budget = f"{threshold.budget:12.4g}"
    if what is None:
        return f"{budget}  {'-':>9}  {'-':>10}  {'-':>7}  {'-':>12}  {row.state}{_until(threshold)}"
    events = f"{what.found}/{what.events}"
    return f"{budget}  {threshold.value:9.2f}  {threshold.seen:10}  {events:>7}  {what.false_alarms:12}  {row.state}"


def _until(threshold: Threshold) -> str:
    if threshold.budget <= 0:
        return ""
    return f", alerts after {duration_words(DAY_S / (REACH * threshold.budget))} of footage"
