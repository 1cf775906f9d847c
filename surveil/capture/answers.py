"""What a camera's status says of a stream that cannot be had. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from surveil.errors import Cause

_STATUS = re.compile(r"(?:method \w+ failed:|HTTP error) (?P<code>\d{3})")
_CAUSES = {
    400: (Cause.OTHER, "the camera does not understand the request (400); check the path of the address"),
    401: (Cause.UNAUTHORIZED, "user name or password refused"),
    403: (
        Cause.FORBIDDEN,
        "the camera forbids this user the stream (403): give the user the right to view it, or use another",
    ),
    404: (Cause.NOT_FOUND, "there is no such stream or file"),
    407: (Cause.UNAUTHORIZED, "a proxy asks for a login (407)"),
    429: (Cause.BUSY, "the camera is asked too often (429): close other clients"),
    453: (
        Cause.BUSY,
        "the camera has no bandwidth for one more client (453): close other clients, or lower its bit rate",
    ),
    454: (Cause.RESET, "the camera has dropped the session (454)"),
    461: (
        Cause.UNSUPPORTED,
        "the camera does not send by this transport (461): set `transport: udp`, or `tcp` where it is udp",
    ),
    503: (Cause.BUSY, "the camera is busy (503): it has too many clients, or it is starting"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A camera's answer in our words."""

    status: int
    cause: Cause
    words: str


def refusal(status: int) -> Refusal:
    """Return what a status of RTSP or HTTP means."""
    cause, words = _CAUSES.get(status, (Cause.OTHER, f"the camera answers with status {status}"))
    if status // 100 == 5 and cause is Cause.OTHER:
        words = f"the camera has a fault of its own ({status}): restart it if that stays"
    return Refusal(status, cause, words)


def refusal_in(lines: Iterable[str]) -> Refusal | None:
    """Return the last refusal that FFmpeg's log tells of, if any."""
    found = [match for line in lines if (match := _STATUS.search(line))]
    return refusal(int(found[-1]["code"])) if found else None


def wants_other_transport(lines: Iterable[str]) -> bool:
    """Whether the camera would send the video another way than it was asked to."""
    return any("failed: 461" in line or "Nonmatching transport" in line for line in lines)
