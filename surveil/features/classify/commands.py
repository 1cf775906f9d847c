"""`surveil models deploy|rollback|classifiers`: your own classifiers in the running daemon."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    print_json,
    read_config,
    show_table,
    warn,
)
from surveil.errors import ModelError, StateError
from surveil.features.classify.classifier import read_card
from surveil.features.classify.store import ClassifierStore, names
from surveil.versions import VersionRole

Name = Annotated[str, typer.Argument(help="Name of the classifier.", autocompletion=complete.classifiers)]


def deploy(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    file: Annotated[
        Path | None, typer.Option(help="Model file; default: the newest that `surveil train` wrote.")
    ] = None,
    *,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow",
            help="Run it beside the deployed classifier: its results are counted and raise no alerts.",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Deploy a trained classifier. A running daemon loads it within seconds.

    A classifier that was unreliable on its test pictures is deployed with a warning that says why.

    With --shadow it runs beside the deployed classifier and raises no alerts;
    `surveil_classifier_shadow_looks_total` compares the two. Deploy it again without --shadow to use it.

    Examples: `surveil models deploy shelf --shadow`; `surveil models deploy shelf --file shelf.onnx`
    """
    store = ClassifierStore(read_config(config, classifier=name).state_dir, name)
    chosen = file or store.trained
    if not chosen.is_file():
        raise ModelError(f"{chosen}: no such model; create one with `surveil train DATASET --name {name}`")
    objections = read_card(chosen).objections
    for why in objections:
        warn(f"not recommended: {why}")
    if why := store.damage():
        warn(f"the deployed one cannot be read: {why}")
    store.deploy(chosen, shadow)
    path = store.path(VersionRole.SHADOW if shadow else VersionRole.CURRENT)
    _tell(name, path, "runs in shadow mode" if shadow else "is in use", json=json)


def rollback(
    name: Name,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    shadow: Annotated[bool, typer.Option("--shadow", help="End shadow mode instead.")] = False,
    json: AsJson = False,
) -> None:
    """Deploy the previous version again. A running daemon loads it within seconds.

    Example: `surveil models rollback shelf`
    """
    store = ClassifierStore(read_config(config, classifier=name).state_dir, name)
    if shadow:
        store.withdraw()
        _tell(name, None, "shadow mode has ended", json=json)
    else:
        store.rollback()
        _tell(name, store.path(), "is in use", json=json)


def _tell(name: str, path: Path | None, what: str, *, json: bool) -> None:
    if json:
        print_json({"name": name, "version": path.stem if path else None, "what": what})
    else:
        console.print(f"{name}: {f'version {path.stem} {what}' if path else what}")


def classifiers(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """List your own classifiers: deployed, in shadow mode, trained only.

    Prints a warning for each model that cannot be read.

    Example: `surveil models classifiers`
    """
    state_dir = read_config(config).state_dir
    found = [_about(ClassifierStore(state_dir, name)) for name in names(state_dir)]
    for one in found:
        if one["damage"]:
            warn(one["damage"])
        for why in one["objections"]:
            warn(f"{one['name']} is not recommended: {why}")
    if json:
        print_json(found)
        return
    table = Table("name", "in use", "shadow", "classes", "threshold", "test accuracy")
    for one in found:
        figures = one["figures"] or {}
        at = "" if one["threshold"] is None else f"{one['positive']} ≥ {one['threshold']:.3f}"
        accuracy = f"{figures['accuracy']:.3f}" if "accuracy" in figures else ""
        if one["objections"]:
            accuracy += " (not recommended)"
        table.add_row(
            one["name"], one["in_use"] or "none", one["shadow"] or "", ", ".join(one["labels"]), at, accuracy
        )
    show_table(table)


def _about(store: ClassifierStore) -> dict[str, Any]:
    current, shadow, card, damage = None, None, None, ""
    try:
        shadow = store.path(VersionRole.SHADOW)
        current = store.path()
        path = current or shadow or (store.trained if store.trained.is_file() else None)
        card = None if path is None else asdict(read_card(path))
    except (ModelError, StateError) as error:
        damage = str(error)
    about = {key: card[key] if card else None for key in ("positive", "threshold", "how", "figures")}
    return {
        "name": store.name,
        "in_use": current.stem if current else None,
        "shadow": shadow.stem if shadow else None,
        "versions": [v.removesuffix(".onnx") for v in store.versions()],
        "labels": card["labels"] if card else [],
        "objections": card["objections"] if card else [],
        "damage": damage,
        **about,
    }
