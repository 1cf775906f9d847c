"""Advice about settings that work but cost too much or will fail later. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from surveil import extras
from surveil.app.probe.idle import idle_cores, is_on_demand
from surveil.app.probe.report import Advice, Budget, CameraReport, HostReport, ModelReport, StreamReport
from surveil.capture.pace import SLACK
from surveil.config import CameraConfig, Config
from surveil.detect.session import CPU

_LARGE_PX = 1280 * 960
_FAR = 0.08
"""Share of the picture's height; a person of 1.75 m is as high at about 20 m from a lens that sees 60° up and down."""
_FAST = 3.5
"""So many times as many pictures as are analysed are too many."""
_LONG_GOP_S = 4.0
_SLOW_START_S = 4.0
_SKEW_S = 2.0
"""Beyond this the daemon does not believe a camera's clock."""
_CLOCK_RUNS = 0.07
"""Time stamps that run faster or slower than real time by more than this are worth a word."""
_BUSY = 0.8
_DISK_SHARE = 0.05


def on_cameras(cameras: Mapping[str, CameraConfig], reports: tuple[CameraReport, ...]) -> Iterator[Advice]:
    """Advise on every camera."""
    for report in reports:
        camera, about = cameras[report.name], f"camera {report.name}"
        if report.detect is not None and report.detect.ok:
            for code, text in _on_detect(camera, report.detect):
                yield Advice(code, about, text)
            for code, text in (*_on_key_frames(camera, report), *_on_sight(report)):
                yield Advice(code, about, text)
        for stream in (report.detect, report.record):
            if stream is not None:
                for code, text in _on_stream(stream):
                    yield Advice(code, about, text)
        if camera.enabled and not camera.rules:
            yield Advice("no_rules", about, "it has no rules and never alerts: add `rules`")


def _on_detect(camera: CameraConfig, stream: StreamReport) -> Iterator[tuple[str, str]]:
    fps, wanted = stream.fps or 0.0, camera.detect.fps
    size = f"{stream.width}×{stream.height}"
    if (stream.width or 0) * (stream.height or 0) > _LARGE_PX:
        main = "" if camera.record else ", and this one as `streams.record`"
        yield (
            "substream",
            (
                f"{size} is decoded for analysis; use the camera's sub-stream (640 to 1280 wide) as "
                f"`streams.detect`{main}"
            ),
        )
    if fps > _FAST * wanted:
        yield (
            "fps_high",
            (
                f"it sends {fps:.0f} fps and {wanted:g} fps are analysed: set this stream to about "
                f"{2 * wanted:.0f} fps; decoding is most of a camera's cost"
            ),
        )
    if 0 < fps < 0.8 * wanted:
        yield (
            "fps_low",
            (
                f"it sends {fps:.1f} fps and `detect.fps` is {wanted:g}: raise the camera's frame rate or "
                "lower `detect.fps`"
            ),
        )
    if stream.state == "catching_up":
        yield (
            "behind",
            (
                f"decoding is {stream.lag_s or 0:.1f} s behind: this machine is too slow for the stream; use"
                " a sub-stream, a lower frame rate, or `hwaccel`"
            ),
        )


def _on_sight(report: CameraReport) -> Iterator[tuple[str, str]]:
    """Advise on the stream that is analysed, where people are large or small in it only."""
    here, there = report.sight, report.record_sight
    if here is None or here.close_share <= _FAR:
        return
    remedy = "use a stream of the camera with more rows as `streams.detect`"
    if there is not None and there.close_share < here.close_share:
        record = report.record
        size = f"{record.width}×{record.height}" if record else ""
        remedy = (
            f"the record stream ({size}) shows them from {there.close_share:.1%}: use it as `streams.detect`"
        )
    yield (
        "small_people",
        (
            f"people are seen from {here.close_share:.1%} of the picture's height ({here.close_px} px): whoever is "
            f"farther away is missed; if that matters, {remedy}, or lower `detect.min_object_px`"
        ),
    )


def _on_key_frames(camera: CameraConfig, report: CameraReport) -> Iterator[tuple[str, str]]:
    """Advise on the interval at which decoding on demand costs least."""
    reaction_s, stream = camera.stream.idle_reaction_s, report.detect
    if stream is None or not stream.fps or not stream.gop_s or not is_on_demand(camera, stream):
        return
    if not SLACK * reaction_s < stream.gop_s <= _LONG_GOP_S:
        return
    pictures = round(reaction_s * stream.fps)
    advised = replace(stream, gop_s=reaction_s, gop_frames=pictures)
    now, then = (idle_cores(one, reaction_s, report.gate_ms or 0.0) for one in (stream, advised))
    spared = (
        f", which takes {then:.3f} instead of {now:.3f} cores while nothing moves" if now and then else ""
    )
    yield (
        "key_frames",
        (
            f"a key frame comes every {stream.gop_s:.1f} s, and an idle camera is looked at every {reaction_s:g} s: "
            f"set its key frame interval to {pictures} pictures{spared}, or `idle_reaction_s` to {stream.gop_s:.1f}; "
            "what stays for less than that may be missed"
        ),
    )


def _on_stream(stream: StreamReport) -> Iterator[tuple[str, str]]:
    gop_s = stream.gop_s or stream.gop_longer_than_s or 0.0
    if gop_s > _LONG_GOP_S and stream.pictures:
        often = f"every {gop_s:.1f} s" if stream.gop_s else f"less often than every {gop_s:.0f} s"
        yield (
            "long_gop",
            (
                f"a key frame comes {often}: after a loss or a reconnect nothing is decoded until the next; set the "
                "camera's key frame (I-frame) interval to 1 or 2 s"
            ),
        )
    elif (stream.first_picture_s or 0.0) > _SLOW_START_S:
        yield (
            "slow_start",
            (
                f"the first picture came after {stream.first_picture_s:.1f} s: check the load of the camera "
                "and the network"
            ),
        )
    if stream.damage and stream.transport == "udp":
        yield (
            "udp_loss",
            "pictures are damaged by packet loss: set `transport: tcp` if the camera supports it",
        )
    elif stream.damage:
        yield (
            "damage",
            f"pictures were damaged ({stream.damage} times): check cable, Wi-Fi and the camera's load",
        )
    if stream.stamp_rate is not None and abs(stream.stamp_rate - 1) > _CLOCK_RUNS:
        yield (
            "clock_rate",
            (
                f"its time stamps run at {stream.stamp_rate:.2f} of real time: nothing is late or lost, and pictures "
                "are timed by their arrival; set a frame rate that the camera reaches, or update its firmware"
            ),
        )
    if abs(stream.clock_skew_s or 0.0) > _SKEW_S:
        skew = stream.clock_skew_s or 0.0
        side = "ahead" if skew > 0 else "behind"
        yield (
            "clock_skew",
            (
                f"its clock is {_span(abs(skew))} {side}: enable NTP on the camera; until then this "
                "machine's clock is used"
            ),
        )


def on_model(model: ModelReport) -> Iterator[Advice]:
    """Advise on the model."""
    if model.ok and model.wanted == "cuda" and model.provider == CPU:
        yield Advice(
            "model_on_cpu",
            "model",
            "it runs on the CPU although a GPU is present or requested: install the GPU build with "
            f"`{extras.command(extras.Extra.CUDA)}`; `require_gpu: true` makes this an error",
        )
    if model.agrees is False:
        yield Advice(
            "gpu_disagrees",
            "model",
            "the GPU finds other objects than the CPU: set `provider: cpu` and update the driver",
        )


def on_host(config: Config, host: HostReport, budget: Budget, model: ModelReport) -> Iterator[Advice]:
    """Advise on this machine and on all cameras together."""
    found = (_on_load(host, budget), _on_detector(config, budget, model), _on_disk(config, host))
    for code, text in (one for part in found for one in part):
        yield Advice(code, "host", text)
    if host.clock_synchronised is False:
        yield Advice(
            "clock_free",
            "host",
            "this machine's clock is not synchronised: install chrony or systemd-timesyncd",
        )
    if not config.sinks:
        yield Advice("no_sinks", "host", "there are no sinks: alerts stay in the database; add `sinks`")


def _on_load(host: HostReport, budget: Budget) -> Iterator[tuple[str, str]]:
    need = f"the cameras need an estimated {budget.cpu_still:.1f} of {host.cores} cores"
    if budget.cpu_still > _BUSY * host.cores:
        yield "cpu", f"{need} while nothing moves: use sub-streams, lower frame rates, or `hwaccel`"
    elif (budget.cpu_moving or 0.0) > host.cores:
        yield (
            "cpu_moving",
            (
                f"the cameras need an estimated {budget.cpu_moving:.1f} of {host.cores} cores while something moves in"
                f" all of them: excess frames will be dropped and counted"
            ),
        )
    if host.memory_available_bytes is not None and budget.memory_bytes > host.memory_available_bytes:
        mb, free_mb = budget.memory_bytes / 1e6, host.memory_available_bytes / 1e6
        yield (
            "memory",
            f"an estimated {mb:.0f} MB are needed and {free_mb:.0f} MB are available: use sub-streams or fewer cameras",
        )


def _on_detector(config: Config, budget: Budget, model: ModelReport) -> Iterator[tuple[str, str]]:
    wanted = sum(config.cameras[name].detect.fps for name in budget.cameras)
    can = 1000 / model.inference_ms if model.inference_ms else float("inf")
    if wanted > can:
        yield (
            "detector_load",
            (
                f"the model can analyse {can:.0f} frames a second and all cameras request up to {wanted:.0f}: "
                "lower `detect.fps`, or use a GPU"
            ),
        )


def _on_disk(config: Config, host: HostReport) -> Iterator[tuple[str, str]]:
    free, size = host.disk_free_bytes, host.disk_size_bytes
    if free is None or not size:
        return
    most = sum(camera.evidence.max_bytes for camera in config.cameras.values())
    if free < _DISK_SHARE * size:
        yield (
            "disk_full",
            f"{free / 1e9:.1f} GB of {size / 1e9:.0f} GB are free for `state_dir`: delete files or use another disk",
        )
    elif most > free:
        yield (
            "disk_small",
            (
                f"evidence may grow to {most / 1e9:.0f} GB and {free / 1e9:.0f} GB are free: the oldest is deleted "
                f"first; lower `evidence.max_bytes` to reserve space"
            ),
        )


def _span(seconds: float) -> str:
    """Return a length of time for people."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
