"""Data sets for classifiers: their contents, and judging and removing pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from starlette.responses import Response

from surveil.console.api.training.common import folder_of, items_of, jpeg, picture_url, set_of, state_of
from surveil.console.api.training.models import JobAnswer, ModelAnswer, job_of, model_of
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import not_found

if TYPE_CHECKING:
    from surveil.offline.classify.dataset import Item

MOST_PICTURES = 400
"""That are told of one data set, the newest."""


class ClassAnswer(Message):
    """The pictures of one class, and how varied they are."""

    label: str = Field(alias="class")
    pictures: int
    moments: int
    """Groups that the split keeps together: one object, or one minute of one camera."""
    cameras: tuple[str, ...]
    days: int


class LackAnswer(Message):
    """What is missing."""

    what: str
    """`classes`, `pictures` or `moments`; `advised`: it can be trained without, though not well."""
    label: str = Field(alias="class")
    """Empty: of the whole data set."""
    more: int


class PictureAnswer(Message):
    """One picture."""

    url: str
    label: str = Field(alias="class")
    camera: str
    at: float | None
    """Unix s."""


class SetAnswer(Message):
    """One data set, and the classifier that is made of it."""

    name: str
    pictures: int
    classes: tuple[ClassAnswer, ...]
    lacks: tuple[LackAnswer, ...]
    ready: bool
    """Whether it can be trained on."""
    model: ModelAnswer


class Training(Message):
    """All data sets, and the training that runs or ran last."""

    sets: tuple[SetAnswer, ...]
    job: JobAnswer | None


class SetPictures(Message):
    """One data set with its newest pictures, and the training that runs or ran last."""

    about: SetAnswer
    pictures: tuple[PictureAnswer, ...]
    job: JobAnswer | None


class LabelBody(Message):
    """What a picture shows."""

    label: str = Field(alias="class", min_length=1, max_length=63)


def training(call: Call) -> Training:
    """Return all data sets with their classifiers."""
    from surveil.console.training.sets import known  # noqa: PLC0415 - imported by its first request

    return Training(sets=tuple(_about(call, name) for name in known(state_of(call))), job=job_of(call))


def training_set(call: Call) -> SetPictures:
    """Return one data set with its newest pictures."""
    return pictures_of(call, set_of(call))


def training_picture(call: Call) -> Response:
    """Return a picture of a data set."""
    from surveil.offline.classify.pictures import BadPictureError, read_bytes  # noqa: PLC0415 - as above

    folder, item = _found(call)
    try:
        return jpeg(read_bytes(folder / item.path))
    except BadPictureError:
        raise not_found("picture") from None


def label_picture(call: Call, body: LabelBody) -> SetPictures:
    """Correct the class of a picture."""
    from surveil.console.training.sets import judge  # noqa: PLC0415 - as above

    judge(*_found(call), body.label)
    return training_set(call)


def remove_picture(call: Call) -> SetPictures:
    """Take a picture out of a data set."""
    from surveil.console.training.sets import take_out  # noqa: PLC0415 - as above

    take_out(*_found(call))
    return training_set(call)


def pictures_of(call: Call, name: str) -> SetPictures:
    """Return a data set as the API has it."""
    items = sorted(items_of(call, name), key=lambda item: item.t_wall or 0.0, reverse=True)
    pictures = tuple(
        PictureAnswer(url=picture_url(name, one), label=one.label, camera=one.camera, at=one.t_wall)
        for one in items[:MOST_PICTURES]
    )
    return SetPictures(about=_about(call, name), pictures=pictures, job=job_of(call))


def _about(call: Call, name: str) -> SetAnswer:
    from surveil.console.training import sets  # noqa: PLC0415 - as above

    items = items_of(call, name)
    classes = sets.of_classes(items)
    lacks = sets.lacks(classes)
    return SetAnswer(
        name=name,
        pictures=len(items),
        classes=tuple(
            ClassAnswer(label=c.label, pictures=c.pictures, moments=c.moments, cameras=c.cameras, days=c.days)
            for c in classes
        ),
        lacks=tuple(LackAnswer(what=one.what, label=one.label, more=one.more) for one in lacks),
        ready=sets.is_ready(lacks),
        model=model_of(call, name),
    )


def _found(call: Call) -> tuple[Path, Item]:
    """Return the picture in the path, with the folder of its data set."""
    from surveil.console.training.sets import find  # noqa: PLC0415 - as above

    folder = folder_of(call, set_of(call))
    item = find(folder, str(call.request.path_params["picture"]))
    if not call.identity.sees(item.camera):
        raise not_found("picture")
    return folder, item
