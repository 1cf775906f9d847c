"""Probes all parts of a configuration in parallel, and estimates the cost of its cameras."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from surveil import logs
from surveil.alerts.signed import KEY, Links
from surveil.app.couriers import make_links
from surveil.app.probe import advice
from surveil.app.probe.host import probe_host
from surveil.app.probe.idle import idle_cores, is_on_demand
from surveil.app.probe.parts import probe_camera, probe_model, probe_offsite, probe_sink, timed
from surveil.app.probe.report import (
    SECONDS,
    Budget,
    CameraReport,
    Cost,
    ModelReport,
    ProbeReport,
    StreamReport,
)
from surveil.app.probe.sight import Sight
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.capture.picture import give_back
from surveil.clock import Clock, Stop, SystemClock
from surveil.config import CameraConfig, Config
from surveil.detect.session import CPU
from surveil.types import Picture

_MOST_THREADS = 128
Part = tuple[str, str]
"""Kind (`camera`, `sink`, `second place`, `model`, `host`) and name."""
BASE_BYTES = 200_000_000
"""Program, model and pages; `python -m benchmarks.cpu` measures it."""
_PICTURES = 5
"""Decoded pictures a camera holds at once (`python -m benchmarks.reconnects`: 15 MB at 1080p)."""
_YUV = 1.5
"""Bytes a pixel."""
_RING_BYTES = 64 << 20
"""Most packets that are kept for clips."""
_LONG_GOP_S = 12.0


def probe(
    config: Config,
    cameras: Iterable[str] | None = None,
    *,
    seconds: float = SECONDS,
    send_test: bool = False,
    clock: Clock | None = None,
    stop: Stop | None = None,
    on_done: Callable[[Part, bool], None] = lambda _part, _ok: None,
    on_picture: Callable[[CameraConfig, Picture], None] = lambda _camera, _picture: None,
) -> ProbeReport:
    """Probe the configuration, or only these of its cameras; `on_done` is told of every part that is through.

    Each stream is watched for `seconds` after its first picture. `stop`, if set meanwhile, ends it early. `on_picture`
    gets the last picture of every camera, on a thread of its own.
    """
    logs.hide(config.secrets)
    clock, stop = clock or SystemClock(), stop or Stop()
    chosen = {name: config.cameras[name] for name in (config.cameras if cameras is None else cameras)}
    began = clock.monotonic()
    found = _side_by_side(
        config, chosen, clock, stop, seconds, send_test=send_test, on_done=on_done, on_picture=on_picture
    )
    give_back()
    model, detector = found["model", ""]
    # Timed when the decoders are quiet.
    model = timed(model, detector) if detector is not None else model
    reports = tuple(found["camera", name] for name in chosen)
    if detector is not None:
        reports = tuple(_sighted(chosen[report.name], report, detector.input.side) for report in reports)
    host, budget = found["host", ""], estimate(chosen, reports, model)
    return ProbeReport(
        config=str(config.path),
        digest=config.digest,
        seconds=round(clock.monotonic() - began, 2),
        cameras=reports,
        model=model,
        sinks=tuple(found["sink", name] for name in config.every_sink),
        offsite=found["second place", ""],
        host=host,
        budget=budget,
        warnings=config.warnings,
        advice=(
            *advice.on_cameras(chosen, reports),
            *advice.on_model(model),
            *advice.on_host(config, host, budget, model),
        ),
    )


def _sighted(camera: CameraConfig, report: CameraReport, input_px: int) -> CameraReport:
    """Return the report with what the model sees in the camera's streams."""

    def seen(stream: StreamReport | None) -> Sight | None:
        if stream is None or not stream.width or not stream.height:
            return None
        return Sight.of(stream.width, stream.height, input_px, camera.detect.min_object_px)

    return replace(report, sight=seen(report.detect), record_sight=seen(report.record))


def _links(config: Config) -> Links | None:
    """Return what makes the links of the daemon; None before it has a key, which is its own to make and to read."""
    may = os.access(config.state_dir / KEY, os.R_OK)
    return make_links(config.http, config.state_dir) if may else None


def _side_by_side(
    config: Config,
    cameras: Mapping[str, CameraConfig],
    clock: Clock,
    stop: Stop,
    seconds: float,
    *,
    send_test: bool,
    on_done: Callable[[Part, bool], None],
    on_picture: Callable[[CameraConfig, Picture], None],
) -> dict[Part, Any]:
    """Return what was found about every part."""
    pins = Pins(config.state_dir / CERTIFICATES, keeps=False)
    with ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="probe") as pool:
        jobs: dict[Future[Any], Part] = {
            pool.submit(probe_camera, camera, clock, stop, seconds, pins, on_picture): ("camera", name)
            for name, camera in cameras.items()
        }
        for name in config.every_sink:
            job = pool.submit(
                probe_sink, config, name, clock, stop, send_test=send_test, links=_links(config)
            )
            jobs[job] = ("sink", name)
        jobs[pool.submit(probe_offsite, config, clock, send_test=send_test)] = ("second place", "")
        jobs[pool.submit(probe_model, config)] = ("model", "")
        jobs[pool.submit(probe_host, config, clock)] = ("host", "")
        try:
            for job in as_completed(jobs):
                found = job.result()
                if found is not None:
                    on_done(jobs[job], found[0].ok if isinstance(found, tuple) else found.ok)
        except BaseException:
            stop.set()
            raise
        return {part: job.result() for job, part in jobs.items()}


def estimate(
    cameras: Mapping[str, CameraConfig], reports: Iterable[CameraReport], model: ModelReport
) -> Budget:
    """Return the cost of each camera that was seen, and of all. Pure.

    One decoder thread a camera, the motion gate at the analysed rate, and the model: at `idle_interval_s` while
    nothing moves, once a picture while something does. On a GPU the model takes next to no CPU. Where decoding is on
    demand, what is looked at and no more is decoded while nothing moves.
    """
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
    full = (stream.fps * stream.cpu_ms + looks * report.gate_ms) / 1000
    idle = (
        idle_cores(stream, camera.stream.idle_reaction_s, report.gate_ms)
        if is_on_demand(camera, stream)
        else None
    )
    inference_s = (model.inference_cpu_ms or 0.0) / 1000 if model.provider == CPU else 0.0
    return Cost(
        cpu_still=round((full if idle is None else idle) + inference_s / camera.detect.idle_interval_s, 3),
        cpu_moving=round(full + inference_s * looks, 3) if model.ok else None,
        memory_bytes=_memory(camera, stream, report.record or stream),
    )


def _memory(camera: CameraConfig, detect: StreamReport, record: StreamReport) -> int:
    pictures = _PICTURES * _YUV * (detect.width or 0) * (detect.height or 0)
    kept_s = camera.evidence.pre_s + camera.evidence.post_s + _LONG_GOP_S if camera.evidence.clip else 0.0
    return round(pictures + min(_RING_BYTES, kept_s * (record.bits_per_second or 0) / 8))
