"""Every metric of surveil, in one place, on an injected registry.

Base units, `_total` on counters only, one label name `camera`, closed sets for every other label,
and every series that can be known at start exists at 0.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from surveil.errors import Cause
from surveil.types import Gate

STATES = (
    "connecting", "waiting_for_keyframe", "streaming", "degraded", "catching_up", "lost", "disabled", "ended",
)  # fmt: skip
DROPS = ("decimated", "overwritten", "damaged", "lost")
STAGES = ("prepare", "detect", "analyse", "commit")
OUTCOMES = ("opened", "joined", "suppressed")
DELIVERY = ("pending", "delivered", "dead")
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_DWELL = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_AGE = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The metric objects, by name. One instance a process; tests give each its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        r = self.registry = registry
        self.version = ""
        camera = ["camera"]
        # Capture.
        self.camera_state = Gauge(
            "surveil_camera_state",
            "1 for the state the camera is in, else 0.",
            ["camera", "state"],
            registry=r,
        )
        self.disconnects = Counter(
            "surveil_camera_disconnects",
            "Times the stream was lost, by cause.",
            ["camera", "cause"],
            registry=r,
        )
        self.connects = Counter("surveil_camera_connects", "Times the stream was opened.", camera, registry=r)
        self.lag = Gauge(
            "surveil_capture_lag_seconds",
            "How far the stream is behind real time when it arrives.",
            camera,
            registry=r,
        )
        self.clock_skew = Gauge(
            "surveil_camera_clock_skew_seconds", "Camera clock (RTCP) minus host clock.", camera, registry=r
        )
        self.corrupt = Counter(
            "surveil_capture_damage",
            "Times damage (loss, corruption, hole in time) was seen.",
            camera,
            registry=r,
        )
        self.capture_bytes = Counter("surveil_capture_bytes", "Encoded video received.", camera, registry=r)
        self.decode_info = Gauge(
            "surveil_capture_info",
            "1; what the stream is and how it is decoded.",
            ["camera", "codec", "resolution", "decoder", "transport"],
            registry=r,
        )
        # Ring: filled from one locked snapshot per scrape (see RingCollector in app).
        # Gate and detection.
        self.gate = Counter(
            "surveil_gate_decisions",
            "Analysed frames by what the motion gate decided.",
            ["camera", "decision"],
            registry=r,
        )
        self.motion_share = Gauge(
            "surveil_motion_ratio",
            "Share of the picture that moved in the last analysed frame.",
            camera,
            registry=r,
        )
        self.crops = Counter("surveil_detector_crops", "Crops given to the detector.", camera, registry=r)
        self.batch = Histogram(
            "surveil_detector_batch_size",
            "Crops per inference call.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=r,
        )
        self.inference = Histogram(
            "surveil_inference_seconds", "Time of one inference call.", buckets=_FAST, registry=r
        )
        self.objects = Counter(
            "surveil_detections", "Objects detected, before tracking.", ["camera"], registry=r
        )
        self.tracks = Gauge(
            "surveil_tracks", "Confirmed tracks in the last analysed frame.", camera, registry=r
        )
        self.provider = Info(
            "surveil_execution_provider", "The ONNX Runtime provider that is really used.", registry=r
        )
        self.stage = Histogram(
            "surveil_stage_seconds",
            "Time a frame spent in a stage, waiting not included.",
            ["stage"],
            buckets=_FAST,
            registry=r,
        )
        self.frame_age = Histogram(
            "surveil_frame_age_seconds",
            "Age of a frame (arrival and lag) when its analysis starts.",
            camera,
            buckets=_AGE,
            registry=r,
        )
        # Events and alerts.
        self.signals = Counter(
            "surveil_signals", "Signals by what became of them.", ["camera", "rule", "outcome"], registry=r
        )
        self.suppressed = Counter(
            "surveil_signals_suppressed",
            "Suppressed signals by reason.",
            ["camera", "rule", "reason"],
            registry=r,
        )
        self.alerts = Counter("surveil_alerts", "Alerts committed.", ["camera", "rule"], registry=r)
        self.rule_errors = Counter(
            "surveil_rule_errors",
            "Exceptions inside a rule; the other rules went on.",
            ["camera", "rule"],
            registry=r,
        )
        self.capture_to_alert = Histogram(
            "surveil_capture_to_alert_seconds",
            "From the arrival of a frame to its alert being on disk.",
            buckets=_AGE,
            registry=r,
        )
        self.withheld = Counter(
            "surveil_alerts_withheld",
            "Alerts that were not committed, by reason; a digest tells of them.",
            ["camera", "reason"],
            registry=r,
        )
        self.evidence_errors = Counter(
            "surveil_evidence_errors",
            "Evidence that could not be written, by reason.",
            ["reason"],
            registry=r,
        )
        self.delivery_attempts = Counter(
            "surveil_delivery_attempts", "Attempts to deliver, by result.", ["sink", "result"], registry=r
        )
        # Counting.
        self.line_crossings = Counter(
            "surveil_line_crossings",
            "Objects that crossed a line, by direction and class.",
            ["camera", "line", "direction", "label"],
            registry=r,
        )
        self.zone_occupancy = Gauge(
            "surveil_zone_occupancy", "Objects in a zone now.", ["camera", "zone", "label"], registry=r
        )
        self.zone_dwell = Histogram(
            "surveil_zone_dwell_seconds",
            "How long objects stayed in a zone.",
            ["camera", "zone", "label"],
            buckets=_DWELL,
            registry=r,
        )
        # Outbox depth and open events are counted from the database per scrape (see app/collectors.py).
        self.info = Info("surveil_build", "Version.", registry=r)
        # Reload.
        self.reload_good = Gauge(
            "surveil_config_last_reload_successful",
            "1 when the last reload of the configuration was taken, 0 when it was refused.",
            registry=r,
        )
        self.reload_at = Gauge(
            "surveil_config_last_reload_success_timestamp_seconds",
            "When the configuration that runs was taken, Unix time.",
            registry=r,
        )
        self.restart_wanted = Gauge(
            "surveil_config_restart_required",
            "1 while the file says something that only a restart brings.",
            registry=r,
        )

        # What the picture tells.
        self.picture_state = Gauge(
            "surveil_picture_state",
            "1 while the picture is ill in this way.",
            ["camera", "state"],
            registry=r,
        )
        self.picture_changed = Gauge(
            "surveil_picture_changed_timestamp_seconds",
            "When a view that differs was taken for the usual one, Unix time; 0 when never since the start.",
            camera,
            registry=r,
        )
        self._add_normality(r, camera)
        # Your own classifiers.
        self.classifier_in_use = Gauge(
            "surveil_classifier_in_use",
            "1 while a classifier that rules name is deployed; 0: its rules see nothing.",
            ["model"],
            registry=r,
        )
        self.classifier_looks = Counter(
            "surveil_classifier_looks",
            "Crops that a classifier looked at, by the class it said.",
            ["camera", "model", "label"],
            registry=r,
        )
        self.classifier_shadow = Counter(
            "surveil_classifier_shadow_looks",
            "Crops that a shadow looked at, by what the classifier in use said and what the shadow said.",
            ["camera", "model", "label", "shadow_label"],
            registry=r,
        )
        self.classifier_drift = Gauge(
            "surveil_classifier_drift_ratio",
            "How far running scores are from those of the validation split: 0 alike, 1 elsewhere.",
            ["camera", "model"],
            registry=r,
        )
        self.classifier_seconds = Histogram(
            "surveil_classifier_seconds",
            "Time of one inference call of a classifier.",
            buckets=_FAST,
            registry=r,
        )
        for stage in STAGES:
            self.stage.labels(stage)

    def _add_normality(self, r: CollectorRegistry, camera: list[str]) -> None:
        """Make the metrics of learned normality."""
        self.surprise = Gauge(
            "surveil_normality_surprise", "How unusual the last frame was, powers of ten.", camera, registry=r
        )
        self.normality_valid = Gauge(
            "surveil_normality_alerting",
            "1 when the learned model is valid and may alert.",
            camera,
            registry=r,
        )
        self.normality_drift = Gauge(
            "surveil_normality_drift_ratio",
            "Share of high scores in multiples of what was learned: 1 as learned, over 5 invalid.",
            camera,
            registry=r,
        )
        self.normality_model = Gauge(
            "surveil_normality_model_timestamp_seconds",
            "Last footage that the model in use has learned from, Unix time; 0 without a model.",
            camera,
            registry=r,
        )
        self.normality_shadowed = Counter(
            "surveil_normality_shadowed", "Alarms that `shadow` kept from being raised.", camera, registry=r
        )
        self.normality_state = Gauge(
            "surveil_normality_state",
            "1 for the state that learned normality is in, else 0.",
            ["camera", "state"],
            registry=r,
        )
        self.normality_threshold = Gauge(
            "surveil_normality_threshold",
            "Surprise that makes an alarm, powers of ten; infinite without a model.",
            camera,
            registry=r,
        )
        self.normality_learned = Gauge(
            "surveil_normality_learned_seconds",
            "Footage behind what is usual, that in use and that since learned.",
            camera,
            registry=r,
        )
        self.normality_progress = Gauge(
            "surveil_normality_progress_ratio",
            "Footage seen, as a share of what vouching for the budget takes.",
            camera,
            registry=r,
        )
        self.normality_held = Counter(
            "surveil_normality_held_seconds",
            "Footage that was not learned from, by reason.",
            ["camera", "reason"],
            registry=r,
        )

    def add_process(self, *, version: str, config: str, provider: str, model: str, wanted: str) -> None:
        """Say what runs: the version, the configuration's digest, and where the model runs and should."""
        self.version = version
        self.configured(config)
        self.provider.info({"provider": provider, "model": model, "wanted": wanted})

    def configured(self, config: str) -> None:
        """Name the digest of the configuration."""
        self.info.info({"version": self.version, "config": config})

    def add_classifier(
        self, model: str, cameras: tuple[str, ...], labels: tuple[str, ...], shadow_labels: tuple[str, ...]
    ) -> None:
        """Create the series of a classifier at 0; without labels nothing is deployed."""
        self.classifier_in_use.labels(model).set(bool(labels))
        for camera in cameras:
            self.classifier_drift.labels(camera, model)
            for label in labels:
                self.classifier_looks.labels(camera, model, label)
            for label in labels or ("none",):
                for other in shadow_labels:
                    self.classifier_shadow.labels(camera, model, label, other)

    def forget(self, **labels: str) -> None:
        """Remove every series that has these labels: what they name is gone."""
        for metric in vars(self).values():
            if isinstance(metric, MetricWrapperBase) and labels.keys() <= set(metric._labelnames):  # noqa: SLF001
                metric.remove_by_labels(labels)

    def forget_picture(self, camera: str) -> None:
        """Remove the series of those who look at a camera's picture: others take their place, or nobody."""
        for metric in (
            self.picture_state, self.surprise, self.normality_valid, self.normality_drift, self.normality_shadowed,
            self.normality_state, self.normality_threshold, self.normality_learned, self.normality_progress,
            self.normality_held, self.normality_model, self.picture_changed,
        ):  # fmt: skip
            metric.remove_by_labels({"camera": camera})

    def forget_counts(self, camera: str) -> None:
        """Remove the series of what is counted at a camera."""
        for metric in (self.line_crossings, self.zone_occupancy, self.zone_dwell):
            metric.remove_by_labels({"camera": camera})

    def add_camera(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of one camera at 0."""
        for state in STATES:
            self.camera_state.labels(camera, state).set(0)
        for cause in Cause:
            self.disconnects.labels(camera, cause.value)
        for decision in Gate:
            self.gate.labels(camera, decision.value)
        for metric in (self.connects, self.corrupt, self.capture_bytes, self.crops, self.objects):
            metric.labels(camera)
        for gauge in (self.lag, self.motion_share, self.tracks):
            gauge.labels(camera).set(0)
        self.frame_age.labels(camera)
        self.add_rules(camera, rules)

    def add_rules(self, camera: str, rules: tuple[str, ...]) -> None:
        """Create the series of a camera's rules at 0, where they are not there."""
        for rule in rules:
            self.alerts.labels(camera, rule)
            self.rule_errors.labels(camera, rule)
            for outcome in OUTCOMES:
                self.signals.labels(camera, rule, outcome)

    def add_zone(self, camera: str, zone: str, label: str) -> None:
        """Create the series of one class that is counted in a zone, at 0."""
        self.zone_occupancy.labels(camera, zone, label).set(0)
        self.zone_dwell.labels(camera, zone, label)

    def add_line(self, camera: str, line: str, direction: str, label: str) -> None:
        """Create the series of one class that is counted over a line, at 0."""
        self.line_crossings.labels(camera, line, direction, label)
