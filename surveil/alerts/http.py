"""One HTTP request with one deadline, and what its status means for an alert.

The standard library's client is enough for one request at a time, and a dependency less to keep.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

from surveil import __version__
from surveil.alerts.deadline import Deadline, open_socket
from surveil.alerts.delivery import Context
from surveil.errors import Rejected, RetryLater

_MAX_ANSWER = 65_536
_SINK_IS_DOWN = (408, 425, 429, 502, 503, 504)
"""Statuses that speak of the receiver, not of the alert."""
_CREDENTIALS = (401, 403, 407)
"""Wrong credentials are the operator's to mend: the alerts wait."""
USER_AGENT = f"surveil/{__version__}"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; the body is cut at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is reached and trusted."""

    context: Context
    timeout_s: float
    tls: ssl.SSLContext | None = None
    """None: the system's authorities."""


def _authorities(ca_file: Path) -> Path:
    try:
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
        return _exchange(server, method, urlsplit(url), body, headers)


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


def _exchange(
    server: Server, method: str, parts: SplitResult, body: bytes, headers: Mapping[str, str]
) -> Response:
    host = parts.hostname or ""
    deadline = Deadline(server.context.clock, server.context.stop, server.timeout_s)
    secure = parts.scheme == "https"
    connection = http.client.HTTPConnection(host, _port(parts))
    # A connection of its own for every alert: no stale ones, and alerts are rare.
    tls = (server.tls or tls_context(None)) if secure else None
    sock = open_socket(host, _port(parts), deadline, tls)
    connection.sock = sock
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": _host_header(parts), "User-Agent": USER_AGENT, "Connection": "close", **headers}
        connection.request(method, target, body=body, headers=sent)
        with connection.getresponse() as answer:
            answer_headers = {k.lower(): v for k, v in answer.getheaders()}
            return Response(answer.status, answer_headers, answer.read(_MAX_ANSWER))
    finally:
        sock.shut()


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host_header(parts: SplitResult) -> str:
    """Return host and port without the user and password of the URL."""
    return parts.netloc.rpartition("@")[2]


def judge(response: Response, place: str, now: float) -> None:
    """Return when the status is 2xx; raise RetryLater or Rejected for the others.

    408, 425, 429, 502 to 504: the receiver cannot now (`Retry-After` is honoured). 401, 403, 407: the
    credentials are wrong, alerts wait until the operator mends them. Other 5xx: perhaps this alert's fault,
    so others may go first. 404 and 410 and every other 4xx, and redirects: never.
    """
    status = response.status
    if 200 <= status < 300:
        return
    text = f"{place}: HTTP {status}"
    if status in _SINK_IS_DOWN or status in _CREDENTIALS:
        raise RetryLater(text, after_s=retry_after(response.headers.get("retry-after"), now))
    if status >= 500:
        raise RetryLater(text, after_s=retry_after(response.headers.get("retry-after"), now), suspect=True)
    raise Rejected(text)


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds a Retry-After header (RFC 9110, 10.2.3) asks for; `now` in Unix s."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.fromtimestamp(now, UTC)).total_seconds())


def place_of(url: str) -> str:
    """Return host and port, for messages: paths of webhooks are secrets often enough."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{_port(parts)}"


def check_url(value: SecretStr) -> SecretStr:
    """Return a usable http(s) URL. Raises ValueError without repeating it."""
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    return value


def basic_auth(url: str) -> dict[str, str]:
    """Return the Authorization header for the user and password in a URL, nothing when it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
