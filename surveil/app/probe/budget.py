"""What the cameras are estimated to take, from what was measured. Pure.

One decoder thread a camera, the motion gate at the analysed rate, and the model: at `idle_interval_s` while
nothing moves, once a picture while something does. On a GPU the model takes next to no CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surveil.app.probe.report import Budget, CameraReport, Cost, ModelReport, StreamReport
from surveil.config import CameraConfig
from surveil.detect.session import CPU

BASE_BYTES = 200_000_000
"""Program, model and pages; `python -m benchmarks.cpu` measures it."""
_PICTURES = 5
"""Decoded pictures a camera holds at once (`python -m benchmarks.reconnects`: 15 MB at 1080p)."""
_YUV = 1.5
"""Bytes a pixel."""
_RING_BYTES = 64 << 20
"""Most packets that are kept for clips."""
_LONG_GOP_S = 12.0


def estimate(
    cameras: Mapping[str, CameraConfig], reports: Iterable[CameraReport], model: ModelReport
) -> Budget:
    """Return the cost of each camera that was seen, and of all."""
    costs = {r.name: _cost(cameras[r.name], r, model) for r in reports if r.detect is not None}
    moving = [cost.cpu_moving for cost in costs.values() if cost.cpu_moving is not None]
    return Budget(
        cameras=costs,
        cpu_still=round(sum(cost.cpu_still or 0.0 for cost in costs.values()), 3),
        cpu_moving=round(sum(moving), 3) if moving or not costs else None,
        memory_bytes=BASE_BYTES + sum(cost.memory_bytes or 0 for cost in costs.values()),
    )


def _cost(camera: CameraConfig, report: CameraReport, model: ModelReport) -> Cost:
    stream = report.detect
    if stream is None or not stream.fps or stream.cpu_ms is None or report.gate_ms is None:
        return Cost(None, None, None)
    looks = min(stream.fps, camera.detect.fps)
    still = (stream.fps * stream.cpu_ms + looks * report.gate_ms) / 1000
    inference_s = (model.inference_cpu_ms or 0.0) / 1000 if model.provider == CPU else 0.0
    return Cost(
        cpu_still=round(still + inference_s / camera.detect.idle_interval_s, 3),
        cpu_moving=round(still + inference_s * looks, 3) if model.ok else None,
        memory_bytes=_memory(camera, stream, report.record or stream),
    )


def _memory(camera: CameraConfig, detect: StreamReport, record: StreamReport) -> int:
    pictures = _PICTURES * _YUV * (detect.width or 0) * (detect.height or 0)
    kept_s = camera.evidence.pre_s + camera.evidence.post_s + _LONG_GOP_S if camera.evidence.clip else 0.0
    return round(pictures + min(_RING_BYTES, kept_s * (record.bits_per_second or 0) / 8))
