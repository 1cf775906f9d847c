"""Probes all parts of a configuration side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from surveil import logs
from surveil.app.probe import advice
from surveil.app.probe.budget import estimate
from surveil.app.probe.camera import probe_camera
from surveil.app.probe.host import probe_host
from surveil.app.probe.parts import probe_model, probe_sink, timed
from surveil.app.probe.report import SECONDS, ProbeReport
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.capture.memory import give_back
from surveil.clock import Clock, Stop, SystemClock
from surveil.config import CameraConfig, Config

_MOST_THREADS = 128
Part = tuple[str, str]
"""Kind (`camera`, `sink`, `model`, `host`) and name."""


def probe(
    config: Config,
    cameras: Iterable[str] | None = None,
    *,
    seconds: float = SECONDS,
    send_test: bool = False,
    clock: Clock | None = None,
    stop: Stop | None = None,
    on_done: Callable[[Part, bool], None] = lambda _part, _ok: None,
) -> ProbeReport:
    """Probe the configuration, or only these of its cameras; `on_done` is told of every part that is through.

    Each stream is watched for `seconds` after its first picture. `stop`, if set meanwhile, ends it early.
    """
    logs.hide(config.secrets)
    clock, stop = clock or SystemClock(), stop or Stop()
    chosen = {name: config.cameras[name] for name in (config.cameras if cameras is None else cameras)}
    began = clock.monotonic()
    found = _side_by_side(config, chosen, clock, stop, seconds, send_test=send_test, on_done=on_done)
    give_back()
    model, detector = found["model", ""]
    # Timed when the decoders are quiet.
    model = timed(model, detector) if detector is not None else model
    reports = tuple(found["camera", name] for name in chosen)
    host, budget = found["host", ""], estimate(chosen, reports, model)
    return ProbeReport(
        config=str(config.path),
        digest=config.digest,
        seconds=round(clock.monotonic() - began, 2),
        cameras=reports,
        model=model,
        sinks=tuple(found["sink", name] for name in config.sinks),
        host=host,
        budget=budget,
        warnings=config.warnings,
        advice=(
            *advice.on_cameras(chosen, reports),
            *advice.on_model(model),
            *advice.on_host(config, host, budget, model),
        ),
    )


def _side_by_side(
    config: Config,
    cameras: Mapping[str, CameraConfig],
    clock: Clock,
    stop: Stop,
    seconds: float,
    *,
    send_test: bool,
    on_done: Callable[[Part, bool], None],
) -> dict[Part, Any]:
    """Return what was found about every part."""
    pins = Pins(config.state_dir / CERTIFICATES, keeps=False)
    with ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="probe") as pool:
        jobs: dict[Future[Any], Part] = {
            pool.submit(probe_camera, camera, clock, stop, seconds, pins): ("camera", name)
            for name, camera in cameras.items()
        }
        for name in config.sinks:
            job = pool.submit(probe_sink, config, name, clock, stop, send_test=send_test)
            jobs[job] = ("sink", name)
        jobs[pool.submit(probe_model, config)] = ("model", "")
        jobs[pool.submit(probe_host, config, clock)] = ("host", "")
        try:
            for job in as_completed(jobs):
                found = job.result()
                on_done(jobs[job], found[0].ok if isinstance(found, tuple) else found.ok)
        except BaseException:
            stop.set()
            raise
        return {part: job.result() for job, part in jobs.items()}
