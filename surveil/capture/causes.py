"""Converts exceptions of libraries and status codes of cameras into a `SourceError`.

It has a cause, and a message without credentials.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import av.error

from surveil.errors import Cause, SourceError
from surveil.redact import redact, scrub

_STATUS = re.compile(r"(?:method \w+ failed:|HTTP error) (?P<code>\d{3})")
_BY_STATUS = {
    400: (Cause.OTHER, "the camera does not understand the request (400); check the path of the address"),
    401: (Cause.UNAUTHORIZED, "user name or password refused: correct the login"),
    403: (
        Cause.FORBIDDEN,
        "this user may not view the stream (403): grant it the right to view, or use another user",
    ),
    404: (Cause.NOT_FOUND, "no such stream or file: check the path of the address"),
    407: (Cause.UNAUTHORIZED, "a proxy asks for a login (407)"),
    429: (Cause.BUSY, "too many requests to the camera (429): close other clients"),
    453: (
        Cause.BUSY,
        "the camera has no bandwidth for one more client (453): close other clients, or lower its bit rate",
    ),
    454: (Cause.RESET, "the camera has dropped the session (454)"),
    461: (
        Cause.UNSUPPORTED,
        "the camera does not support this transport (461): set `transport: udp`, or `tcp` where it is udp",
    ),
    503: (Cause.BUSY, "the camera is busy (503): it has too many clients, or it is starting"),
}
_BY_CLASS: tuple[tuple[type[BaseException], Cause], ...] = (
    (ssl.SSLCertVerificationError, Cause.CERTIFICATE),
    (ssl.SSLError, Cause.TLS),
    (socket.gaierror, Cause.UNREACHABLE),
    (http.client.HTTPException, Cause.DAMAGED),
    (av.error.HTTPUnauthorizedError, Cause.UNAUTHORIZED),
    (av.error.HTTPForbiddenError, Cause.FORBIDDEN),
    (av.error.HTTPNotFoundError, Cause.NOT_FOUND),
    (FileNotFoundError, Cause.NOT_FOUND),
    (PermissionError, Cause.UNAUTHORIZED),
    (ConnectionRefusedError, Cause.REFUSED),
    (ConnectionResetError, Cause.RESET),
    (BrokenPipeError, Cause.RESET),
    (av.error.ExitError, Cause.TIMEOUT),
    (TimeoutError, Cause.TIMEOUT),
    (av.error.DecoderNotFoundError, Cause.UNSUPPORTED),
    (av.error.DemuxerNotFoundError, Cause.UNSUPPORTED),
    (av.error.ProtocolNotFoundError, Cause.UNSUPPORTED),
    (NotImplementedError, Cause.UNSUPPORTED),
)
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}
_BROKEN_OFF = {errno.EIO, errno.ECONNABORTED, errno.ENETRESET, errno.ENOTCONN, errno.EPROTO}
"""What FFmpeg returns when the other side is gone in the middle of something: HTTP and RTMP give EIO."""
_ERROR = 16
"""AV_LOG_ERROR of libavutil/log.h."""
_LOG_HINTS = (
    ("ends prematurely", Cause.ENDED),
    ("Connection refused", Cause.REFUSED),
    ("Connection timed out", Cause.TIMEOUT),
    ("Immediate exit requested", Cause.TIMEOUT),
    ("Failed to resolve", Cause.UNREACHABLE),
    ("unreachable", Cause.UNREACHABLE),
    ("No route to host", Cause.UNREACHABLE),
    ("Connection reset", Cause.RESET),
    ("not on whitelist", Cause.UNSUPPORTED),
    ("Nonmatching transport", Cause.UNSUPPORTED),
)
"""FFmpeg's RTSP client reports most failures as `Invalid data`; what really happened is in its log only."""
WORDS = {
    Cause.REFUSED: "connection refused: no service listens on that port",
    Cause.UNREACHABLE: "the host cannot be reached; check its name and the network",
    Cause.TIMEOUT: "no answer or no picture in time; "
    "increase open_timeout_s if the camera sends less than a picture in two seconds",
    Cause.UNAUTHORIZED: "user name or password refused: correct the login",
    Cause.FORBIDDEN: "this user may not view the stream",
    Cause.BUSY: "the camera is busy: close other clients",
    Cause.NOT_FOUND: "no such stream or file: check the path of the address",
    Cause.TLS: "no TLS connection could be made",
    Cause.CERTIFICATE: "certificate refused: no known authority has signed it for this name",
    Cause.REDIRECTED: "the camera redirects to another host, which is not followed",
    Cause.RESET: "the connection was reset",
    Cause.ENDED: "the camera closed the stream",
    Cause.NO_VIDEO: "it contains no video",
    Cause.UNSUPPORTED: "this kind of stream cannot be read",
    Cause.DAMAGED: "the data is not video, or is truncated",
}
LogLine = tuple[int, str, str]
"""Level, name of the library's part, message: as PyAV captures them."""


@dataclass(frozen=True, slots=True)
class CameraRefusal:
    """A camera's answer in our words."""

    status: int
    cause: Cause
    words: str


def refusal(status: int) -> CameraRefusal:
    """Return what a status of RTSP or HTTP means."""
    cause, words = _BY_STATUS.get(status, (Cause.OTHER, f"the camera answers with status {status}"))
    if status // 100 == 5 and cause is Cause.OTHER:
        words = f"internal error of the camera ({status}): restart it if the error persists"
    return CameraRefusal(status, cause, words)


def refusal_in(lines: Iterable[str]) -> CameraRefusal | None:
    """Return the last refusal that FFmpeg's log tells of, if any."""
    found = [match for line in lines if (match := _STATUS.search(line))]
    return refusal(int(found[-1]["code"])) if found else None


def wants_other_transport(lines: Iterable[str]) -> bool:
    """Whether the camera would send the video another way than it was asked to."""
    return any("failed: 461" in line or "Nonmatching transport" in line for line in lines)


def cause_of(error: BaseException, logs: Sequence[LogLine]) -> Cause:
    """Return what went wrong while opening."""
    if tls := [line[2] for line in logs if line[1] == "tls" and line[0] <= _ERROR]:
        return (
            Cause.CERTIFICATE
            if any("verification" in text or "hostname" in text for text in tls)
            else Cause.TLS
        )
    if refused := refusal_in(line[2] for line in logs):
        return refused.cause
    return _by_class(error) or _by_words(" ".join(line[2] for line in logs)) or _by_rest(error)


def _by_class(error: BaseException) -> Cause | None:
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return Cause.UNREACHABLE
    return next((cause for kind, cause in _BY_CLASS if isinstance(error, kind)), None)


def _by_words(text: str) -> Cause | None:
    return next((cause for words, cause in _LOG_HINTS if words in text), None)


def _by_rest(error: BaseException) -> Cause:
    if isinstance(error, av.error.EOFError | av.error.InvalidDataError):
        return Cause.DAMAGED
    return Cause.RESET if isinstance(error, OSError) and error.errno in _BROKEN_OFF else Cause.OTHER


def open_error(error: BaseException, url: str, logs: Sequence[LogLine]) -> SourceError:
    """Return the error of a stream that cannot be opened."""
    cause = cause_of(error, logs)
    detail = getattr(error, "strerror", None) or str(error)
    # Of a file or a device; a camera that refuses a login raises something else.
    words = (
        "this user may not read it: grant read permission"
        if isinstance(error, PermissionError)
        else WORDS.get(cause) or detail
    )
    if isinstance(error, OSError) and error.errno == errno.EIO and "://" not in url:
        cause, words = (
            Cause.OTHER,
            "reading failed: check the disk or the network drive (input/output error)",
        )
    if refused := refusal_in(line[2] for line in logs):
        words = refused.words
    elif isinstance(error, av.error.HTTPBadRequestError):  # FFmpeg logs statuses above 400 only
        words = refusal(400).words
    return SourceError(cause, scrub(f"{redact(url)}: {words}", url))


def source_error(cause: Cause, url: str, words: str = "") -> SourceError:
    """Return the error of `cause` with our own words for it."""
    return SourceError(cause, scrub(f"{redact(url)}: {words or WORDS[cause]}", url))
