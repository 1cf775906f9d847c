"""`surveil evaluate`: learned normality on footage, or a classifier on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surveil.cli import complete
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath
from surveil.errors import ConfigError
from surveil.offline.classify.commands.pictures import PicturesOptions, evaluate_pictures
from surveil.offline.normality.commands.footage import Budget, FootageOptions, evaluate_footage


def evaluate(
    dataset: Annotated[
        Path,
        typer.Argument(
            help="DATASET.yaml (name, fps, normal, clips with labels) for learned normality; a folder of pictures "
            "for a classifier."
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="A model file, or the name of a deployed classifier.",
            autocompletion=complete.classifiers,
        ),
    ] = None,
    budget: Budget = 0.5,
    gate: Annotated[
        str, typer.Option(help='Fail unless these conditions hold, such as "frame_auc>=0.97".')
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report with pictures into this folder.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the model that was learned to this file; --model reads it for another --budget."
        ),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Write the scores of every frame to this file (CSV).")
    ] = None,
    *,
    equalise: Annotated[
        bool, typer.Option("--equalise", help="Learn as with `normality: {equalise: true}`.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Evaluate learned normality on labelled footage, or a classifier on labelled pictures.

    Normality: without --model, learns a model from the dataset's `normal:`. Models of tracked objects are
    learned and evaluated only in the daemon: files have no tracks. A classifier is evaluated on pictures that
    it was not trained on. Exit code 1 if a gate fails.

    Examples: `surveil evaluate shelf --model shelf --gate "accuracy>=0.95"`;
    `surveil evaluate ped2.yaml --gate "frame_auc>=0.97" --report ped2 --output ped2.npz`;
    `surveil evaluate ped2.yaml --model ped2.npz --budget 10`
    """
    if equalise and (model or dataset.is_dir()):
        raise ConfigError(["--equalise: is for a model that is learned from the dataset's `normal:`"])
    if output and (model or dataset.is_dir()):
        raise ConfigError(["--output: is for a model that is learned from the dataset's `normal:`"])
    if scores and dataset.is_dir():
        raise ConfigError(["--scores: is for learned normality"])
    if dataset.is_dir():
        evaluate_pictures(
            PicturesOptions(dataset=dataset, model=model, config=config, gate=gate, report=report, json=json)
        )
    else:
        evaluate_footage(
            FootageOptions(
                dataset=dataset, model=model, budget=budget, gate=gate, report=report, equalise=equalise,
                output=output, scores=scores, json=json,
            )
        )  # fmt: skip
