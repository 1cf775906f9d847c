"""`surveil models add`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, print_json
from surveil.cli.inspect import is_experimental, model_store
from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import Channels, ModelFile, Placement, Range
from surveil.detect.trial import PEOPLE
from surveil.errors import ConfigError, ModelError, StateError
from surveil.filesystem import write_atomically
from surveil.models.sketch import people, sketch
from surveil.models.store import ModelStore, open_detector

_STEP_PX = 32
_RANGES: tuple[Range, ...] = ("0-1", "imagenet", "0-255")
_PERSON = "person"


def add_model(
    file: Annotated[
        Path,
        typer.Argument(
            help="An ONNX file. If it has a separate file of weights, that file must be beside it."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the model; default: the file's name.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Text file with one class name per line.")] = None,
    size: Annotated[
        int | None,
        typer.Option(min=32, max=4096, help="Side of a free input in pixels, a multiple of 32."),
    ] = None,
    channels: Annotated[Channels | None, typer.Option(help="Colour order of the input.")] = None,
    range: Annotated[Range | None, typer.Option(help="Value range of the input.")] = None,  # noqa: A002 - the option's name
    placement: Annotated[
        Placement | None, typer.Option(help="Placement of the picture in the input.")
    ] = None,
    decoder: Annotated[str, typer.Option(help="Decoder of the outputs (`surveil models list`).")] = "auto",
    picture: Annotated[
        Path | None,
        typer.Option(help="JPEG to write: a drawn picture of people, with the boxes that the model finds."),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    json: AsJson = False,
) -> None:
    """Add a detection model: recognise its format, run it and store it with its SHA-256.

    Shows what was chosen and why. Use the options for what the file does not state.

    Example: `surveil models add yolox_s.onnx --name people --picture found.jpg`
    """
    if size is not None and size % _STEP_PX:
        raise ConfigError([f"--size {size}: is no multiple of {_STEP_PX}"])
    settings = ModelSettings(
        labels=labels, size=size, channels=channels, range=range, placement=placement, decoder=decoder
    )
    store = model_store(config)
    model, detector = store.recognise(file, name, settings)
    if picture is not None:
        _write(picture, sketch(detector))
    added = store.put(model)
    hint = _hint(store, settings.model_copy(update={"file": file}), detector)
    if json:
        print_json({**asdict(added), **_chosen(detector), "hint": hint})
        return
    _show(added, detector, hint)


def _chosen(detector: Detector) -> dict[str, object]:
    return {
        "decoder_why": detector.why,
        "size_why": detector.why_size,
        "people_found": people(detector) if _PERSON in detector.labels else None,
        "milliseconds": round(detector.canary.seconds * 1000, 2),
        "provider": detector.provider,
    }


def _show(added: ModelFile, detector: Detector, hint: str) -> None:
    spec, how = detector.input, detector.input.preprocess
    unproven = ", experimental: no real export was compared yet" if is_experimental(added.decoder) else ""
    names = [label for label in added.labels if label]
    lines = (
        f"added {added.name}: decoder {added.decoder}, {len(added.labels)} classes, sha256 {added.sha256[:12]}",
        f"decoder   {added.decoder} ({detector.why}){unproven}",
        f"input     {spec.width}×{spec.height} ({detector.why_size}), {how.channels}, {how.range}, {how.placement}",
        f"classes   {', '.join(names[:5])}{', …' if len(names) > 5 else ''}",
        f"licence   {added.licence or 'unknown: the file does not say; ask where you have it from'}",
        f"time      {detector.canary.seconds * 1000:.1f} ms a picture on {detector.provider}",
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    if _PERSON in detector.labels:
        console.print(f"people    {people(detector)} of {PEOPLE} in the drawn picture", soft_wrap=True)
    if hint:
        console.print(Text(hint, "yellow"), soft_wrap=True)


def _hint(store: ModelStore, settings: ModelSettings, detector: Detector) -> str:
    """Return what to try if a model with the class person finds no one in the picture with people."""
    if _PERSON not in detector.labels or people(detector):
        return ""
    best, found = max(
        ((one, _found(store, settings.model_copy(update={"range": one}))) for one in _RANGES),
        key=lambda pair: pair[1],
    )
    remedy = (
        f"with --range {best} it finds {found}: add it again so"
        if found
        else "try --channels, --range, --placement as its exporter prepares pictures, and look at --picture"
    )
    return f"it knows '{_PERSON}' and finds nobody in a picture with {PEOPLE} people; {remedy}"


def _found(store: ModelStore, settings: ModelSettings) -> int:
    try:
        return people(open_detector(settings, store))
    except ModelError:
        return 0


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise StateError(f"{path}: the picture cannot be written: {error.strerror}") from error
