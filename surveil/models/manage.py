"""What `surveil models` does: list, add, check. Everything here loads onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surveil.clock import Clock
from surveil.detect.decoders import DECODERS
from surveil.detect.detector import Detector
from surveil.detect.session import RunOn, Session
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import ModelFile
from surveil.errors import ModelError
from surveil.models.embedded import DEFAULT
from surveil.models.store import ModelStore, check_name, loose, verify


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `surveil models list`."""

    name: str
    decoder: str
    experimental: bool
    classes: int
    megabytes: float
    embedded: bool
    default: bool
    licence: str
    path: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one model's `surveil models check`."""

    name: str
    ok: bool
    message: str
    """What is wrong; empty when it is well."""
    decoder: str = ""
    experimental: bool = False
    provider: str = ""
    input: str = ""
    """Such as `320×320 rgb uint8`."""
    milliseconds: float = 0.0
    """Of one picture."""
    cpu_milliseconds: float | None = None
    agrees: bool | None = None
    sha256: str = ""


def list_models(store: ModelStore) -> tuple[Row, ...]:
    """Return a line for every model. Raises `ModelError`."""
    return tuple(_row(model) for model in store.list())


def add(
    store: ModelStore, file: Path, name: str | None = None, settings: ModelSettings | None = None,
    clock: Clock | None = None,
) -> Checked:  # fmt: skip
    """Recognise, warm up and store a model file. Raises `ModelError` and stores nothing when any of it fails."""
    wanted = name or _slug(file.stem)
    check_name(wanted)
    settings = (settings or ModelSettings()).model_copy(update={"file": file})
    detector = Detector.open(settings, store, clock)
    model = loose(file)
    stored = store.put(
        file.read_bytes(),
        ModelFile(
            name=wanted,
            path=file,
            sha256=model.sha256,
            decoder=detector.decoder,
            labels=detector.labels,
            preprocess=detector.input.preprocess,
            size=(detector.input.width, detector.input.height),
            source=file.name,
        ),
    )
    return _checked(stored, detector)


def check(
    store: ModelStore, settings: ModelSettings | None = None, clock: Clock | None = None
) -> tuple[Checked, ...]:
    """Check every model: its sha256, that it loads, runs and decodes. Nothing is raised for a bad one."""
    base = settings or ModelSettings()
    return tuple(_check_one(store, model, base, clock) for model in store.list())


def _check_one(store: ModelStore, model: ModelFile, base: ModelSettings, clock: Clock | None) -> Checked:
    try:
        if model.decoder not in DECODERS:
            return _check_plain(model)
        settings = ModelSettings(
            name=model.name,
            provider=base.provider,
            require_gpu=base.require_gpu,
            gpu=base.gpu,
            threads=base.threads,
        )
        return _checked(model, Detector.open(settings, store, clock))
    except ModelError as error:
        return Checked(model.name, ok=False, message=str(error), sha256=model.sha256)


def _check_plain(model: ModelFile) -> Checked:
    """Check a model that detects nothing: its content, and that it loads."""
    verify(model)
    session = Session(model.path, RunOn())
    return Checked(
        model.name, ok=True, message="", decoder=model.decoder, provider=session.provider, sha256=model.sha256
    )


def _checked(model: ModelFile, detector: Detector) -> Checked:
    spec, proof = detector.input, detector.canary
    assert proof is not None
    return Checked(
        name=model.name,
        ok=True,
        message="",
        decoder=detector.decoder,
        experimental=detector.experimental,
        provider=detector.provider,
        input=f"{spec.width}×{spec.height} {spec.preprocess.channels} {spec.dtype}",
        milliseconds=round(proof.seconds * 1000, 2),
        cpu_milliseconds=round(proof.cpu_seconds * 1000, 2) if proof.cpu_seconds else None,
        agrees=proof.agrees,
        sha256=model.sha256,
    )


def _row(model: ModelFile) -> Row:
    decoder = DECODERS.get(model.decoder)
    return Row(
        name=model.name,
        decoder=model.decoder,
        experimental=bool(decoder and decoder.experimental),
        classes=len(model.labels),
        megabytes=round(model.path.stat().st_size / 1e6, 1) if model.path.exists() else 0.0,
        embedded=model.embedded,
        default=model.name == DEFAULT,
        licence=model.licence,
        path=str(model.path),
    )


def _slug(stem: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in stem.lower()).strip(
        "-._"
    )
