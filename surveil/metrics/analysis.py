"""What is counted of the analysis of frames."""

from __future__ import annotations

from surveil.metrics.make import AGE_S, QUICK_S, Make
from surveil.types import GateDecision

STAGES = ("prepare", "detect", "analyse", "commit")
_BATCHES = (1, 2, 4, 8, 16, 32)


class AnalysisMetrics:
    """The gate, the detector, tracks, and the time that stages take."""

    def __init__(self, make: Make) -> None:
        self.gate = make.counter(
            "surveil_gate_decisions", "Analysed frames by what the motion gate decided.", "camera", "decision"
        )
        self.motion_share = make.gauge(
            "surveil_motion_ratio", "Share of the picture that moved in the last analysed frame.", "camera"
        )
        self.crops = make.counter("surveil_detector_crops", "Crops given to the detector.", "camera")
        self.batch = make.histogram(
            "surveil_detector_batch_size", "Crops per inference call.", buckets=_BATCHES
        )
        self.inference = make.histogram(
            "surveil_inference_seconds", "Time of one inference call.", buckets=QUICK_S
        )
        self.objects = make.counter("surveil_detections", "Objects detected, before tracking.", "camera")
        self.tracks = make.gauge("surveil_tracks", "Confirmed tracks in the last analysed frame.", "camera")
        self.stage = make.histogram(
            "surveil_stage_seconds", "Time a frame spent in a stage, waiting not included.", "stage", buckets=QUICK_S
        )  # fmt: skip
        self.frame_age = make.histogram(
            "surveil_frame_age_seconds", "Age of a frame (arrival and lag) when its analysis starts.", "camera",
            buckets=AGE_S,
        )  # fmt: skip
        for stage in STAGES:
            self.stage.labels(stage)

    def add_analysis(self, camera: str) -> None:
        """Create the series of the analysis of a camera's frames at 0."""
        for decision in GateDecision:
            self.gate.labels(camera, decision.value)
        for counter in (self.crops, self.objects):
            counter.labels(camera)
        for gauge in (self.motion_share, self.tracks):
            gauge.labels(camera).set(0)
        self.frame_age.labels(camera)
