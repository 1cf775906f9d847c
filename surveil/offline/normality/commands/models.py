"""`surveil normality …`: what is usual in front of a camera."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from surveil.cli import complete
from surveil.cli.bars import bar
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    print_json,
    read_config,
    warn,
)  # fmt: skip
from surveil.clock import SystemClock
from surveil.config import Config
from surveil.errors import ConfigError, ModelError
from surveil.features.normality.modelfile import LoadedModel, load
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.store import NormalityStore
from surveil.offline.normality.collect import learn_collected
from surveil.offline.normality.commands.collect import Fps, collected_in
from surveil.offline.normality.commands.footage import Budget, write_model
from surveil.offline.normality.dataset import load_dataset
from surveil.offline.normality.deploy import compare, show
from surveil.offline.normality.normality import Progress, learn_files
from surveil.offline.normality.report import lines

ModelPath = Annotated[Path | None, typer.Option("--model", help="Model file; default: the deployed one.")]


def _opened(config: Path, camera: str) -> tuple[Config, NormalityStore]:
    """Return the configuration and a camera's models. Raises ConfigError for a camera that it does not have."""
    settings = read_config(config)
    settings.camera(camera)
    return settings, NormalityStore(settings.state_dir, camera)


def _in_use(store: NormalityStore) -> LoadedModel:
    found = store.load()
    if found is None:
        raise ModelError(
            f"camera {store.camera} has no model yet; `surveil normality learn {store.camera} VIDEO` makes one"
        )
    return found


def learn(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    videos: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, help="Normal footage; default: what `surveil collect` recorded."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    fps: Fps = 10.0,
    *,
    go_on: Annotated[bool, typer.Option("--continue", help="Add to the deployed model.")] = False,
    deploy: Annotated[bool, typer.Option(help="Deploy the model at once.")] = True,
    output: Annotated[Path | None, typer.Option(help="Also write the model to this file.")] = None,
) -> None:
    """Learn normal activity from footage and deploy the model.

    Models of objects (class, place, speed, dwell time) are not learned from recordings: only the daemon tracks objects.
    Footage without times is dated today.

    Examples: `surveil normality learn yard`;
    `surveil normality learn yard monday.mp4 --no-deploy --output new.npz`
    """
    if not deploy and output is None:
        raise ConfigError(["--no-deploy: the model would be lost; add --output FILE"])
    settings, store = _opened(config, camera)
    base = store.load() if go_on else None
    with bar() as progress:
        model = _learned(settings, camera, videos or [], fps, progress, base)
    if output is not None:
        write_model(model, output)
    if deploy:
        model = store.deploy(model.model)
    for line in show(model, settings.cameras[camera].section(NormalitySettings).budget).lines:
        console.print(line)


def _learned(
    config: Config, camera: str, videos: list[Path], fps: float, progress: Progress, base: LoadedModel | None
) -> LoadedModel:
    wanted, now = config.cameras[camera].section(NormalitySettings), SystemClock().wall()
    if videos:
        return learn_files(
            camera, videos, fps, progress, base, equalise=wanted.equalise, hidden=config.hidden(camera),
            half_life_days=wanted.half_life_days, start_wall=now,
        )  # fmt: skip
    folder = collected_in(config, camera)
    return learn_collected(
        camera, folder, base, progress, half_life_days=wanted.half_life_days, start_wall=now
    )


def evaluate_camera(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    dataset: Annotated[Path, typer.Argument(help="Held-out footage, DATASET.yaml.")],
    config: ConfigPath = DEFAULT_CONFIG,
    model: ModelPath = None,
    budget: Budget = 0.5,
) -> None:
    """Compare a new model with the deployed one on held-out footage. Exit code 1 if the new model is worse.

    Example: `surveil normality evaluate yard held-out.yaml --model new.npz`
    """
    store = _opened(config, camera)[1]
    old = store.load()
    new = load(model) if model else _in_use(store)
    with bar() as progress:
        found = compare(new, old if model else None, load_dataset(dataset), budget, progress)
    for report in filter(None, (found.new, found.old)):
        console.print("\n".join(lines(report)) + "\n")
    if not found.better:
        raise typer.Exit(1)


def deploy(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    model: Annotated[Path, typer.Argument(help="The model file.")],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Deploy a model. A running daemon loads it within seconds.

    Example: `surveil normality deploy yard new.npz`
    """
    store = _opened(config, camera)[1]
    chosen = load(model, camera).model
    if why := store.damage():
        warn(f"the deployed one cannot be read and is replaced: {why}")
    deployed = store.deploy(chosen)
    console.print(f"{deployed.name} is in use")


def rollback(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Deploy the previous model again.

    Example: `surveil normality rollback yard`
    """
    console.print(f"{_opened(config, camera)[1].rollback()} is in use")


def show_model(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Accepted alerts per day; default: the camera's.")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Write a picture of normal activity to this file.")] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show training footage, calibration and the daemon's learning progress.

    Example: `surveil normality show yard --png yard.png`
    """
    settings, store = _opened(config, camera)
    wanted = settings.cameras[camera].section(NormalitySettings).budget if budget is None else budget
    note = store.noted()
    if store.current() is None and note is not None:
        print_json({"learning": note}) if json else console.print(note.words(SystemClock().wall()))
        return
    shown = show(_in_use(store), wanted, png)
    if json:
        print_json({**asdict(shown), "learning": note})
        return
    console.print("\n".join(shown.lines))
    if note is not None:
        console.print(note.words(SystemClock().wall()))
