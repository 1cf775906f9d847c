"""Probes of one part each: the model, a sink, a camera with its streams in parallel."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from surveil.alerts.delivery import Context
from surveil.alerts.disk import SYSTEM
from surveil.alerts.signed import Links
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.base import SinkSettings
from surveil.app.probe.report import CameraReport, ModelReport, SinkReport, StreamReport
from surveil.app.probe.stream import probe_stream
from surveil.capture.certificates import Pins
from surveil.clock import Clock, Stop, process_cpu_s, thread_cpu_s
from surveil.config import CameraConfig, Config
from surveil.detect import canary
from surveil.detect.detector import Detector, run_on
from surveil.detect.session import wants_gpu
from surveil.errors import ConfigError, ModelError, Rejected, RetryLater, StateError
from surveil.logs import scrub
from surveil.models.store import ModelStore, open_detector
from surveil.reasons import Reason
from surveil.types import Alert, Picture
from surveil.vision.motion import MotionGate, plane_size
from surveil.wording import say

if TYPE_CHECKING:
    from surveil.offsite.places import Place

TIMED_RUNS = canary.RUNS + 2
"""Inferences of `Detector.time_one`: one to warm up, one whose objects are returned."""
TEST = "test"
"""Rule and type of a test message."""
TEST_FILE = "surveil-test.txt"
"""At the second place."""
_LOOKS = 5


def probe_model(config: Config) -> tuple[ModelReport, Detector | None]:
    """Load the model as the daemon would."""
    named = str(config.model.file or config.model.name)
    wanted = "cuda" if wants_gpu(run_on(config.model)) else "cpu"
    try:
        detector = open_detector(config.model, ModelStore(config.state_dir / "models"))
    except ModelError as error:
        return ModelReport(name=named, ok=False, message=scrub(str(error)), wanted=wanted), None
    spec, proof = detector.input, detector.canary
    report = ModelReport(
        name=detector.name,
        ok=True,
        decoder=detector.decoder,
        classes=sum(map(bool, detector.labels)),
        input=f"{spec.width}×{spec.height} {spec.preprocess.channels} {spec.dtype}",
        provider=detector.provider,
        wanted=wanted,
        cpu_inference_ms=round(proof.cpu_seconds * 1000, 2) if proof.cpu_seconds else None,
        agrees=proof.agrees,
    )
    return report, detector


def timed(report: ModelReport, detector: Detector) -> ModelReport:
    """Time one inference; to be called when nothing else runs any more."""
    before = process_cpu_s()
    seconds, _ = detector.time_one()
    cpu_s = (process_cpu_s() - before) / TIMED_RUNS
    return replace(report, inference_ms=round(seconds * 1000, 2), inference_cpu_ms=round(cpu_s * 1000, 2))


def probe_sink(
    config: Config, name: str, clock: Clock, stop: Stop, *, send_test: bool, links: Links | None = None
) -> SinkReport:
    """Connect to one sink; with `send_test`, deliver a message to it, with a link where alerts have one."""
    settings = cast("SinkSettings", config.every_sink[name])
    kind = str(getattr(settings, "type", ""))
    began = clock.monotonic()
    try:
        context = Context(
            name=name, state_dir=config.state_dir, instance=config.instance, clock=clock, stop=stop
        )
        sink = make_sink(settings, context)
        try:
            shown = sink.probe()
            if send_test:
                message = _test_alert(clock)
                sink.send_test(links.tried(message) if links else message)
        finally:
            sink.close()
    except (RetryLater, Rejected, ConfigError) as error:
        return SinkReport(name=name, type=kind, ok=False, message=scrub(str(error)))
    took_ms = round((clock.monotonic() - began) * 1000, 1)
    return SinkReport(
        name=name, type=kind, ok=True, shown=scrub(shown), milliseconds=took_ms, test_sent=send_test
    )


def probe_offsite(config: Config, clock: Clock, *, send_test: bool) -> SinkReport | None:
    """Look at the second place, where one is set; with `send_test`, copy a small file there."""
    settings = config.offsite
    if not settings.is_set:
        return None
    from surveil.offsite.places import make_place  # noqa: PLC0415 - few have one

    scheme = urlsplit(settings.url).scheme or "folder"
    report = SinkReport(name=settings.where, type=scheme, ok=False, test_sent=send_test)
    began = clock.monotonic()
    try:
        with closing(make_place(settings, config.state_dir)) as place:
            shown = place.look()
            if send_test:
                _copy_test(place)
    except (OSError, StateError) as error:
        # Errors of places have words and no number.
        why = str(error).removeprefix("[Errno 0] ")
        return replace(report, message=scrub(why), test_sent=False)
    took_ms = round((clock.monotonic() - began) * 1000, 1)
    return replace(report, ok=True, shown=scrub(shown), milliseconds=took_ms)


def _copy_test(place: Place) -> None:
    with NamedTemporaryFile() as file:
        file.write(b"surveil test file: copies arrive here\n")
        file.flush()
        place.put(Path(file.name), TEST_FILE)


def _test_alert(clock: Clock) -> Alert:
    """Return a message that belongs to no camera and no event."""
    event = str(uuid.uuid4())
    return Alert(
        id=str(uuid.uuid5(uuid.UUID(event), "start")),
        event_id=event,
        camera=SYSTEM,
        rule=TEST,
        type=TEST,
        key=TEST,
        phase="start",
        t=0.0,
        t_wall=clock.wall(),
        score=1.0,
        text=say("surveil test message: delivery works"),
        reason=Reason.INSTANT,
    )


def probe_camera(
    camera: CameraConfig,
    clock: Clock,
    stop: Stop,
    seconds: float,
    pins: Pins | None,
    on_picture: Callable[[CameraConfig, Picture], None],
) -> CameraReport:
    """Watch the camera's streams; a camera works when all of them do. `on_picture` gets its last picture."""
    if not camera.enabled:
        return CameraReport(name=camera.name, ok=True)
    with ThreadPoolExecutor(1) as beside:
        record = beside.submit(_record, camera, clock, stop, seconds, pins)
        detect, picture = probe_stream(camera.stream, clock, stop, seconds=seconds, pins=pins)
        gate_ms = _gate_ms(camera, picture) if picture is not None else None
        if picture is not None:
            on_picture(camera, picture)
        recorded = record.result()
    ok = detect.ok and (recorded is None or recorded.ok)
    return CameraReport(name=camera.name, ok=ok, detect=detect, record=recorded, gate_ms=gate_ms)


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
