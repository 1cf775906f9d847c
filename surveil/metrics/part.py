"""Metrics of one feature: a part of all metrics, made when the feature is first asked for."""

from __future__ import annotations

from prometheus_client.metrics import MetricWrapperBase

from surveil.metrics.make import Make


class MetricsPart:
    """Base of a feature's metrics: its attributes are metrics, made by `make`."""

    def __init__(self, make: Make) -> None:
        """Make the metrics."""

    def sample(self, camera: str) -> None:
        """Create the series that a camera may have: what the reference page of metrics shows."""

    def forget(self, **labels: str) -> None:
        """Remove every series that has these labels: what they name is gone."""
        for metric in vars(self).values():
            if isinstance(metric, MetricWrapperBase) and labels.keys() <= set(metric._labelnames):  # noqa: SLF001
                metric.remove_by_labels(labels)
