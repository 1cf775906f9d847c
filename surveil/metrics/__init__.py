"""Every metric of surveil, in one place, on an injected registry; a file for each field.

Base units, `_total` on counters only, one label name `camera`, closed sets for every other label,
and every series that can be known at start exists at 0.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from surveil.metrics.alerting import DELIVERY, OUTCOMES, AlertMetrics
from surveil.metrics.analysis import STAGES, AnalysisMetrics
from surveil.metrics.capture import STATES, CaptureMetrics
from surveil.metrics.classifiers import ClassifierMetrics
from surveil.metrics.counts import CountMetrics
from surveil.metrics.make import Make
from surveil.metrics.picture import PictureMetrics
from surveil.metrics.process import ProcessMetrics

__all__ = ["DELIVERY", "OUTCOMES", "STAGES", "STATES", "Metrics"]


class Metrics(
    CaptureMetrics,
    AnalysisMetrics,
    AlertMetrics,
    CountMetrics,
    PictureMetrics,
    ClassifierMetrics,
    ProcessMetrics,
):
    """The metric objects of all fields, by name. One instance a process; tests give each its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        make = Make(registry)
        CaptureMetrics.__init__(self, make)
        AnalysisMetrics.__init__(self, make)
        AlertMetrics.__init__(self, make)
        CountMetrics.__init__(self, make)
        PictureMetrics.__init__(self, make)
        ClassifierMetrics.__init__(self, make)
        ProcessMetrics.__init__(self, make)

    def add_camera(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of one camera at 0."""
        self.add_stream(camera)
        self.add_analysis(camera)
        self.add_rules(camera, rules)

    def forget(self, **labels: str) -> None:
        """Remove every series that has these labels: what they name is gone."""
        for metric in vars(self).values():
            if isinstance(metric, MetricWrapperBase) and labels.keys() <= set(metric._labelnames):  # noqa: SLF001
                metric.remove_by_labels(labels)
