"""Cameras that are added, changed and removed in the console, as a draft until it is adopted."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import Field, SecretStr, StringConstraints

from surveil.capture.address import check_entered
from surveil.config.draft import ADDRESSES
from surveil.console.api.changes import Kept, etag_of, kept
from surveil.console.context import Call
from surveil.console.drafts import CameraChange
from surveil.console.endpoint import Message
from surveil.console.refusal import FieldProblem, Refusal
from surveil.logs import scrub
from surveil.redact import redact

_Address = Annotated[str, StringConstraints(max_length=2000)]
_LOGIN = SecretStr("")


class Addresses(Message):
    """Where the video of a camera comes from."""

    url: _Address = Field(default="", description="Stream to analyse.")
    record_url: _Address = Field(default="", description="Stream to cut clips from. Default: the same one.")
    user: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", description="User name, where the addresses have none."
    )
    password: SecretStr = Field(default=_LOGIN, max_length=500, description="Password of the user.")

    def change(self, title: str | None = None, *, enabled: bool | None = None) -> CameraChange:
        """Return it as a change. Raises Refusal for an address that cannot be meant."""
        return CameraChange(
            title=title,
            enabled=enabled,
            url=self._whole("url", self.url),
            record_url=self._whole("record_url", self.record_url),
        )

    def _whole(self, field: str, url: str) -> str:
        """Return an address with its login."""
        try:
            return url and check_entered(self._with_login(check_entered(url.strip())))
        except ValueError as error:
            problem = FieldProblem(path=field, line=None, message=str(error))
            raise Refusal(422, "invalid", f"the address {error}", fields=[problem]) from None

    def _with_login(self, url: str) -> str:
        scheme, separator, rest = url.partition("://")
        if not self.user or not separator:
            return url
        if "@" in rest:
            raise ValueError("has a login already: give user and password once")
        login = ":".join(quote(one, safe="") for one in (self.user, self.password.get_secret_value()) if one)
        return f"{scheme}://{login}@{rest}"


class NewCamera(Addresses):
    """A camera that is added."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=63)] = Field(
        description="Name in the configuration: letters, digits, `_` and `-`."
    )
    title: Annotated[str, StringConstraints(max_length=80)] = Field(default="", description="Display name.")


class CameraBody(Addresses):
    """What is changed of a camera; what is left out stays."""

    title: Annotated[str, StringConstraints(max_length=80)] | None = None
    enabled: bool | None = None


class CameraSetup(Message):
    """How a camera is set up, without its login."""

    id: str
    title: str
    enabled: bool
    url: str
    record_url: str
    """Empty: clips are cut from the stream that is analysed."""
    origin: str
    """`file`; `console` for one that the file does not have; `changed` for one of the file with changes."""
    etag: str


def setup(call: Call) -> CameraSetup:
    """Return how a camera is set up."""
    etag = call.parts.drafts.etag()
    camera = call.parts.daemon.config.cameras[call.camera]
    return CameraSetup(
        id=camera.name,
        title=camera.titles.camera,
        enabled=camera.enabled,
        url=_shown(camera.url),
        record_url=_shown(camera.record_url) if camera.record else "",
        origin=_origin(call),
        etag=etag,
    )


def _shown(url: str) -> str:
    """Return an address without what it shows, or the configuration knows, to be secret."""
    return str(scrub(redact(url)))


def _origin(call: Call) -> str:
    drafts = call.parts.drafts
    if not drafts.is_of_file(call.camera):
        return "console"
    return "changed" if drafts.set_of(call.camera) & {*ADDRESSES, "title", "enabled"} else "file"


def add_camera(call: Call, body: NewCamera) -> Kept:
    """Add a camera as a draft, once the loader accepts it, and watch it."""
    check_visible(call, body.id)
    if not body.url:
        raise Refusal(422, "invalid", "the camera has no address", remedy="give `url`")
    return kept(call, call.parts.drafts.add_camera(body.id, body.change(body.title or None)))


def change_camera(call: Call, body: CameraBody) -> Kept:
    """Keep other settings of a camera as a draft, once the loader accepts them, and apply them."""
    if body.record_url and not body.url:
        raise Refusal(422, "invalid", "`record_url` alone changes nothing", remedy="give `url`, too")
    change = body.change(body.title, enabled=body.enabled)
    return kept(call, call.parts.drafts.change_camera(call.camera, change, etag_of(call)))


def remove_camera(call: Call) -> Kept:
    """Watch a camera no more; its events, pictures and models stay."""
    camera = call.camera
    applied = call.parts.drafts.remove_camera(camera, etag_of(call))
    call.parts.drawn_on.forget(camera)
    return kept(call, applied)


def restore_camera(call: Call) -> Kept:
    """Go back to what the configuration file says of a camera, also of one that was removed."""
    name = str(call.request.path_params["camera"])
    check_visible(call, name)
    applied = call.parts.drafts.restore_camera(name)
    call.parts.drawn_on.forget(name)
    return kept(call, applied)


def check_visible(call: Call, camera: str) -> None:
    """Refuse a camera that the user would not see. Raises Refusal."""
    if not call.identity.sees(camera):
        raise Refusal(
            403, "forbidden", "you may only see other cameras",
            remedy="ask an administrator of all cameras",
        )  # fmt: skip
