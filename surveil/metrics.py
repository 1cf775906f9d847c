"""The metrics of the core, on an injected registry; each feature has its own part.

Base units, `_total` on counters only, one label name `camera`, closed sets for every other label,
and every series that can be known at start exists at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from surveil.errors import Cause
from surveil.reasons import DecodeWhy, Outcome
from surveil.types import GateDecision

QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of buckets for what takes milliseconds."""
AGE_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Bounds of buckets for how old a frame is."""
LATE_S = (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
"""Of one that was kept encoded: it is as old as a group of pictures and some 2 s at most."""


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


OUTCOMES = tuple(Outcome)
DELIVERY = ("pending", "delivered", "dead")


class AlertMetrics:
    """Signals, alerts, evidence, delivery. How deep the outbox is, is counted from the database at each scrape."""

    def __init__(self, make: Make) -> None:
        self.signals = make.counter("surveil_signals", "Signals by outcome.", "camera", "rule", "outcome")
        self.suppressed = make.counter(
            "surveil_signals_suppressed", "Suppressed signals by reason.", "camera", "rule", "reason"
        )
        self.alerts = make.counter("surveil_alerts", "Alerts committed.", "camera", "rule")
        self.rule_errors = make.counter(
            "surveil_rule_errors",
            "Exceptions in a rule; the other rules are not affected.",
            "camera",
            "rule",
        )
        self.capture_to_alert = make.histogram(
            "surveil_capture_to_alert_seconds", "Time from the arrival of a frame until its alert is on disk.",
            buckets=AGE_S,
        )  # fmt: skip
        self.withheld = make.counter(
            "surveil_alerts_withheld", "Alerts withheld, by reason; a digest summarises them.",
            "camera", "reason",
        )  # fmt: skip
        self.evidence_errors = make.counter(
            "surveil_evidence_errors", "Evidence that could not be written, by reason.", "reason"
        )
        self.delivery_attempts = make.counter(
            "surveil_delivery_attempts", "Attempts to deliver, by result.", "sink", "result"
        )

    def add_rules(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of a camera's rules at 0, where they are not there."""
        for rule in rules:
            self.alerts.labels(camera, rule)
            self.rule_errors.labels(camera, rule)
            for outcome in OUTCOMES:
                self.signals.labels(camera, rule, outcome)


STAGES = ("prepare", "detect", "analyse", "commit")
_BATCHES = (1, 2, 4, 8, 16, 32)


class AnalysisMetrics:
    """The gate, the detector, tracks, and the time that stages take."""

    def __init__(self, make: Make) -> None:
        self.gate = make.counter(
            "surveil_gate_decisions", "Analysed frames by decision of the motion gate.", "camera", "decision"
        )
        self.motion_share = make.gauge(
            "surveil_motion_ratio", "Share of the picture that moved in the last analysed frame.", "camera"
        )
        self.crops = make.counter("surveil_detector_crops", "Crops given to the detector.", "camera")
        self.crops_cut = make.counter(
            "surveil_detector_crops_cut",
            "Crops in which there may have been more objects than the model returns or surveil keeps.",
            "camera",
        )
        self.batch = make.histogram(
            "surveil_detector_batch_size", "Crops per inference call.", buckets=_BATCHES
        )
        self.inference = make.histogram(
            "surveil_inference_seconds", "Time of one inference call.", buckets=QUICK_S
        )
        self.objects = make.counter("surveil_detections", "Objects detected, before tracking.", "camera")
        self.tracks = make.gauge("surveil_tracks", "Confirmed tracks in the last analysed frame.", "camera")
        self.stage = make.histogram(
            "surveil_stage_seconds", "Time a frame spent in a stage, without waiting.", "stage", buckets=QUICK_S
        )  # fmt: skip
        self.frame_age = make.histogram(
            "surveil_frame_age_seconds",
            "Age of a frame (time since arrival, plus lag) when its analysis starts.", "camera",
            buckets=AGE_S,
        )  # fmt: skip
        self.late_age = make.histogram(
            "surveil_late_frame_age_seconds",
            "Age, when its analysis starts, of a frame that was kept encoded while the camera was idle.", "camera",
            buckets=LATE_S,
        )  # fmt: skip
        for stage in STAGES:
            self.stage.labels(stage)

    def add_analysis(self, camera: str) -> None:
        """Create the series of the analysis of a camera's frames at 0."""
        for decision in GateDecision:
            self.gate.labels(camera, decision.value)
        for counter in (self.crops, self.crops_cut, self.objects):
            counter.labels(camera)
        for gauge in (self.motion_share, self.tracks):
            gauge.labels(camera).set(0)
        self.frame_age.labels(camera)
        self.late_age.labels(camera)


STATES = (
    "connecting", "waiting_for_keyframe", "streaming", "degraded", "catching_up", "lost", "disabled", "ended",
)  # fmt: skip
"""Of a camera."""


class CaptureMetrics:
    """Connections, received data and lag. The counters of frames belong to a collector: `app/collectors.py`."""

    def __init__(self, make: Make) -> None:
        self.camera_state = make.gauge(
            "surveil_camera_state",
            "1 for the current state of the camera, 0 for the others.",
            "camera",
            "state",
        )
        self.disconnects = make.counter(
            "surveil_camera_disconnects", "Disconnects, by cause.", "camera", "cause"
        )
        self.connects = make.counter("surveil_camera_connects", "Successful connects.", "camera")
        self.address_changes = make.counter(
            "surveil_camera_address_changes",
            "How often the camera was found at another address by its serial number.",
            "camera",
        )
        self.decode_mode = make.gauge(
            "surveil_decode_mode",
            "1 for the current mode of decoding (`full`, `on_demand`) and its reason, 0 for the others.",
            "camera", "mode", "why",
        )  # fmt: skip
        self.kept = make.gauge(
            "surveil_capture_kept_bytes",
            "Encoded video kept in memory while the camera is decoded on demand, as of the last key frame.",
            "camera",
        )
        self.lag = make.gauge(
            "surveil_capture_lag_seconds",
            "Time for which pictures wait to be decoded: the backlog of this host.",
            "camera",
        )
        self.clock_skew = make.gauge(
            "surveil_camera_clock_skew_seconds", "Camera clock (RTCP) minus host clock.", "camera"
        )
        self.corrupt = make.counter(
            "surveil_capture_damage", "Damage events: packet loss, corruption or missing pictures.", "camera"
        )
        self.capture_bytes = make.counter("surveil_capture_bytes", "Encoded video received.", "camera")
        self.decode_info = make.gauge(
            "surveil_capture_info", "Always 1; the labels are codec, resolution, decoder and transport of the stream.",
            "camera", "codec", "resolution", "decoder", "transport",
        )  # fmt: skip

    def add_stream(self, camera: str) -> None:
        """Create the series of a camera's stream at 0."""
        for state in STATES:
            self.camera_state.labels(camera, state).set(0)
        for cause in Cause:
            self.disconnects.labels(camera, cause.value)
        for counter in (self.connects, self.address_changes, self.corrupt, self.capture_bytes):
            counter.labels(camera)
        self.lag.labels(camera).set(0)
        self.kept.labels(camera).set(0)
        for why in DecodeWhy:
            self.decode_mode.labels(camera, why.mode, why.value).set(0)


class ProcessMetrics:
    """What runs, and whether the configuration that runs is the one in the file."""

    def __init__(self, make: Make) -> None:
        self.version = ""
        self.info = make.info("surveil_build", "Version.")
        self.provider = make.info("surveil_execution_provider", "The ONNX Runtime provider in use.")
        self.reload_good = make.gauge(
            "surveil_config_last_reload_successful",
            "1 if the last reload of the configuration succeeded, 0 if it was refused.",
        )
        self.reload_at = make.gauge(
            "surveil_config_last_reload_success_timestamp_seconds",
            "Unix time of the last successful reload.",
        )
        self.restart_wanted = make.gauge(
            "surveil_config_restart_required",
            "1 while the file has changes that need a restart.",
        )

    def add_process(self, *, version: str, config: str, provider: str, model: str, wanted: str) -> None:
        """Say what runs: the version, the configuration's digest, and where the model runs and should."""
        self.version = version
        self.configured(config)
        self.provider.info({"provider": provider, "model": model, "wanted": wanted})

    def configured(self, config: str) -> None:
        """Name the digest of the configuration."""
        self.info.info({"version": self.version, "config": config})


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
