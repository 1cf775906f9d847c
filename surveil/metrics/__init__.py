"""The metrics of the core, on an injected registry; each feature has its own part.

Base units, `_total` on counters only, one label name `camera`, closed sets for every other label,
and every series that can be known at start exists at 0.
"""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import CollectorRegistry

from surveil.metrics.alerting import DELIVERY, OUTCOMES, AlertMetrics
from surveil.metrics.analysis import STAGES, AnalysisMetrics
from surveil.metrics.capture import STATES, CaptureMetrics
from surveil.metrics.make import Make
from surveil.metrics.part import MetricsPart
from surveil.metrics.process import ProcessMetrics

__all__ = ["DELIVERY", "OUTCOMES", "STAGES", "STATES", "Metrics", "MetricsPart"]

AnyPart = TypeVar("AnyPart", bound=MetricsPart)


class Metrics(CaptureMetrics, AnalysisMetrics, AlertMetrics, ProcessMetrics, MetricsPart):
    """The metric objects of all fields, by name. One instance a process; tests give each its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._make = Make(registry)
        self._parts: dict[type[MetricsPart], MetricsPart] = {}
        CaptureMetrics.__init__(self, self._make)
        AnalysisMetrics.__init__(self, self._make)
        AlertMetrics.__init__(self, self._make)
        ProcessMetrics.__init__(self, self._make)

    def of(self, kind: type[AnyPart]) -> AnyPart:
        """Return a feature's own metrics, made when they are first asked for."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self._make)
        assert isinstance(found, kind)
        return found

    @property
    def parts(self) -> tuple[MetricsPart, ...]:
        """The metrics of features that were asked for."""
        return tuple(self._parts.values())

    def add_camera(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of one camera at 0."""
        self.add_stream(camera)
        self.add_analysis(camera)
        self.add_rules(camera, rules)

    def forget(self, **labels: str) -> None:
        """Remove every series that has these labels, those of features among them: what they name is gone."""
        super().forget(**labels)
        for part in self.parts:
            part.forget(**labels)
