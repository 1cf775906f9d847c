"""GET requests to a camera's web server: only to that server, with login, pinned certificate and deadline.

FFmpeg's own client follows a camera to any host and protocol that it names, asks for no certificate, and knows no
login by SHA-256.
"""

from __future__ import annotations

import http.client
import re
import socket
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from surveil import __version__
from surveil.capture.causes import open_error, refusal, source_error
from surveil.capture.certificates import CertificatePlace, Pins, wrap
from surveil.capture.challenge import NO_LOGIN
from surveil.capture.settings import TlsSettings
from surveil.capture.weblogin import WebLogin
from surveil.capture.wire import Wire, WireResponse
from surveil.clock import Clock
from surveil.errors import Cause, SourceError

_PORTS = {"http": 80, "https": 443}
_MOVED = (301, 302, 303, 307, 308)
_MOST_ANSWERS = 8
"""Redirects and requests for a login before one answer."""
_HEAD = 2048
_UNSAFE = re.compile(r"[^\w.:\[\]-]")


class WebBody:
    """What a server sends. Owned by one thread."""

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self._response = response
        self.url = url
        self.content_type = (response.getheader("Content-Type") or "").strip().lower()
        self._first = b""

    def peek(self) -> bytes:
        """Return how the body begins, without taking it."""
        if not self._first:
            self._first = self._response.read1(_HEAD)
        return self._first

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes as they come; empty at the end. Raises OSError, HTTPException."""
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            return data
        return self._response.read1(size)

    def has_more(self) -> bool:
        """Wait until something comes or the body ends; False when the time is up. Raises OSError."""
        fp = self._response.fp
        if self._first or fp is None:
            return True
        if self._response.chunked and self._response.chunk_left == 0:
            # The end of the last chunk is passed first: in the buffer it would look like more.
            fp.read(2)
            self._response.chunk_left = None
        try:
            # What is peeked at stays in the reader's buffer. Empty: the end, which reading tells.
            fp.peek(1)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._response.close()


class WebClient:
    """Reads what one camera serves. Owned by the thread that opened it."""

    def __init__(self, url: str, tls: TlsSettings, pins: Pins, clock: Clock, serial: str = "") -> None:
        """`serial`: of the camera, if it is known."""
        self._url, self._serial = url, serial
        self._home = urlsplit(url)
        self._tls, self._pins, self._clock = tls, pins, clock
        user, password = self._home.username, self._home.password
        self._login = None if user is None else WebLogin(unquote(user), unquote(password or ""))
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        """Set how long whatever is read from now on may take in all."""
        self._deadline = self._clock.monotonic() + seconds

    def left_s(self) -> float:
        """Return what is left of it. Raises TimeoutError."""
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def get(self, url: str) -> WebBody:
        """Return the answer to a GET. Raises SourceError."""
        for _ in range(_MOST_ANSWERS):
            place = self._checked(url)
            response = self._ask(place)
            there = response.getheader("Location") if response.status in _MOVED else None
            if self._login and response.status != 401:
                self._login.worked()
            if there is None and response.status != 401:
                return self._good(response, url)
            if there is None and not self._can_log_in(response):
                words = refusal(401).words if self._login else NO_LOGIN
                raise self._closed(response, source_error(Cause.UNAUTHORIZED, self._url, words))
            response.close()
            url = url if there is None else _joined(place.geturl(), there)
        raise source_error(Cause.REDIRECTED, self._url, "the camera redirects in a loop")

    def _good(self, response: http.client.HTTPResponse, url: str) -> WebBody:
        if 200 <= response.status < 300:
            return WebBody(response, url)
        refused = refusal(response.status)
        raise self._closed(response, source_error(refused.cause, self._url, refused.words))

    def _closed(self, response: http.client.HTTPResponse, error: SourceError) -> SourceError:
        response.close()
        return error

    def _can_log_in(self, response: http.client.HTTPResponse) -> bool:
        challenges = response.headers.get_all("WWW-Authenticate") or []
        return self._login is not None and self._login.take(challenges)

    # Where it may go.

    def _checked(self, url: str) -> SplitResult:
        """Return where to ask. Raises SourceError for another host, port or protocol than the camera's own."""
        there = _split(url)
        if there is None or not self._is_home(there):
            host = _UNSAFE.sub("", there.netloc.rpartition("@")[2])[:80] if there else "not an address"
            words = f"the camera redirects to another host or protocol ({host}), which is not followed"
            raise source_error(Cause.REDIRECTED, self._url, words)
        return there._replace(netloc=there.netloc.rpartition("@")[2])

    def _is_home(self, there: SplitResult) -> bool:
        if there.scheme not in _PORTS or (there.hostname or "") != (self._home.hostname or ""):
            return False
        own, port = _port(self._home), _port(there)
        if there.scheme == self._home.scheme:
            return port == own
        # From http to https where either uses the usual port, and never back: the login would go in clear.
        return there.scheme == "https" and (port == own or port == _PORTS["https"])

    # One exchange.

    def _ask(self, place: SplitResult) -> http.client.HTTPResponse:
        target = (place.path or "/") + (f"?{place.query}" if place.query else "")
        lines = [
            f"GET {target} HTTP/1.1", f"Host: {place.netloc}", f"User-Agent: surveil/{__version__}", "Accept: */*",
            "Accept-Encoding: identity", "Connection: close",
        ]  # fmt: skip
        if self._login and (header := self._login.header("GET", target)):
            lines.append(f"Authorization: {header}")
        try:
            link = self._connect(place)
        except OSError as error:
            raise open_error(error, self._url, ()) from None
        response = WireResponse(Wire(link, self.left_s), "GET")
        try:
            link.sendall("\r\n".join([*lines, "", ""]).encode())
            response.begin()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._closed(response, open_error(error, self._url, ())) from None
        return response

    def _connect(self, there: SplitResult) -> socket.socket:
        place = CertificatePlace(self._url, there.hostname or "", _port(there), self._serial)
        plain = socket.create_connection((place.host, place.port), self.left_s())
        if there.scheme != "https":
            return plain
        try:
            plain.settimeout(self.left_s())
            return wrap(plain, place, self._tls, self._pins)
        except (OSError, SourceError):
            plain.close()
            raise


def _joined(base: str, there: str) -> str:
    """Return where a redirect leads; empty, which is nowhere, where it is no address."""
    try:
        return urljoin(base, there)
    except ValueError:
        return ""


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_address = parts.port != 0
    except ValueError:
        return None
    return parts if is_address else None


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
