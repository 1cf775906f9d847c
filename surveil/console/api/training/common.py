"""Common parts of the training endpoints: the data set in the path, and who may see which part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from surveil.config import CameraConfig
from surveil.console.context import Call
from surveil.console.refusal import not_found

if TYPE_CHECKING:
    from surveil.offline.classify.dataset import Item


def state_of(call: Call) -> Path:
    """Return the state directory."""
    return call.parts.evidence.parent


def set_of(call: Call) -> str:
    """Return the data set in the path. Raises Refusal (422) for what cannot name one."""
    name = str(call.request.path_params["set"])
    folder_of(call, name)
    return name


def folder_of(call: Call, name: str) -> Path:
    """Return the folder of a data set, there or not. Raises Refusal (422) for what cannot name one."""
    from surveil.console.training import sets  # noqa: PLC0415 - imported by its first request

    return sets.folder_of(state_of(call), name)


def items_of(call: Call, name: str) -> list[Item]:
    """Return the pictures of a data set that the user may see."""
    from surveil.offline.classify.dataset import listed  # noqa: PLC0415 - as above

    return [item for item in listed(folder_of(call, name)) if call.identity.sees(item.camera)]


def picture_url(name: str, item: Item) -> str:
    """Return the address of a picture of a data set."""
    from surveil.console.training.sets import picture_id  # noqa: PLC0415 - as above

    return f"/api/v1/training/sets/{name}/pictures/{picture_id(item)}"


def camera_named(call: Call, name: str) -> CameraConfig:
    """Return a camera. Raises Refusal (404) where there is none of this name, or none for this user."""
    camera = call.parts.daemon.config.cameras.get(name)
    if camera is None or not call.identity.sees(name):
        raise not_found("camera")
    return camera


def jpeg(data: bytes) -> Response:
    """Return a picture that stays what it is."""
    headers = {"cache-control": "private, max-age=86400"}
    return Response(data, media_type="image/jpeg", headers=headers)
