"""`surveil evaluate`: rules on labelled recordings, learned normality on footage, or a classifier on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surveil.cli import complete
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath
from surveil.errors import ConfigError
from surveil.offline.classify.commands.pictures import PicturesOptions, evaluate_pictures
from surveil.offline.normality.commands.footage import Budget, FootageOptions, evaluate_footage
from surveil.offline.rules.suite import is_suite


def evaluate(
    dataset: Annotated[
        Path,
        typer.Argument(
            help="SUITE.yaml (camera, films with labelled events), or a folder of them, for rules; DATASET.yaml (name, "
            "fps, normal, clips with labels) for learned normality; a folder of pictures for a classifier."
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
    footage: Annotated[
        Path | None, typer.Option(help="Folder of a suite's recordings. Default: that of the suite.")
    ] = None,
    rate: Annotated[
        float,
        typer.Option(min=0, max=10_000, help="False alarms per hour at which P_miss of rules is given."),
    ] = 1.0,
    gate: Annotated[
        str,
        typer.Option(
            help='Fail unless these conditions hold, such as "frame_auc>=0.97"; or a file with one on each line.'
        ),
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML report with pictures into this folder.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the learned model to this file; use it with --model to try another --budget."
        ),
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="Write the scores of every frame to this file (CSV).")
    ] = None,
    *,
    equalise: Annotated[
        bool, typer.Option("--equalise", help="Learn as with `normality: {equalise: true}`.")
    ] = False,
    objects: Annotated[
        bool,
        typer.Option(
            "--objects",
            help="Track objects as the daemon does, so that normality learns and judges them, too.",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Evaluate rules on labelled recordings, learned normality on footage, or a classifier on pictures.

    Rules: the recordings go through the daemon's code, as in `surveil replay`. The output has the events found,
    late and missed, the false alarms per hour, P_miss and the F1 measures of i-LIDS, for each type of rule and each
    condition. Normality: without --model, learns a model from the dataset's `normal:`. With --objects, the built-in
    model tracks objects, and they are learned and judged as in the daemon; this takes several times as long. A
    classifier is evaluated on pictures that it was not trained on. Exit code 1 if a gate fails.

    Examples: `surveil evaluate gate.yaml --gate "recall>=0.9,night.false_per_hour<=1" --report gate`;
    `surveil evaluate shelf --model shelf --gate "accuracy>=0.95"`;
    `surveil evaluate ped2.yaml --gate "frame_auc>=0.97" --report ped2 --output ped2.npz`;
    `surveil evaluate ped2.yaml --model ped2.npz --budget 10`
    """
    films = is_suite(dataset)
    if equalise and (model or films or dataset.is_dir()):
        raise ConfigError(["--equalise: is for a model that is learned from the dataset's `normal:`"])
    if output and (model or films or dataset.is_dir()):
        raise ConfigError(["--output: is for a model that is learned from the dataset's `normal:`"])
    if objects and (films or dataset.is_dir()):
        raise ConfigError(["--objects: is for learned normality"])
    if scores and (films or dataset.is_dir()):
        raise ConfigError(["--scores: is for learned normality"])
    if films:
        # It brings all that a replay needs, which the others do not.
        from surveil.offline.rules.commands.films import FilmsOptions, evaluate_films  # noqa: PLC0415

        evaluate_films(
            FilmsOptions(
                suites=dataset, footage=footage, config=config, rate=rate, gate=gate, report=report, json=json
            )
        )
    elif dataset.is_dir():
        evaluate_pictures(
            PicturesOptions(dataset=dataset, model=model, config=config, gate=gate, report=report, json=json)
        )
    else:
        evaluate_footage(
            FootageOptions(
                dataset=dataset, model=model, budget=budget, gate=gate, report=report, equalise=equalise,
                objects=objects, output=output, scores=scores, json=json,
            )
        )  # fmt: skip
