"""`surveil collect`: what a learner needs, from running cameras or recordings."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from surveil.cli import complete
from surveil.cli.bars import bar
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    errors,
    print_json,
    read_config,
    shows_progress,
)  # fmt: skip
from surveil.clock import Stop, SystemClock
from surveil.config import Config
from surveil.errors import ConfigError
from surveil.features.health.settings import HealthSettings
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.words import duration_words
from surveil.offline.normality.collect import Bounds, Collected, FootageCollector
from surveil.offline.normality.live import FootageSource, collect_live

Fps = Annotated[float, typer.Option(min=0.1, help="Frames per second of folders of images.")]


def collect(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="CAMERA... | CAMERA VIDEO...",
            help="Cameras of the configuration; or one camera and recordings of it.",
            autocompletion=complete.cameras,
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    hours: Annotated[float, typer.Option(min=0.001, help="Maximum footage of each camera, hours.")] = 24.0,
    fps: Fps = 10.0,
    *,
    json: AsJson = False,
) -> None:
    """Collect training data for learned normality from cameras or recordings. Resumable.

    Opens the streams of running cameras itself (a second session beside the daemon's) and skips damaged or faulty
    pictures and the camera's `exclude_hours`. Ctrl-C keeps what was collected. Not needed with
    `normality: {learn: auto}`: the daemon then learns by itself.

    Examples: `surveil collect yard gate --hours 24`; `surveil collect yard monday.mp4 tuesday.mp4`
    """
    settings = read_config(config)
    cameras, videos = _targets(settings, targets)
    bounds = Bounds(hours=hours)
    if videos:
        with bar() as progress:
            found = {cameras[0]: _collector(settings, cameras[0], bounds).run_files(videos, fps, progress)}
    else:
        found = _watch(read_config(config, needs_secrets=True), cameras, bounds)
    if json:
        print_json(found)
        return
    for name, one in found.items():
        line = f"{name}: {duration_words(max(1.0, one.seconds))} in {one.chunks} chunks, {one.bytes / 1e6:.1f} MB"
        console.print(f"{line}, {one.samples} samples{'; the folder is full' if one.full else ''}")
        console.print(f"learn from it: surveil normality learn {name}")


def _targets(config: Config, targets: list[str]) -> tuple[list[str], list[Path]]:
    """Tell cameras from recordings. Raises ConfigError for what is neither, and for recordings of no one camera."""
    cameras = [name for name in dict.fromkeys(targets) if name in config.cameras]
    videos = [Path(name) for name in targets if name not in config.cameras]
    missing = [
        f"{video}: is neither a camera of the configuration nor a file"
        for video in videos
        if not video.exists()
    ]
    if missing:
        raise ConfigError(missing)
    if videos and len(cameras) != 1:
        raise ConfigError(
            ["recordings belong to one camera: name it first, such as `surveil collect yard monday.mp4`"]
        )
    return cameras, videos


def _collector(config: Config, camera: str, bounds: Bounds) -> FootageCollector:
    equalise = config.cameras[camera].section(NormalitySettings).equalise
    folder = collected_in(config, camera)
    return FootageCollector(camera, folder, bounds, config.hidden(camera), equalise=equalise)


def _watch(config: Config, cameras: list[str], bounds: Bounds) -> dict[str, Collected]:
    """Collect from running cameras until all have their hours, or until Ctrl-C."""
    stop = Stop()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    sources = [_source(config, name, bounds) for name in cameras]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    try:
        with Progress(*columns, console=errors, transient=True, disable=not shows_progress()) as shown:
            tasks = {
                source.name: shown.add_task(source.name, total=bounds.hours * 3600) for source in sources
            }

            def show(camera: str, found: Collected) -> None:
                shown.update(tasks[camera], completed=found.seconds)

            for source in sources:
                show(source.name, source.collector.collected())
            return collect_live(sources, stop, SystemClock(), show)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _source(config: Config, name: str, bounds: Bounds) -> FootageSource:
    camera = config.cameras[name]
    return FootageSource(
        name=name,
        stream=camera.stream,
        collector=_collector(config, name, bounds),
        normality=camera.section(NormalitySettings),
        health=camera.section(HealthSettings),
    )


def collected_in(config: Config, camera: str) -> Path:
    """Return the folder of what was collected from a camera."""
    return config.state_dir / "collected" / camera
