"""The models on this machine: those inside the package, and those a user added to a folder."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from surveil.clock import Clock
from surveil.damage import Damaged
from surveil.damage import found as damage
from surveil.detect import faces
from surveil.detect.decoders import DECODERS
from surveil.detect.detector import Detector
from surveil.detect.labels import COCO, read_labels
from surveil.detect.session import ModelSession, RunOn
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import ModelFile, Preprocess
from surveil.errors import DamagedModel, ModelError, UnfitModel
from surveil.filesystem import read_json, write_atomically
from surveil.models.files import check_name, describe, loose, place, read_description, slug, verify

DATA = Path(__file__).with_name("data")
DEFAULT = "efficientdet-lite0"
"""Its scores run low: on people in a campus scene (labelled PETS footage, 445 boxes) recall and precision are
.88 and .74 at a score of .25, .82 and .92 at .4, .70 and .95 at .5; F1 is best at .4, also for native crops
(.90 and .90). `track.high_score` therefore is .4.
"""
EMBEDDING = "efficientnet-lite0"


def embedded() -> dict[str, ModelFile]:
    """Return the embedded models by name, the default first. Raises `ModelError` when they are missing.

    The one for faces is among them where the package was built with it.
    """
    found = {DEFAULT: _detector(), EMBEDDING: _embedding()}
    return found | ({faces.NAME: _faces()} if (DATA / f"{faces.NAME}.onnx").is_file() else {})


def _detector() -> ModelFile:
    return ModelFile(
        name=DEFAULT,
        path=DATA / f"{DEFAULT}.onnx",
        sha256=_sha256(DEFAULT),
        decoder="candidates",
        labels=COCO,
        preprocess=Preprocess("rgb", "0-255", "top_left", 127),
        embedded=True,
        licence="Apache-2.0",
        source="EfficientDet-Lite0, COCO (google/automl); see NOTICE",
    )


def _embedding() -> ModelFile:
    return ModelFile(
        name=EMBEDDING,
        path=DATA / f"{EMBEDDING}.onnx",
        sha256=_sha256(EMBEDDING),
        decoder="embedding",
        labels=(),
        preprocess=Preprocess("rgb", "0-255", "stretch", 127),
        size=(224, 224),
        embedded=True,
        licence="Apache-2.0",
        source="EfficientNet-Lite0, ImageNet (tensorflow/tpu); see NOTICE",
    )


def _faces() -> ModelFile:
    return ModelFile(
        name=faces.NAME,
        path=DATA / f"{faces.NAME}.onnx",
        sha256=_sha256(faces.NAME),
        decoder="faces",
        labels=("face",),
        preprocess=faces.PREPROCESS,
        embedded=True,
        licence="Apache-2.0",
        source="BlazeFace, full range (google/mediapipe); see NOTICE",
    )


def _sha256(name: str) -> str:
    try:
        hashes = read_json((DATA / "manifest.json").read_text())["sha256"]
        return str(hashes[f"{name}.onnx"])
    except (OSError, ValueError, KeyError):
        raise ModelError(
            f"the embedded models are missing from {DATA}; they are made when surveil is installed: "
            "run `make install` or `make dev` in the checkout again"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `surveil models check` found out about one model."""

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
    """The same on the CPU, where a GPU is in use."""
    agrees: bool | None = None
    """Whether GPU and CPU found the same."""
    sha256: str = ""


class ModelStore:
    """A folder with `NAME.onnx` and `NAME.json` for each model, beside the embedded ones."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        """None: the embedded models only."""
        self._told: set[Path] = set()

    def list(self) -> tuple[ModelFile, ...]:
        """Return all models, the embedded first, without those whose description is damaged."""
        return (*embedded().values(), *self._own()[0])

    def _own(self) -> tuple[tuple[ModelFile, ...], dict[str, DamagedModel]]:
        """Return the models of the folder, and what is wrong with the descriptions of others, by name."""
        try:
            paths = sorted(self.folder.glob("*.json")) if self.folder and self.folder.is_dir() else []
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be read: {error.strerror}") from error
        found: list[ModelFile] = []
        damaged: dict[str, DamagedModel] = {}
        for path in paths:
            try:
                found.append(read_description(path))
            except DamagedModel as error:
                damaged[path.stem] = error
        return tuple(found), damaged

    def resolve(self, name: str) -> ModelFile:
        """Return the model of that name. Raises `ModelError`, with the nearest name, when there is none.

        If its description is damaged, it is recognised from its file.
        """
        own, damaged = self._own()
        known = {model.name: model for model in (*own, *embedded().values())}
        if name in known:
            return known[name]
        if name in damaged and self.folder is not None:
            return self._without_description(name, damaged[name])
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        raise UnfitModel(f"unknown model '{name}'; {hint} `surveil models add FILE` adds one")

    def _without_description(self, name: str, error: DamagedModel) -> ModelFile:
        assert self.folder is not None
        places = (place(self.folder, name, several=several) for several in (False, True))
        path = next((path for path in places if path.is_file()), None)
        if path is None:
            raise error
        if path not in self._told:
            self._told.add(path)
            damage.report(Damaged.DESCRIPTION, f"the model is recognised by its file alone: {error}")
        return loose(path)

    def find(self, settings: ModelSettings) -> ModelFile:
        """Return the file that the settings mean, its content checked. Raises `ModelError`."""
        if settings.file is not None:
            return loose(settings.file)
        model = self.resolve(settings.name)
        if model.decoder not in (*DECODERS, "auto") and settings.decoder == "auto":
            raise UnfitModel(
                f"'{model.name}' is no detector for cameras (it is for {model.decoder}); choose another model"
            )
        verify(model)
        return model

    def labels(self, settings: ModelSettings) -> tuple[str, ...]:
        """Return the class names that the settings mean, as far as that is known without loading the model."""
        if settings.labels is not None:
            return read_labels(settings.labels)
        return self.resolve(settings.name).labels if settings.file is None else ()

    def add(
        self,
        file: Path,
        name: str | None = None,
        settings: ModelSettings | None = None,
        clock: Clock | None = None,
    ) -> ModelFile:
        """Recognise, warm up and store a model file; return it as stored.

        `settings` say what the file does not: decoder, labels, channels, range, placement, size. Raises
        `ModelError`, and stores nothing, when the file is no model that can be used.
        """
        return self.put(self.recognise(file, name, settings, clock)[0])

    def recognise(
        self,
        file: Path,
        name: str | None = None,
        settings: ModelSettings | None = None,
        clock: Clock | None = None,
    ) -> tuple[ModelFile, Detector]:
        """Return what `add` would store, and the model as it runs. Raises `ModelError`."""
        wanted = name or slug(file.stem)
        check_name(wanted)
        if wanted in embedded():
            raise ModelError(f"'{wanted}' is an embedded model; choose another name with --name")
        settings = (settings or ModelSettings()).model_copy(update={"file": file})
        detector = Detector.open(settings, self, clock)
        found = loose(file)
        model = ModelFile(
            name=wanted,
            path=file,
            sha256=found.sha256,
            data=found.data,
            licence=detector.licence,
            decoder=detector.decoder,
            labels=detector.labels,
            preprocess=detector.input.preprocess,
            size=(detector.input.width, detector.input.height),
            source=file.name,
        )
        return model, detector

    def check(self, settings: ModelSettings | None = None, clock: Clock | None = None) -> tuple[Checked, ...]:
        """Check every model: its sha256, that it loads, runs and decodes. A bad one is reported, not raised."""
        base = settings or ModelSettings()
        bad = (Checked(name=name, ok=False, message=str(error)) for name, error in self._own()[1].items())
        return (*(self._check_one(model, base, clock) for model in self.list()), *bad)

    def _check_one(self, model: ModelFile, base: ModelSettings, clock: Clock | None) -> Checked:
        try:
            if model.decoder not in DECODERS:
                return _check_plain(model)
            keep = {"provider", "require_gpu", "gpu", "threads"}
            settings = ModelSettings(name=model.name, **base.model_dump(include=keep))
            return _checked(model, Detector.open(settings, self, clock))
        except ModelError as error:
            return Checked(name=model.name, ok=False, message=str(error), sha256=model.sha256)

    def put(self, model: ModelFile) -> ModelFile:
        """Copy a model's files into the folder, its description last; return it as stored. Raises `ModelError`."""
        if self.folder is None:
            raise ModelError("there is no folder for models; name one")
        path = place(self.folder, model.name, several=bool(model.data))
        description = self.folder / f"{model.name}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for name, _ in model.data:
                write_atomically(path.with_name(name), model.path.with_name(name).read_bytes())
            write_atomically(path, model.path.read_bytes())
            write_atomically(description, describe(model))
            place(self.folder, model.name, several=not model.data).unlink(missing_ok=True)
        except OSError as error:
            raise ModelError(f"{self.folder}: the model cannot be stored: {error.strerror}") from error
        return read_description(description)


def open_detector(settings: ModelSettings, store: ModelStore, clock: Clock | None = None) -> Detector:
    """Return the detector that the settings mean, warmed up and timed. Raises `ModelError`."""
    return Detector.open(settings, store, clock)


def _check_plain(model: ModelFile) -> Checked:
    """Check a model that detects nothing: its content, and that it loads."""
    verify(model)
    provider = ModelSession(model.path, RunOn()).provider
    return Checked(
        name=model.name, ok=True, message="", decoder=model.decoder, provider=provider, sha256=model.sha256
    )


def _checked(model: ModelFile, detector: Detector) -> Checked:
    spec, proof = detector.input, detector.canary
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
