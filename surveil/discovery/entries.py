"""Converts found devices into entries of `cameras:`, with the password as a reference, never as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from surveil.discovery.camera import FoundCamera, Stream, sources

LEAST_HEIGHT = 360
"""Pixels below which a picture shows people too small to be detected."""
_GOOD_GOP_S = 1.15
_UNFIT = re.compile(r"[^a-z0-9]+")
MOST_NAME = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEntry:
    """One camera of the configuration."""

    name: str
    comment: str
    detect: Stream
    record: Stream | None
    """The larger stream; None where there is only one."""

    def value(self, login: str = "") -> dict[str, object]:
        """Return it as the file has it. `login`: `user:${credential:NAME}`; may be empty."""
        detect = with_login(self.detect.url, login)
        if self.record is None:
            return {"url": detect}
        return {"streams": {"detect": detect, "record": with_login(self.record.url, login)}}


def with_login(url: str, login: str) -> str:
    """Return a URL with a login in front of its host."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{login}@{rest}" if login else url


def login_of(user: str, reference: str) -> str:
    """Return the login of a URL: `user` percent-encoded, the password as a reference."""
    return f"{quote(user, safe='')}:{reference}"


def entries(found: Iterable[FoundCamera], taken: Iterable[str] = ()) -> list[CameraEntry]:
    """Return an entry for each video source, named after its device; no two names alike, and none of `taken`."""
    names, made = set(taken), []
    for camera in found:
        several = list(sources(camera))
        for number, streams in enumerate(several, 1):
            base = _name(camera) + (f"_{number}" if len(several) > 1 else "")
            name = next(name for name in _numbered(base) if name not in names)
            names.add(name)
            detect = analysed(streams)
            record = streams[-1] if streams[-1] is not detect else None
            made.append(
                CameraEntry(name=name, comment=_comment(camera, detect), detect=detect, record=record)
            )
    return made


def analysed(streams: tuple[Stream, ...]) -> Stream:
    """Return the smallest stream that is large enough; of none that is, the largest. Ordered by size."""
    return next((stream for stream in streams if stream.height >= LEAST_HEIGHT), streams[-1])


def advice(stream: Stream) -> str:
    """Return what to set in the camera for the analysed stream; empty where it is fine."""
    if stream.gop_s > _GOOD_GOP_S:
        return f"set its key-frame interval from {stream.gop_s:.1f} s to 1 s: quicker alerts while the camera is idle"
    if stream.height < LEAST_HEIGHT:
        return f"raise its size from {stream.width}x{stream.height}: people are too small"
    return ""


def _name(camera: FoundCamera) -> str:
    words = (
        camera.name if camera.name and camera.name.lower() != "onvif" else f"{camera.maker} {camera.model}"
    )
    name = _UNFIT.sub("_", words.lower()).strip("_")[:MOST_NAME].strip("_")
    return name if name[:1].isalpha() else f"camera_{name or _UNFIT.sub('_', camera.address)}"


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}_{number}"
        number += 1


def _comment(camera: FoundCamera, detect: Stream) -> str:
    known = [
        " ".join(filter(None, (camera.maker, camera.model))),
        camera.serial and f"serial {camera.serial}",
    ]
    size = f"{detect.codec} {detect.width}x{detect.height}"
    rate = f"{detect.fps:g} fps" if detect.fps else ""
    gop = f"key frame every {detect.gop_s:.1f} s" if detect.gop else ""
    return ", ".join(filter(None, (*known, size, rate, gop)))
