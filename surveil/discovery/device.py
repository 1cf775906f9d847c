"""A few questions of ONVIF to one device: its clock, what it is, its profiles and their addresses.

Our own client of seven requests. `onvif-zeep-async` 4.3 knows no login by HTTP Digest, reads answers of any length, and
its 25 packages parse the whole of the service descriptions for them.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import secrets
import string
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, quote, urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from surveil.capture.certificates import lenient
from surveil.capture.weblogin import WebLogin
from surveil.capture.wire import Wire, WireResponse
from surveil.discovery import markup
from surveil.errors import SurveilError
from surveil.wording import one_line

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_REFUSED = ("notauthorized", "failedauthentication", "not authorized", "invalidsecurity")
_YEARS = range(2, 9999)
"""In which a clock can be told from ours and moved by seconds."""


class DeviceError(SurveilError):
    """A device did not answer as it should."""


class Unreachable(DeviceError):  # noqa: N818 - named for what it says
    """Nothing of ONVIF is there."""


class LoginRefused(DeviceError):  # noqa: N818 - named for what it says
    """It wants a login, or another one."""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password of a camera."""

    user: str
    password: str = field(repr=False)


class Device:
    """Asks one device. Raises DeviceError and LoginRefused. Owned by one thread."""

    def __init__(self, service: str, login: Login | None, *, seconds: float = 4.0) -> None:
        """Prepare to ask `service`, a URL; all questions together take `seconds` at most."""
        self._login = login
        self._web = WebLogin(login.user, login.password) if login else None
        self._has_web_login = False
        self._end = time.monotonic() + seconds
        self._service = service
        self.skew_s: float | None = None
        """Its clock less ours; None while it is unknown."""

    def learn_time(self) -> None:
        """Ask for its clock, which its answers to signed questions are judged by."""
        try:
            told = self.ask(self._service, f'<GetSystemDateAndTime xmlns="{DEVICE}"/>', signed=False)
        except DeviceError:
            return
        utc = markup.first(told, "UTCDateTime")
        if utc is None:
            return
        names = ("Year", "Month", "Day", "Hour", "Minute", "Second")
        with suppress(ValueError):
            self._take_time(datetime(*(int(markup.number(utc, name)) for name in names), tzinfo=UTC))  # type: ignore[misc,arg-type]

    def _take_time(self, there: datetime) -> None:
        if there.year in _YEARS:
            self.skew_s = (there - datetime.now(UTC)).total_seconds()

    def device(self, name: str, body: str = "") -> Element:
        """Ask its device service."""
        return self.ask(self._service, f'<{name} xmlns="{DEVICE}">{body}</{name}>')

    def ask(self, url: str, body: str, *, signed: bool = True) -> Element:
        """Return the root of the answer to one question."""
        status, headers, data = self._post(url, self._envelope(body, signed=signed))
        if status == 401 and signed and self._can_log_in(headers):
            status, headers, data = self._post(url, self._envelope(body, signed=False))
        if status == 401:
            if self.skew_s is None:
                self._take_date(headers)
            raise LoginRefused(self._why_refused())
        if self._web is not None:
            self._web.worked()
        try:
            root = markup.parse(data)
        except markup.MarkupError as error:
            raise DeviceError(f"its answer (HTTP {status}) {error}") from error
        self._check(root)
        return root

    def _take_date(self, headers: http.client.HTTPMessage) -> None:
        try:
            self._take_time(parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC))
        except (ValueError, OverflowError):
            return

    def _can_log_in(self, headers: http.client.HTTPMessage) -> bool:
        """Whether a digest is asked for. The password itself is never sent."""
        asked = [
            text for text in headers.get_all("WWW-Authenticate") or [] if text.lower().startswith("digest")
        ]
        is_new = self._web is not None and bool(asked) and self._web.take(asked)
        self._has_web_login = self._has_web_login or is_new
        return is_new

    def _why_refused(self) -> str:
        return "refuses the login: check user and password" if self._login else "requires a login"

    def _check(self, root: Element) -> None:
        fault = markup.first(root, "Fault")
        if fault is None:
            return
        said = one_line(" ".join(fault.itertext()))
        if any(word in said.lower() for word in _REFUSED):
            raise LoginRefused(self._why_refused())
        reason = markup.text(fault, "Reason", "Text") or markup.text(fault, "faultstring") or said
        raise DeviceError(f"answers with a fault: {reason[:120]}")

    def _envelope(self, body: str, *, signed: bool) -> bytes:
        token = self._token(self._login) if self._login and signed and not self._has_web_login else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
            f"<s:Header>{token}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        ).encode()

    def _token(self, login: Login) -> str:
        """Return the UsernameToken of WS-Security, by the clock of the device: it refuses another."""
        nonce = secrets.token_bytes(16)
        now = datetime.now(UTC) + timedelta(seconds=self.skew_s or 0.0)
        created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        hashed = hashlib.sha1(nonce + created.encode() + login.password.encode(), usedforsecurity=False)
        return (
            f'<w:Security xmlns:w="{_SECURITY}" s:mustUnderstand="true"><w:UsernameToken>'
            f"<w:Username>{escape(login.user)}</w:Username>"
            f'<w:Password Type="{_DIGEST}">{base64.b64encode(hashed.digest()).decode()}</w:Password>'
            f'<w:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</w:Nonce>'
            f'<u:Created xmlns:u="{_UTILITY}">{created}</u:Created></w:UsernameToken></w:Security>'
        )

    def _post(self, url: str, envelope: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        parts = urlsplit(url)
        target = quote(parts._replace(scheme="", netloc="").geturl() or "/", safe=string.punctuation)
        headers = {"Content-Type": b"application/soap+xml; charset=utf-8", "Connection": b"close"}
        answer = self._web.header("POST", target) if self._web and self._has_web_login else None
        if answer:
            headers["Authorization"] = answer.encode()
        try:
            with closing(self._link(parts)) as link:
                link.request("POST", target, envelope, headers)
                response = WireResponse(Wire(link.sock, self._left_s), "POST")
                response.begin()
                return response.status, response.headers, response.read(markup.MOST_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: a port or a name that cannot be.
            raise Unreachable(f"does not answer: {one_line(str(error)) or type(error).__name__}") from error

    def _link(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port
        if parts.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._left_s())
        # A camera signs for itself; only digests of the password are sent.
        return http.client.HTTPSConnection(host, port, timeout=self._left_s(), context=lenient())

    def _left_s(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise DeviceError("does not answer in time")
        return left
