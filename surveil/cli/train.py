"""`surveil train`, `surveil evaluate` on pictures, and `surveil models deploy|promote|rollback|classifiers`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from surveil.cli.bars import bar
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    errors,
    print_json,
    read_config,
)  # fmt: skip
from surveil.errors import ConfigError, ModelError
from surveil.learn.gate import Condition, failures, parse_gate
from surveil.models.files import check_name, slug
from surveil.train.classifier import read_card
from surveil.train.dataset import PictureSet, load
from surveil.train.measures import Wanted
from surveil.train.outcome import Trained, evaluate_file
from surveil.train.prepared import Options
from surveil.train.preprocess import Preprocess
from surveil.train.report import lines, to_json, write_report
from surveil.train.store import ClassifierStore, names
from surveil.train.trainer import train as train_head

Gate = Annotated[
    str, typer.Option(help='Fail unless these hold, such as "accuracy>=0.95,false_alarms<=0.02".')
]
Threads = Annotated[int, typer.Option(min=1, help="Cores that are used.")]


class Placement(StrEnum):
    """How a picture is fitted into the network's square."""

    LETTERBOX = "letterbox"
    STRETCH = "stretch"
    CENTRE = "centre"


def _names(config: typer.Context, incomplete: str) -> list[str]:
    """Complete the names of classifiers; nothing when the configuration cannot be read."""
    try:
        state_dir = read_config(Path(config.params.get("config") or DEFAULT_CONFIG)).state_dir
        return [name for name in names(state_dir) if name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - completion must never print an error into somebody's shell
        return []


Name = Annotated[str, typer.Argument(help="Name of the classifier.", autocompletion=_names)]


def train(
    dataset: Annotated[
        Path, typer.Argument(help="A folder with a manifest, or with a folder of pictures per class.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    classes: Annotated[
        str,
        typer.Option(
            help="Which classes, separated by commas; the last is what alerts are about. By default all."
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the classifier; by default the data set's.")] = "",
    positive: Annotated[
        str, typer.Option(help="The class that the threshold is about; by default the last.")
    ] = "",
    false_alarms: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Choose the threshold by the share of other pictures that may alarm."
        ),
    ] = None,
    miss_cost: Annotated[
        float, typer.Option(min=0, help="Or by costs: what a miss costs when a false alarm costs 1.")
    ] = 1.0,
    placement: Annotated[
        Placement, typer.Option(help="How pictures are fitted into a square.")
    ] = Placement.LETTERBOX,
    clahe: Annotated[
        float, typer.Option(min=0, max=40, help="Contrast: clip limit of CLAHE; 0 is none.")
    ] = 0.0,
    denoise: Annotated[
        float, typer.Option(min=0, max=100, help="Strength of the noise filter; 0 is none.")
    ] = 0.0,
    size: Annotated[int, typer.Option(min=32, max=1024, help="Side of the network's input, px.")] = 224,
    variations: Annotated[
        int, typer.Option(min=0, max=50, help="Variations of each picture to learn from.")
    ] = 4,
    test_cameras: Annotated[str, typer.Option(help="Cameras to test on only, separated by commas.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(help="Write the model here instead of the state directory; its report goes beside."),
    ] = None,
    gate: Gate = "",
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another split and other variations.")] = 0,
    threads: Threads = 2,
    *,
    flip: Annotated[bool, typer.Option(help="Whether mirrored pictures mean the same.")] = True,
    finetune: Annotated[
        bool,
        typer.Option(
            "--finetune", help="Train the network, too, on the GPU if there is one (surveil[train])."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a fine-tuning that was interrupted.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Learn to tell classes of pictures apart, test it on pictures held back, and write one ONNX file.

    A first classifier from two folders of pictures, then into the running daemon:

        surveil train shelf --classes full,empty

        surveil models deploy shelf

    The report (HTML and JSON) lies beside the model and says what the figures are worth. Exit codes: 0 good,
    1 when the gate does not hold, 78 when the data cannot be trained on.
    """
    conditions = parse_gate(gate) if gate else ()
    called = name or slug(dataset.resolve().name)
    check_name(called)
    store = None if output else ClassifierStore(read_config(config).state_dir, called)
    target = output or (store.trained if store else Path())
    options = Options(
        classes=_split(classes), positive=positive, variations=variations, flip=flip, seed=seed, threads=threads,
        preprocess=_preprocess(size, placement, clahe, denoise), wanted=Wanted(false_alarms, miss_cost),
        test_cameras=frozenset(_split(test_cameras)), beside=store.path() if store else None,
    )  # fmt: skip
    run = _finetuner(resume) if finetune else train_head
    data = load(dataset)
    with bar() as progress:
        made = run(data, target, options, progress=progress)
    _show(made, data, target.parent, json=json)
    if store and not json:
        console.print(
            f"[bold]surveil models deploy {called}[/] puts it into use; --shadow tries it first",
            soft_wrap=True,
        )
    _hold(conditions, made)


def _finetuner(resume: bool) -> Callable[..., Trained]:
    try:
        module = importlib.import_module("surveil.train.finetune")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(
            "fine-tuning needs PyTorch: pip install 'surveil[train]'; or train without --finetune"
        ) from None

    def run(*given: Any, **named: Any) -> Trained:
        made: Trained = module.finetune(*given, resume=resume, **named)
        return made

    return run


def _preprocess(size: int, placement: Placement, clahe: float, denoise: float) -> Preprocess:
    try:
        return Preprocess(size, placement.value, clahe, denoise)
    except ModelError as error:
        raise ConfigError([str(error)]) from None


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def evaluate_pictures(
    dataset: Path,
    model: Path | None,
    config: Path,
    gate: str,
    report: Path | None,
    *,
    json: bool,
    threads: int = 2,
) -> None:
    """Judge a classifier on pictures that it has not learned from."""
    conditions = parse_gate(gate) if gate else ()
    if model is None:
        raise ConfigError(
            [f"{dataset} holds pictures: name the classifier with --model, a file or a deployed one"]
        )
    file = model if model.is_file() else _in_use(config, str(model))
    data = load(dataset)
    with bar() as progress:
        made = evaluate_file(file, data, threads, progress)
    _show(made, data, report, json=json)
    _hold(conditions, made)


def _in_use(config: Path, name: str) -> Path:
    state_dir = read_config(config).state_dir
    check_name(name)
    path = ClassifierStore(state_dir, name).path()
    if path is None:
        known = ", ".join(names(state_dir)) or "none"
        raise ModelError(f"{name}: is neither a file nor a deployed classifier; there are: {known}")
    return path


def _show(made: Trained, data: PictureSet, folder: Path | None, *, json: bool) -> None:
    if folder is not None:
        errors.print(f"report: {write_report(made, data, folder)}", soft_wrap=True)
    console.print_json(to_json(made)) if json else console.print("\n".join(lines(made)), soft_wrap=True)


def _hold(conditions: tuple[Condition, ...], made: Trained) -> None:
    failed = failures(conditions, made.evaluation.values())
    for line in failed:
        errors.print(f"[red]{line}[/]")
    if failed:
        raise typer.Exit(1)


def deploy(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    file: Annotated[
        Path | None, typer.Option(help="A model file; by default what `surveil train` made last.")
    ] = None,
    *,
    shadow: Annotated[
        bool,
        typer.Option("--shadow", help="Let it run beside the one in use: it is counted and raises nothing."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Put a trained classifier into use; the running daemon picks it up within seconds.

    With --shadow `surveil_classifier_shadow_looks_total` counts what it says beside the one in use; deploying it
    again without --shadow puts it into use.
    """
    store = ClassifierStore(read_config(config).state_dir, name)
    chosen = file or store.trained
    if not chosen.is_file():
        raise ModelError(f"{chosen}: there is no such model; `surveil train DATASET --name {name}` makes one")
    store.deploy(chosen, shadow)
    path = store.path("shadow" if shadow else "current")
    _tell(name, path, "runs in the shadow" if shadow else "is in use", json=json)


def rollback(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    shadow: Annotated[bool, typer.Option("--shadow", help="End the shadow instead.")] = False,
    json: AsJson = False,
) -> None:
    """Put the version before into use again; the running daemon picks it up within seconds."""
    store = ClassifierStore(read_config(config).state_dir, name)
    if shadow:
        store.withdraw()
        _tell(name, None, "nothing runs in the shadow any more", json=json)
    else:
        store.rollback()
        _tell(name, store.path(), "is in use", json=json)


def _tell(name: str, path: Path | None, what: str, *, json: bool) -> None:
    if json:
        print_json({"name": name, "version": path.stem if path else None, "what": what})
    else:
        console.print(f"{name}: {f'version {path.stem} {what}' if path else what}")


def classifiers(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """List your own classifiers: what is in use, in the shadow, and only trained."""
    state_dir = read_config(config).state_dir
    found = [_about(ClassifierStore(state_dir, name)) for name in names(state_dir)]
    if json:
        print_json(found)
        return
    table = Table("name", "in use", "shadow", "classes", "threshold", "test accuracy")
    for one in found:
        figures = one["figures"] or {}
        at = "" if one["threshold"] is None else f"{one['positive']} ≥ {one['threshold']:.3f}"
        accuracy = f"{figures['accuracy']:.3f}" if "accuracy" in figures else ""
        table.add_row(
            one["name"], one["in_use"] or "none", one["shadow"] or "", ", ".join(one["labels"]), at, accuracy
        )
    console.print(table)


def _about(store: ClassifierStore) -> dict[str, Any]:
    current, shadow = store.path(), store.path("shadow")
    path = current or shadow or (store.trained if store.trained.is_file() else None)
    card = None if path is None else asdict(read_card(path))
    about = {key: card[key] if card else None for key in ("positive", "threshold", "how", "figures")}
    return {
        "name": store.name,
        "in_use": current.stem if current else None,
        "shadow": shadow.stem if shadow else None,
        "versions": [v.removesuffix(".onnx") for v in store.versions()],
        "labels": card["labels"] if card else [],
        **about,
    }
