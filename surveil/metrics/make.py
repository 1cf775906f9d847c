"""Makes metrics on one registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of buckets for what takes milliseconds."""
AGE_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bounds of buckets for how old a frame is."""


@dataclass(frozen=True, slots=True)
class Make:
    """Each method makes one metric of a name, a meaning and labels. The registry refuses a name twice."""

    registry: CollectorRegistry

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """Make a counter; `name` without `_total`."""
        return Counter(name, meaning, labels, registry=self.registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """Make a gauge."""
        return Gauge(name, meaning, labels, registry=self.registry)

    def histogram(self, name: str, meaning: str, *labels: str, buckets: Sequence[float]) -> Histogram:
        """Make a histogram; `buckets`: upper bounds."""
        return Histogram(name, meaning, labels, buckets=buckets, registry=self.registry)

    def info(self, name: str, meaning: str) -> Info:
        """Make an information; `name` without `_info`."""
        return Info(name, meaning, registry=self.registry)
