"""Finds out how a camera wants to be logged in to, by one more request without a login after a refusal.

FFmpeg knows Basic and Digest with MD5, sends nothing where it is asked for anything else, takes the last challenge
where there are several, and says "unauthorized" of all that.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from surveil.capture.certificates import lenient
from surveil.errors import Cause

_CHALLENGE = re.compile(r"^WWW-Authenticate:\s*(\w+)(.*)$", re.IGNORECASE | re.MULTILINE)
_ALGORITHM = re.compile(r"""algorithm\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_MOST_READS = 4

_KNOWN = ("Basic", "Digest MD5", "Digest MD5-sess")
"""What FFmpeg answers, in these letters: the login itself was refused then, and is not tried again soon."""
NO_LOGIN = "the camera requires a login: write user:password@ before the host in its address"
_OTHER_LOGIN = (
    "the camera requires a login by {ways}, which is not supported over RTSP: choose Digest with MD5, or Basic, in the "
    "camera's settings"
)


def explain_refusal(url: str, timeout_s: float) -> tuple[Cause, str] | None:
    """Say why an RTSP camera refused the login in `url`; None where that is the login itself."""
    parts = urlsplit(url)
    if parts.username is None:
        return Cause.UNAUTHORIZED, NO_LOGIN
    ways = _ways(_ask(parts.hostname or "", _port(parts.scheme, parts.port), url, timeout_s))
    if ways and ways[-1] not in _KNOWN:
        return Cause.UNSUPPORTED, _OTHER_LOGIN.format(ways=" or ".join(dict.fromkeys(ways)))
    return None


def _ways(answer: str) -> list[str]:
    """Return how a login may be made, in the order of the answer."""
    return [_way(match[1], match[2]) for match in _CHALLENGE.finditer(answer)]


def _way(scheme: str, rest: str) -> str:
    if scheme.lower() != "digest":
        return scheme.capitalize()
    algorithm = _ALGORITHM.search(rest)
    return f"Digest {algorithm[1] if algorithm else 'MD5'}"


def _port(scheme: str, port: int | None) -> int:
    return port or (322 if scheme == "rtsps" else 554)


def _ask(host: str, port: int, url: str, timeout_s: float) -> str:
    """Return the head of the answer to DESCRIBE without a login; empty where none comes."""
    parts = urlsplit(url)
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    request = f"DESCRIBE {place} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    answer = b""
    with (
        suppress(OSError, ValueError),
        socket.create_connection((host, port), timeout_s) as plain,
        _wrapped(plain, parts.scheme) as link,
    ):
        link.sendall(request.encode())
        for _ in range(_MOST_READS):
            answer += link.recv(4096)
            if b"\r\n\r\n" in answer:
                break
    return answer.decode("latin-1").replace("\r\n", "\n")


def _wrapped(plain: socket.socket, scheme: str) -> socket.socket:
    if scheme != "rtsps":
        return plain
    return lenient().wrap_socket(plain)
