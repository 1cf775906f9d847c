"""`surveil train`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from surveil import extras
from surveil.cli import complete
from surveil.cli.bars import bar
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, read_config
from surveil.errors import ConfigError, ModelError
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.store import ClassifierStore
from surveil.models.files import check_name, slug
from surveil.offline.background import lowest_priority
from surveil.offline.classify.commands.pictures import Gate, conditions_of, hold, show
from surveil.offline.classify.dataset import load
from surveil.offline.classify.measures import Wanted
from surveil.offline.classify.outcome import Trained
from surveil.offline.classify.prepared import Options
from surveil.offline.classify.trainer import train as train_head
from surveil.offline.normality.gate import Condition


class TrainPlacement(StrEnum):
    """How a picture is fitted into the network's square."""

    LETTERBOX = "letterbox"
    STRETCH = "stretch"
    CENTRE = "centre"


DataSet = Annotated[
    Path, typer.Argument(help="A folder with a manifest, or with a folder of pictures per class.")
]
Classes = Annotated[
    str,
    typer.Option(help="Classes, comma-separated; the last is the positive class. Default: all."),
]
Name = Annotated[
    str,
    typer.Option(
        help="Name of the classifier; default: the data set's.", autocompletion=complete.classifiers
    ),
]
Positive = Annotated[
    str, typer.Option(help="Positive class, to which the threshold applies; default: the last.")
]
FalseAlarms = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Choose the threshold by the maximum false-alarm rate."),
]
MissCost = Annotated[
    float, typer.Option(min=0, help="Choose the threshold by the cost of a miss; a false alarm costs 1.")
]
Placed = Annotated[TrainPlacement, typer.Option(help="Method of fitting pictures into a square.")]
Clahe = Annotated[float, typer.Option(min=0, max=40, help="Contrast: clip limit of CLAHE; 0: off.")]
Denoise = Annotated[float, typer.Option(min=0, max=100, help="Strength of the noise filter; 0: off.")]
Size = Annotated[int, typer.Option(min=32, max=1024, help="Side of the network's input, px.")]
Variations = Annotated[int, typer.Option(min=0, max=50, help="Augmentations of each training picture.")]
TestCameras = Annotated[str, typer.Option(help="Cameras used only for testing, comma-separated.")]
Output = Annotated[
    Path | None,
    typer.Option(help="Model file to write, with its report beside it; default: in the state directory."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the split and the augmentations.")]
Threads = Annotated[int, typer.Option(min=1, help="Number of CPU cores to use.")]
Flip = Annotated[bool, typer.Option(help="Use mirrored pictures as samples of the same class.")]
Finetune = Annotated[
    bool,
    typer.Option(
        "--finetune",
        help="Also train the network, on the GPU if there is one; requires `surveil install --extra train`.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume an interrupted fine-tuning.")]
Background = Annotated[
    bool,
    typer.Option(
        "--background", help="Run at the lowest priority for CPU, disk and memory, beside a running daemon."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What is trained, on what, and where the model goes."""

    dataset: Path
    config: Path
    name: str
    """Name of the classifier."""
    output: Path | None
    """A file; None: the state directory."""
    gate: tuple[Condition, ...]
    """What must hold of the figures."""
    learning: Options
    finetune: bool
    resume: bool
    background: bool
    json: bool


def train(
    dataset: DataSet,
    config: ConfigPath = DEFAULT_CONFIG,
    classes: Classes = "",
    name: Name = "",
    positive: Positive = "",
    false_alarms: FalseAlarms = None,
    miss_cost: MissCost = 1.0,
    placement: Placed = TrainPlacement.LETTERBOX,
    clahe: Clahe = 0.0,
    denoise: Denoise = 0.0,
    size: Size = 224,
    variations: Variations = 4,
    test_cameras: TestCameras = "",
    output: Output = None,
    gate: Gate = "",
    seed: Seed = 0,
    threads: Threads = 2,
    *,
    flip: Flip = True,
    finetune: Finetune = False,
    resume: Resume = False,
    background: Background = False,
    json: AsJson = False,
) -> None:
    """Train a classifier, test it on held-out pictures and write one ONNX file.

    Train a first classifier from two folders of pictures and deploy it:

        surveil train shelf --classes full,empty

        surveil models deploy shelf

    The report (HTML and JSON) next to the model shows the figures with their confidence intervals. Exit codes: 0: good;
    1: a gate failed; 78: the data cannot be used for training. With --json, progress is one JSON object a line on
    standard error: `doing`, and `share` from 0 to 1.
    """
    run(
        TrainOptions(
            dataset=dataset,
            config=config,
            name=name or slug(dataset.resolve().name),
            output=output,
            gate=conditions_of(gate),
            learning=Options(
                classes=_split(classes), positive=positive, variations=variations, flip=flip, seed=seed,
                threads=threads, preprocess=_preprocess(size, placement, clahe, denoise),
                wanted=Wanted(false_alarms, miss_cost), test_cameras=frozenset(_split(test_cameras)),
            ),
            finetune=finetune,
            resume=resume,
            background=background,
            json=json,
        )
    )  # fmt: skip


def run(options: TrainOptions) -> None:
    """Train, report, and exit with 1 when the gate does not hold."""
    if options.resume and not options.finetune:
        raise ConfigError(["--resume requires --finetune"])
    check_name(options.name)
    if options.background:
        lowest_priority()
    store = (
        None
        if options.output
        else ClassifierStore(read_config(options.config, classifier=options.name).state_dir, options.name)
    )
    target = options.output or (store.trained if store else Path())
    learning = replace(options.learning, beside=store.path() if store else None)
    train_network = _finetuner(options.resume) if options.finetune else train_head
    data = load(options.dataset)
    with bar(as_json=options.json) as progress:
        made = train_network(data, target, learning, progress=progress)
    show(made, data, target.parent, json=options.json)
    if store and not options.json:
        console.print(_next_step(options.name, made), soft_wrap=True)
    hold(options.gate, made)


def _next_step(name: str, made: Trained) -> str:
    if made.evaluation.objections:
        return (
            "Do not deploy it. Check the largest errors in the report for wrong labels, and collect more pictures; "
            f"`surveil models deploy {name} --shadow` counts what it would say and raises no alerts"
        )
    return f"`surveil models deploy {name}` puts it into use; --shadow tries it first"


def _finetuner(resume: bool) -> Callable[..., Trained]:
    try:
        module = importlib.import_module("surveil.offline.classify.finetune")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(
            f"fine-tuning needs PyTorch: run `{extras.command(extras.Extra.TRAIN)}`, or train without --finetune"
        ) from None

    def run(*given: Any, **named: Any) -> Trained:
        made: Trained = module.finetune(*given, resume=resume, **named)
        return made

    return run


def _preprocess(size: int, placement: TrainPlacement, clahe: float, denoise: float) -> CropPreprocess:
    try:
        return CropPreprocess(size, placement.value, clahe, denoise)
    except ModelError as error:
        raise ConfigError([str(error)]) from None


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
