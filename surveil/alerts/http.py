"""One HTTP request with one deadline, and what its status means for an alert.

The standard library's client is enough for one request at a time, and a dependency less to keep.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator

from surveil import __version__
from surveil.alerts.addresses import is_ip
from surveil.alerts.deadline import Deadline, open_socket
from surveil.alerts.delivery import Context
from surveil.alerts.doubt import ClosedError
from surveil.errors import Refused, Rejected, RetryLater
from surveil.filesystem import check_regular, read_json
from surveil.redact import cut, scrub

_MAX_ANSWER = 65_536
_SINK_IS_DOWN = (408, 425, 429, 502, 503, 504)
"""Statuses that speak of the receiver, not of the alert."""
_CREDENTIALS = (401, 403, 407)
"""The operator must correct wrong credentials: the alerts wait."""
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_REASONS = ("message", "error", "description", "errmsg", "msg")
"""Where JSON has the reason of a refusal."""
_MOST_SAID = 200
"""Characters of a refusal's reason that are quoted."""
_INTERIM = 102
"""Statuses from here to 199 announce another answer (RFC 9110, 15.2)."""
_TOLD = frozenset({"accept", "content-type", "idempotency-key", "x-surveil-signature"})
"""Headers that are no secrets, and differ from alert to alert."""
_SEGMENT = 4
"""Characters that a part of a path must have to be cut out of what a receiver says."""
USER_AGENT = f"surveil/{__version__}"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; the body is cut at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True
    """Whether the body ended, and was not cut."""
    said: str = ""
    """What the body says, on one line and without what was sent in URL and headers: the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached and trusted."""

    context: Context
    timeout_s: float
    tls: ssl.SSLContext | None = None
    """None: the system's authorities."""


def _authorities(ca_file: Path) -> Path:
    try:
        check_regular(ca_file)
        tls_context(ca_file)
    except ssl.SSLError:
        raise ValueError(f"{ca_file} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{ca_file}: {error.strerror}") from None
    return ca_file


Authorities = Annotated[Path, AfterValidator(_authorities)]
"""A file of certificates that can be read: told with the line of the file, not when the first alert is under way."""


def tls_context(ca_file: Path | None, *, verify: bool = True) -> ssl.SSLContext:
    """Return a context that trusts `ca_file`, or the system's authorities when it is None."""
    made = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def request(server: Server, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
    """Send one request and read the answer. Raises RetryLater (no credentials in it) on network errors."""
    with network_errors(place_of(url), server.timeout_s):
        response = _exchange(server, method, urlsplit(url), body, headers)
    sent = [value for name, value in headers.items() if name.lower() not in _TOLD]
    return replace(response, said=_said(response, url, sent))


def reach(server: Server, url: str) -> str:
    """Connect and shake hands without sending a request; return what that has shown. Raises RetryLater."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    with network_errors(place_of(url), server.timeout_s):
        deadline = Deadline(server.context.clock, server.context.stop, server.timeout_s)
        tls = (server.tls or tls_context(None)) if secure else None
        open_socket(parts.hostname or "", _port(parts), deadline, tls).shut()
    return "connected, certificate good; nothing was sent" if secure else "connected; nothing was sent"


@contextmanager
def network_errors(place: str, timeout_s: float) -> Iterator[None]:
    """Turn what a connection to `place` may raise into RetryLater."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise RetryLater(f"{place}: certificate refused: {error.verify_message}") from error
    except TimeoutError as error:
        raise RetryLater(f"{place}: no answer in {timeout_s:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise RetryLater(f"{place}: {why}") from error
    except ValueError:
        # The library's message repeats the value, which may be a password.
        raise RetryLater(f"{place}: the request has a part that cannot be sent") from None


def _exchange(
    server: Server, method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str]
) -> Response:
    host = parts.hostname or ""
    deadline = Deadline(server.context.clock, server.context.stop, server.timeout_s)
    secure = parts.scheme == "https"
    connection = http.client.HTTPConnection(host, _port(parts))
    connection.response_class = _FinalResponse
    # A connection of its own for every alert: no stale ones, and alerts are rare.
    tls = (server.tls or tls_context(None)) if secure else None
    sock = open_socket(host, _port(parts), deadline, tls)
    connection.sock = sock
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": _host_header(parts), "Connection": "close", **headers}
        if "user-agent" not in {name.lower() for name in headers}:
            sent["User-Agent"] = USER_AGENT
        # A receiver may answer (413) and close before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.request(method, target, body=body, headers=sent)
        with connection.getresponse() as answer:
            answer_headers = {k.lower(): v for k, v in answer.getheaders()}
            return Response(answer.status, answer_headers, *_body(answer))
    except ConnectionError as error:
        why = error.strerror or "the connection was closed without an answer"
        raise ClosedError(f"{host}:{_port(parts)}: {why}") from error
    finally:
        sock.shut()


class _FinalResponse(http.client.HTTPResponse):
    """The final answer: what is said before it (`103 Early Hints`) is passed over as `100 Continue` is."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, http.client.CONTINUE if _INTERIM <= status < 200 else status, reason


def _body(answer: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """Return the body as far as it comes, and whether that is all of it.

    The status is the answer: a body that does not end changes nothing.
    """
    found = bytearray()
    with contextlib.suppress(OSError, http.client.HTTPException):
        while len(found) < _MAX_ANSWER:
            more = answer.read1(_MAX_ANSWER - len(found))
            if not more:
                return bytes(found), not answer.length
            found += more
    return bytes(found), False


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host_header(parts: SplitResult) -> str:
    """Return host and port without the user and password of the URL."""
    written = parts.netloc.rpartition("@")[2]
    return written if written.isascii() else written.encode("idna").decode()


def _said(response: Response, url: str, sent: Iterable[str]) -> str:
    """Return why a receiver refuses, should it do so, as its body says; nothing of a page in HTML."""
    if b"<" in response.body[:200]:
        return ""
    text = response.body.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        found = read_json(text)
        if isinstance(found, dict):
            found = next((why for name in _REASONS if (why := found.get(name))), text * bool(found))
        text = found if isinstance(found, str) else text
    text = "".join(c if c.isprintable() else " " for c in text)
    parts = urlsplit(url)
    secrets = {*(part for value in sent for part in (value, value.rpartition(" ")[2]))}
    secrets |= {parts.path, parts.query, *parts.path.split("/")}
    text = " ".join(scrub(cut(text, secrets, _SEGMENT), url).split())
    return text if len(text) <= _MOST_SAID else text[:_MOST_SAID] + "…"


def judge(response: Response, place: str, now: float) -> None:
    """Return when the status is 2xx; raise RetryLater or Rejected for the others.

    The reason that the receiver gives is in the message where the answer is final.
    408, 425, 429, 502 to 504: the receiver cannot now (`Retry-After` is honoured). 401, 403, 407: the
    credentials are wrong, alerts wait until the operator corrects them. Other 5xx: perhaps this alert's fault,
    so others may go first. 404 and 410 and every other 4xx, and redirects: never.
    """
    status = response.status
    if 200 <= status < 300:
        return
    text = f"{place}: HTTP {status}"
    if 300 <= status < 400:
        raise Rejected(
            f"{text}{_elsewhere(response)}: redirects are not followed; configure the final address"
        )
    if status in _SINK_IS_DOWN or status in _CREDENTIALS:
        raise RetryLater(text, after_s=retry_after(response.headers.get("retry-after"), now))
    if status >= 500:
        raise RetryLater(text, after_s=retry_after(response.headers.get("retry-after"), now), suspect=True)
    raise Rejected(f"{text}: {response.said}" if response.said else text)


def judge_body(response: Response, place: str, accepted: Mapping[str, object]) -> None:
    """Raise Refused where a 2xx answer refuses in its body, as some chat services do.

    It refuses by `ok` or `success` that is false, by an `errcode` other than 0, and where it lacks a field of
    `accepted` or has another value there. A body that breaks off or is too long says nothing: the status counts.
    """
    found: object = None
    try:
        found = read_json(response.body)
    except ValueError:
        if not response.whole:
            return
    said = found if isinstance(found, dict) else {}
    refuses = any(said.get(name) is False for name in ("ok", "success")) or said.get("errcode") not in (
        None,
        0,
        "0",
    )
    if refuses or any(said.get(name) != value for name, value in accepted.items()):
        text = f"{place}: HTTP {response.status}, and the body refuses"
        raise Refused(f"{text}: {response.said}" if response.said else text)


def _elsewhere(response: Response) -> str:
    """Return where a redirect leads, without its path."""
    to = response.headers.get("location", "")
    try:
        parts = urlsplit(to)
        return f" to {parts.scheme}://{place_of(to)}" if parts.hostname else ""
    except ValueError:
        return ""


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds a Retry-After header (RFC 9110, 10.2.3) asks for; `now` in Unix s.

    Some receivers send fractions, which are taken as well.
    """
    if not value:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    when = http_date(value)
    return None if when is None else max(0.0, when - now)


def http_date(value: str) -> float | None:
    """Return a date of a header as Unix s; None for what is none."""
    try:
        when = parsedate_to_datetime(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def place_of(url: str) -> str:
    """Return host and port, for messages: paths of webhooks are secrets often enough."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"[{host}]:{_port(parts)}" if ":" in host and is_ip(host) else f"{host}:{_port(parts)}"


def basic_auth(url: str) -> dict[str, str]:
    """Return the Authorization header for the user and password in a URL, nothing when it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
