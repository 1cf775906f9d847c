"""Classifiers of data sets: training, report, shadow mode, deployment and rollback."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from surveil.config import CameraConfig
from surveil.console.api.training.common import folder_of, items_of, set_of, state_of
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal, not_found
from surveil.console.training.job import Job, JobState, Wanted
from surveil.errors import ModelError, StateError
from surveil.versions import VersionRole

if TYPE_CHECKING:
    from surveil.features.classify.classifier import Card
    from surveil.features.classify.store import ClassifierStore


class JobAnswer(Message):
    """The training that runs, or ran last."""

    set: str
    state: JobState
    doing: str
    """The step it is at."""
    share: float
    """Of the step, 0 to 1."""
    started_at: float
    message: str
    """Why it failed, or what is missing."""


class ModelAnswer(Message):
    """The classifier of a data set."""

    name: str
    trained_at: float | None
    """Unix s of the newest training; null: there is none."""
    in_use: str
    """Version; empty: none."""
    shadow: str
    versions: tuple[str, ...]
    labels: tuple[str, ...]
    objections: tuple[str, ...]
    """Why the newest training should not be deployed."""
    damage: str
    cameras: tuple[str, ...]
    """Cameras with a rule that asks it."""


class TrainBody(Message):
    """How to train."""

    positive: str = Field(default="", max_length=63, description="Class to alert on; empty: the last one.")


class UseBody(Message):
    """How a classifier is used."""

    shadow: bool = Field(default=False, description="It is only counted, and raises no alerts.")


def train_set(call: Call, body: TrainBody) -> JobAnswer:
    """Train a classifier on a data set, in a process of the lowest priority; one at a time."""
    from surveil.console.training.sets import is_ready, lacks, of_classes  # noqa: PLC0415 - imported by its first request

    name = set_of(call)
    items = items_of(call, name)
    if not items:
        raise not_found("data set")
    if not is_ready(lacks(of_classes(items))):
        raise Refusal(
            409, "lacking", "there are too few pictures, classes or moments to train on",
            remedy="see `lacks` of the data set",
        )  # fmt: skip
    if body.positive and body.positive not in {item.label for item in items}:
        raise Refusal(422, "class", "the data set has no such class")
    wanted = Wanted(dataset=folder_of(call, name), name=store_of(call, name).name, positive=body.positive)
    call.parts.trainings.start(call.parts.daemon.config.path, wanted, call.parts.clock.wall())
    return _started(call)


def cancel_training(call: Call) -> JobAnswer:
    """End the training that runs; what was trained before stays."""
    call.parts.trainings.cancel()
    return _started(call)


def deploy_model(call: Call, body: UseBody) -> ModelAnswer:
    """Put the newest training into use or into the shadow; the daemon loads it within seconds."""
    store = store_of(call, set_of(call))
    if not store.trained.is_file():
        raise not_found("trained classifier")
    store.deploy(store.trained, body.shadow)
    return model_of(call, set_of(call))


def rollback_model(call: Call, body: UseBody) -> ModelAnswer:
    """Go back to the version before, or end the shadow."""
    store = store_of(call, set_of(call))
    if body.shadow:
        store.withdraw()
    else:
        store.rollback()
    return model_of(call, set_of(call))


def job_of(call: Call) -> JobAnswer | None:
    """Return the training that runs or ran last."""
    found = call.parts.trainings.job()
    return None if found is None else _job(found)


def model_of(call: Call, name: str) -> ModelAnswer:
    """Return the classifier of a data set."""
    store = store_of(call, name)
    try:
        in_use, shadow = store.current(), store.current(VersionRole.SHADOW)
        card, damage = _card(store), ""
    except (ModelError, StateError) as error:
        in_use, shadow, card, damage = None, None, None, str(error)
    cameras = call.parts.daemon.config.cameras.values()
    return ModelAnswer(
        name=store.name,
        trained_at=store.trained.stat().st_mtime if store.trained.is_file() else None,
        in_use=_version(in_use),
        shadow=_version(shadow),
        versions=tuple(map(_version, store.versions())),
        labels=tuple(card.labels) if card else (),
        objections=tuple(card.objections) if card else (),
        damage=damage,
        cameras=tuple(one.name for one in cameras if call.identity.sees(one.name) and _asks(one, store.name)),
    )


def store_of(call: Call, name: str) -> ClassifierStore:
    """Return the versions of a data set's classifier."""
    from surveil.features.classify.store import ClassifierStore  # noqa: PLC0415 - as above
    from surveil.models.files import slug  # noqa: PLC0415 - as above

    return ClassifierStore(state_of(call), slug(name))


def _card(store: ClassifierStore) -> Card | None:
    """Return what the newest training says of itself, or else the classifier in use."""
    path = store.trained if store.trained.is_file() else store.path()
    try:
        return None if path is None else _read_card(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=32)
def _read_card(path: Path, _changed_ns: int) -> Card:
    """Read it once for every change: it is in a file of megabytes, and pages ask every second."""
    from surveil.features.classify.classifier import read_card  # noqa: PLC0415 - as above

    return read_card(path)


def _version(file: str | None) -> str:
    return (file or "").removesuffix(".onnx")


def _asks(camera: CameraConfig, model: str) -> bool:
    from surveil.features.classify.rule import ClassifiedSettings  # noqa: PLC0415 - as above

    return any(isinstance(rule, ClassifiedSettings) and rule.model == model for rule in camera.rules)


def _started(call: Call) -> JobAnswer:
    found = call.parts.trainings.job()
    assert found is not None
    return _job(found)


def _job(found: Job) -> JobAnswer:
    return JobAnswer(
        set=found.set, state=found.state, doing=found.doing, share=found.share, started_at=found.started_at,
        message=found.message,
    )  # fmt: skip
