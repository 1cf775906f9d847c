"""Counting: who crosses lines, how many are in zones, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveil.features.base import Feature, Section
from surveil.features.counting.settings import CountingSettings

if TYPE_CHECKING:
    from surveil.metrics import MetricsPart


def _metrics() -> type[MetricsPart]:
    from surveil.features.counting.metrics import CountMetrics  # noqa: PLC0415 - only in the daemon

    return CountMetrics


COUNTING = Feature(
    section=Section(
        name="counting",
        settings=CountingSettings,
        about="Counts of objects that cross lines and stay in zones: what `surveil report` shows.",
    ),
    metrics=_metrics,
)
