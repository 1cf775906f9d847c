"""The page about the metrics, made from the metrics themselves, so that it cannot be wrong.

A registry is filled as the daemon fills its own, with one camera and one sink; what it exposes is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from surveil.alerts.courier import RESULTS
from surveil.alerts.evidence import REASONS
from surveil.alerts.rows import RAISED, Entry
from surveil.app.arming import RuleState
from surveil.app.collectors import (
    DamageCollector,
    DiskCollector,
    EventCollector,
    LedgerCollector,
    LogCollector,
    OutboxCollector,
    RingCollector,
    RuleCollector,
)
from surveil.app.gpu import GpuCollector
from surveil.damage import Damaged
from surveil.errors import Cause
from surveil.features.health.report import PictureFault
from surveil.features.registry import add_metrics
from surveil.logstream import Loss
from surveil.metrics import DELIVERY, OUTCOMES, STAGES, STATES, Metrics
from surveil.pipeline.counters import SignalCounters
from surveil.ring import Drop, FrameCounters
from surveil.types import GateDecision

_HEAD = """\
# Metrics

Made by `make docs` from the code; do not edit. `/metrics` serves them for Prometheus, with the usual
`process_*` and `python_*` figures of the process. A name, a label or a bucket changes only with an entry in
the changelog. The unit is the end of the name; every counter ends in `_total`.

Every label has few values, that the configuration or the code names: nothing from a picture, an address or
a message becomes one. What can be known at the start is there from the start, at 0.
"""
_UNITS = {
    "_timestamp_seconds": "Unix s",
    "_seconds": "s",
    "_bytes": "bytes",
    "_ratio": "share",
    "_celsius": "°C",
}
"""By the end of a name; the first that fits."""
_FIRST = "0.1.0"
_LATER: Mapping[str, str] = {}
"""The version that brought a metric, for those that the first release does not have."""


def _one_of(names: object) -> str:
    assert isinstance(names, (tuple, type(Cause)))
    return ", ".join(f"`{name}`" for name in names)


LABELS = {
    "camera": "Name of the camera in the configuration.",
    "sink": "Name of the sink in the configuration.",
    "rule": "Name of the rule in the configuration, or `camera_lost`.",
    "line": "Name of the line in the configuration.",
    "zone": "Name of the zone in the configuration.",
    "label": "Class of the object, one of the model's; `none` where no classifier is in use.",
    "shadow_label": "Class that the classifier in the shadow said.",
    "direction": "Which way a line was crossed, as it looks in the picture: `left`, `right`, `up`, `down`.",
    "state": (
        f"Of a camera: {_one_of(STATES)}. Of its picture: {_one_of(PictureFault)}. Of an alert: {_one_of(DELIVERY)}."
    ),
    "cause": f"Why the stream was lost: {_one_of(Cause)}.",
    "reason": (
        f"Of a frame that was not analysed: {_one_of(Drop)}. Of evidence that was not written: "
        f"{_one_of((*REASONS, 'database'))}. Of a signal: why it was suppressed. Of a log line that "
        f"was not written: {_one_of(Loss)}."
    ),
    "kind": f"Of what was damaged: {_one_of(Damaged)}.",
    "decision": f"Why the detector looked, or did not: {_one_of(GateDecision)}.",
    "stage": f"Part of the pipeline: {_one_of(STAGES)}.",
    "outcome": f"What became of a signal: {_one_of(OUTCOMES)}; in the ledger also `raised` (all) and `pending`.",
    "result": f"How an attempt to deliver ended: {_one_of(RESULTS)}.",
    "codec": "Codec of the stream.",
    "resolution": "Width x height of the stream, pixels.",
    "decoder": "What decodes it.",
    "transport": "How it arrives.",
    "version": "Version of surveil.",
    "config": "First 12 digits of the configuration's SHA-256.",
    "provider": "ONNX Runtime's execution provider that is used.",
    "model": "Name of the detection model, or of the classifier.",
    "wanted": "Where the model should run, `cpu` or `cuda`; `provider: auto` means the GPU where there is one.",
    "gpu": "Number of the GPU, as `model.gpu` counts them.",
    "le": "Upper bound of a bucket.",
}
"""Every label there is, with its meaning."""


def filled(
    registry: CollectorRegistry, camera: str = "gate", rule: str = "intrusion", sink: str = "ops"
) -> Metrics:
    """Fill a registry as the daemon does at its start, with one camera, one rule and one sink."""
    metrics = Metrics(registry)
    metrics.add_camera(camera, (rule,))
    metrics.add_process(version="0", config="0", provider="CPUExecutionProvider", model="m", wanted="cpu")
    add_metrics(metrics)
    for part in metrics.parts:
        part.sample(camera)
    for result in RESULTS:
        metrics.delivery_attempts.labels(sink, result)
    for reason in (*REASONS, "database"):
        metrics.evidence_errors.labels(reason)
    books = FrameCounters(received=0, processed=0, waiting=0, dropped=dict.fromkeys(Drop, 0))
    registry.register(RingCollector(lambda: {camera: books}))
    registry.register(OutboxCollector(lambda: {sink: dict.fromkeys(DELIVERY, 0)}, lambda: {sink: 0.0}))
    registry.register(EventCollector(list, lambda: {camera: (rule,)}))
    registry.register(DiskCollector(Path("/"), lambda: [camera], dict))
    registry.register(GpuCollector())
    registry.register(DamageCollector(lambda: dict.fromkeys(Damaged, 0)))
    registry.register(LogCollector(lambda: dict.fromkeys(Loss, 0)))
    kept = SignalCounters({Entry(camera, rule, RAISED): 0})
    registry.register(LedgerCollector(kept.totals, lambda: {camera: (rule,)}))
    registry.register(RuleCollector(lambda: [RuleState("", "", armed=False, scheduled=False)]))
    return metrics


def page() -> str:
    """Return `docs/metrics.md`."""
    registry = CollectorRegistry()
    declared = dict(_declared(filled(registry)))
    families = sorted(registry.collect(), key=lambda family: family.name)
    return "\n".join([_HEAD, *_table(families, declared), "", "## Labels", "", *_labels()]) + "\n"


def _declared(metrics: Metrics) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the labels of what has no series yet, by the name of its family."""
    for metric in (one for owner in (metrics, *metrics.parts) for one in vars(owner).values()):
        if isinstance(metric, MetricWrapperBase):
            # The library shows a metric's labels only once a series exists.
            yield next(iter(metric.describe())).name, tuple(metric._labelnames)  # noqa: SLF001


def _table(families: list[Metric], declared: dict[str, tuple[str, ...]]) -> Iterator[str]:
    yield "| name | type | labels | unit | meaning | since |"
    yield "|---|---|---|---|---|---|"
    for family in families:
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = declared.get(family.name) or _seen(family)
        told = ", ".join(f"`{label}`" for label in labels)
        meaning = f"{family.documentation}{_bounds(family)}"
        name, since = f"{family.name}{suffix}", _LATER.get(family.name, _FIRST)
        yield f"| `{name}` | {family.type} | {told} | {_unit(family.name)} | {meaning} | {since} |"


def _unit(name: str) -> str:
    """Return the unit that a name ends in; what counts or is a state has none."""
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _seen(family: Metric) -> tuple[str, ...]:
    seen = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
    # What is collected elsewhere and has no series here, as on a machine without a GPU.
    return tuple(seen or getattr(family, "_labelnames", {}))


def _bounds(family: Metric) -> str:
    """Tell the buckets of a histogram that has a series."""
    bounds = dict.fromkeys(s.labels["le"] for s in family.samples if "le" in s.labels)
    return f" Buckets: {', '.join(bounds)}." if bounds else ""


def _labels() -> Iterator[str]:
    yield "| label | values |"
    yield "|---|---|"
    for label, meaning in LABELS.items():
        yield f"| `{label}` | {meaning} |"
