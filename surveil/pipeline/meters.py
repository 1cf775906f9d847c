"""What `prepare` counts a camera's frames with."""

from __future__ import annotations

from surveil.metrics import Metrics
from surveil.types import GateDecision


class Meters:
    """Of one camera. Bound once: finding a series takes ten times as long as counting."""

    def __init__(self, metrics: Metrics, camera: str) -> None:
        self.age = metrics.frame_age.labels(camera)
        self.gates = {gate: metrics.gate.labels(camera, gate.value) for gate in GateDecision}
        self.motion_share = metrics.motion_share.labels(camera)
        self.crops = metrics.crops.labels(camera)
