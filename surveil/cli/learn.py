"""`surveil collect`, `surveil evaluate` and `surveil normality …`: what is usual in front of a camera."""

from __future__ import annotations

import signal
from dataclasses import asdict
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
from surveil.cli.pictures import evaluate_pictures
from surveil.clock import Stop, SystemClock
from surveil.config import Config
from surveil.errors import ConfigError, ModelError
from surveil.learn.collect import Bounds, Collected, Collector, learn_collected
from surveil.learn.dataset import load_dataset
from surveil.learn.deploy import NormalityStore, compare, show
from surveil.learn.evaluate import evaluate
from surveil.learn.gate import failures, parse_gate
from surveil.learn.live import Source, collect_live
from surveil.learn.normality import learn_files
from surveil.learn.report import lines, to_json, write_report
from surveil.normality.modelfile import LoadedModel, load
from surveil.normality.words import duration_words
from surveil.types import Polygon

normality = typer.Typer(
    no_args_is_help=True, help="What is usual in front of a camera: learn, evaluate, deploy, rollback, show."
)
Fps = Annotated[float, typer.Option(min=0.1, help="Frames per second of folders of images.")]
Budget = Annotated[float, typer.Option(min=0, max=10_000, help="Alerts per day that are acceptable.")]
ModelPath = Annotated[Path | None, typer.Option("--model", help="A model file; by default the one in use.")]


def evaluate_command(
    dataset: Annotated[
        Path,
        typer.Argument(
            help="DATASET.yaml (name, fps, normal, clips with labels) for learned normality; a folder of pictures "
            "for a classifier."
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    model: Annotated[
        Path | None, typer.Option("--model", help="A model file, or the name of a deployed classifier.")
    ] = None,
    budget: Budget = 0.5,
    gate: Annotated[str, typer.Option(help='Fail unless these hold, such as "frame_auc>=0.97".')] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report with pictures into this folder.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Judge learned normality on labelled footage, or a classifier on labelled pictures, with the code of the daemon.

    Normality: without --model, one is learned from the dataset's `normal:`. A classifier is judged on the pictures
    that it has not learned from. Exit code 1 when a gate does not hold.

        surveil evaluate shelf --model shelf --gate "accuracy>=0.95"
    """
    if dataset.is_dir():
        evaluate_pictures(dataset, model, config, gate, report, json=json)
        return
    conditions = parse_gate(gate) if gate else ()
    data = load_dataset(dataset)
    with bar() as progress:
        judged = evaluate(data, load(model) if model else None, budget, progress)
    if report:
        page = write_report(judged, report)
        errors.print(f"report: {page}", soft_wrap=True)
    console.print_json(to_json(judged)) if json else console.print("\n".join(lines(judged)))
    failed = failures(conditions, judged.values())
    for line in failed:
        errors.print(f"[red]{line}[/]")
    if failed:
        raise typer.Exit(1)


def collect(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="CAMERA... | CAMERA VIDEO...",
            help="Cameras of the configuration to watch; or one camera and recordings of it.",
            autocompletion=complete.cameras,
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    hours: Annotated[float, typer.Option(min=0.001, help="Collect at most so much of each camera.")] = 24.0,
    fps: Fps = 10.0,
    *,
    json: AsJson = False,
) -> None:
    """Record what a learner needs from running cameras, or from recordings of one; goes on where it left off.

    From running cameras it opens their streams itself (a second session, where the daemon runs, too) and leaves
    out what is damaged, ill or in the camera's `exclude_hours`. Ctrl-C keeps what there is. A daemon with
    `normality: {learn: auto}` needs none of this: it learns by itself.
    """
    settings = read_config(config)
    cameras, videos = _targets(settings, targets)
    bounds = Bounds(hours=hours)
    if videos:
        with bar() as progress:
            found = {cameras[0]: _collector(settings, cameras[0], bounds).run_files(videos, fps, progress)}
    else:
        found = _watch(settings, cameras, bounds)
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
            ["recordings are of one camera: name it, such as `surveil collect yard monday.mp4`"]
        )
    return cameras, videos


def _collector(config: Config, camera: str, bounds: Bounds) -> Collector:
    equalise = config.cameras[camera].normality.equalise
    folder = _collected(config, camera)
    return Collector(camera, folder, bounds, _hidden(config, camera), equalise=equalise)


def _watch(config: Config, cameras: list[str], bounds: Bounds) -> dict[str, Collected]:
    """Collect from running cameras until all have their hours, or until Ctrl-C."""
    stop = Stop()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    sources = [_source(config, name, bounds) for name in cameras]
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    try:
        with Progress(*columns, console=errors, transient=True, disable=not shows_progress()) as bar:
            tasks = {source.name: bar.add_task(source.name, total=bounds.hours * 3600) for source in sources}

            def show(camera: str, found: Collected) -> None:
                bar.update(tasks[camera], completed=found.seconds)

            for source in sources:
                show(source.name, source.collector.collected())
            return collect_live(sources, stop, SystemClock(), show)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _source(config: Config, name: str, bounds: Bounds) -> Source:
    camera = config.cameras[name]
    return Source(name, camera.stream, _collector(config, name, bounds), camera.normality, camera.health)


def _hidden(config: Config, camera: str) -> tuple[Polygon, ...]:
    """Return the areas of a camera that its normality does not see."""
    found = config.cameras.get(camera)
    return (*found.undetected, *found.unstored) if found else ()


def _collected(config: Config, camera: str) -> Path:
    return config.state_dir / "collected" / camera


def _store(config: Config, camera: str) -> NormalityStore:
    return NormalityStore(config.state_dir, camera)


def _in_use(config: Config, camera: str) -> LoadedModel:
    found = _store(config, camera).load()
    if found is None:
        raise ModelError(
            f"camera {camera} has no model yet; `surveil normality learn {camera} VIDEO` makes one"
        )
    return found


@normality.command("learn")
def learn(
    camera: Annotated[str, typer.Argument(help="The camera.", autocompletion=complete.cameras)],
    videos: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, help="Normal footage; without: what `surveil collect` recorded."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    fps: Fps = 10.0,
    *,
    go_on: Annotated[bool, typer.Option("--continue", help="Add to the model in use.")] = False,
    deploy: Annotated[bool, typer.Option(help="Put the model into use at once.")] = True,
) -> None:
    """Learn what is usual from normal footage, and put it into use; the running daemon picks it up."""
    settings = read_config(config)
    store = _store(settings, camera)
    base = store.load() if go_on else None
    with bar() as progress:
        if videos:
            model = learn_files(camera, videos, fps, progress, base, hidden=_hidden(settings, camera))
        else:
            model = learn_collected(camera, _collected(settings, camera), base, progress)
    if deploy:
        model = store.deploy(model.model)
    for line in show(model).lines:
        console.print(line)


@normality.command("evaluate")
def evaluate_camera(
    camera: Annotated[str, typer.Argument(help="The camera.", autocompletion=complete.cameras)],
    dataset: Annotated[Path, typer.Argument(help="Held-out footage, DATASET.yaml.")],
    config: ConfigPath = DEFAULT_CONFIG,
    model: ModelPath = None,
    budget: Budget = 0.5,
) -> None:
    """Judge a new model beside the one in use on held-out footage. Exit code 1 when it is worse."""
    settings = read_config(config)
    old = _store(settings, camera).load()
    new = load(model) if model else _in_use(settings, camera)
    with bar() as progress:
        found = compare(new, old if model else None, load_dataset(dataset), budget, progress)
    for report in filter(None, (found.new, found.old)):
        console.print("\n".join(lines(report)) + "\n")
    if not found.better:
        raise typer.Exit(1)


@normality.command("deploy")
def deploy(
    camera: Annotated[str, typer.Argument(help="The camera.", autocompletion=complete.cameras)],
    model: Annotated[Path, typer.Argument(help="The model file.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Put a model into use; the running daemon picks it up."""
    deployed = _store(read_config(config), camera).deploy(load(model, camera).model)
    console.print(f"{deployed.name} is in use")


@normality.command("rollback")
def rollback(
    camera: Annotated[str, typer.Argument(help="The camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Put the model before into use again."""
    console.print(f"{_store(read_config(config), camera).rollback()} is in use")


@normality.command("show")
def show_model(
    camera: Annotated[str, typer.Argument(help="The camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
    budget: Annotated[float | None, typer.Option(min=0, help="By default the camera's.")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw what is usual where into this file.")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Say what the model has seen and what it can vouch for, and how far a running daemon is."""
    settings = read_config(config)
    if camera not in settings.cameras:
        raise ConfigError([f"{config}: cameras: there is no camera {camera}"])
    wanted = settings.cameras[camera].normality.budget if budget is None else budget
    store = _store(settings, camera)
    note = store.noted()
    if store.current() is None and note is not None:
        print_json({"learning": note}) if json else console.print(note.words(SystemClock().wall()))
        return
    shown = show(_in_use(settings, camera), wanted, png)
    if json:
        print_json({**asdict(shown), "learning": note})
        return
    console.print("\n".join(shown.lines))
    if note is not None:
        console.print(note.words(SystemClock().wall()))
