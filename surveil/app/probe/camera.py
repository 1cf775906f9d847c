"""One camera: its streams side by side, and what looking at a picture of it costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from surveil.app.probe.report import CameraReport, StreamReport
from surveil.app.probe.stream import probe_stream
from surveil.capture.certificates import Pins
from surveil.clock import Clock, Stop, thread_cpu_s
from surveil.config import CameraConfig
from surveil.types import Picture
from surveil.vision.motion import MotionGate, plane_size

_LOOKS = 5


def probe_camera(
    camera: CameraConfig, clock: Clock, stop: Stop, seconds: float, pins: Pins | None = None
) -> CameraReport:
    """Watch the camera's streams; a camera works when all of them do."""
    if not camera.enabled:
        return CameraReport(camera.name, ok=True)
    with ThreadPoolExecutor(1) as beside:
        record = beside.submit(_record, camera, clock, stop, seconds, pins)
        detect, picture = probe_stream(camera.stream, clock, stop, seconds=seconds, pins=pins)
        gate_ms = _gate_ms(camera, picture) if picture is not None else None
        recorded = record.result()
    ok = detect.ok and (recorded is None or recorded.ok)
    return CameraReport(camera.name, ok, detect, recorded, gate_ms)


def _record(
    camera: CameraConfig, clock: Clock, stop: Stop, seconds: float, pins: Pins | None
) -> StreamReport | None:
    if camera.record is None:
        return None
    return probe_stream(camera.record, clock, stop, seconds=seconds, decode=False, pins=pins)[0]


def _gate_ms(camera: CameraConfig, picture: Picture) -> float:
    """Return the CPU time of the small brightness plane and the motion gate, ms."""
    size = (picture.width, picture.height)
    gate = MotionGate(camera.motion, idle_interval_s=camera.detect.idle_interval_s)
    plane = plane_size(*size, camera.detect.min_object_px)
    start = thread_cpu_s()
    for look in range(_LOOKS):
        gate.update(picture.luma(*plane), look / camera.detect.fps, size)
    return round((thread_cpu_s() - start) / _LOOKS * 1000, 2)
