"""Signed links to one event, which work without a login until they expire.

A link is made when an alert is delivered and is the same at every attempt: nothing of it is stored but the key, in the
state directory. Anyone who has the key can make links; deleting it makes all earlier links useless.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from surveil.alerts.links import DETAIL
from surveil.clock import DAY_S
from surveil.errors import StateError
from surveil.filesystem import keep_key, make_folders
from surveil.types import Alert

KEY = Path("console", "link.key")
"""In the state directory."""
TRIED = "test"
"""Stands for the event of a test message, which is none: its link leads to a page that says that links work."""
_KEY_BYTES = 32
_MAC_BYTES = 20
_LONGEST = 400
"""Characters of a token."""


class LinkFault(StrEnum):
    """Why a link leads nowhere."""

    FORGED = "forged"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and reads tokens. Never changes; any thread may use it."""

    key: bytes

    def token(self, event_id: str, expires: int) -> str:
        """Return the token of an event; `expires`: Unix s."""
        said = f"{expires:x}.{event_id}".encode()
        return f"{_text(said)}.{_text(self._mac(said))}"

    def event(self, token: str, now: float) -> str | LinkFault:
        """Return the event that a token is for, or what is wrong with the token."""
        try:
            said, mac = (_raw(part) for part in token[:_LONGEST].split("."))
            good = hmac.compare_digest(mac, self._mac(said)) and len(token) <= _LONGEST
            expires, _, event_id = said.decode().partition(".")
            return LinkFault.FORGED if not good else event_id if now < int(expires, 16) else LinkFault.EXPIRED
        except ValueError:
            return LinkFault.FORGED

    def _mac(self, said: bytes) -> bytes:
        return hmac.new(self.key, b"event link " + said, sha256).digest()[:_MAC_BYTES]


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a daemon whose pages are known under an address."""

    signer: Signer
    base_url: str
    days: float

    def link(self, alert: Alert) -> str:
        """Return the link of an alert's event."""
        return self._link(alert.event_id, alert.t_wall)

    def linked(self, alert: Alert) -> Alert:
        """Return an alert with the link to its event's page."""
        return _with_link(alert, self.link(alert))

    def tried(self, message: Alert) -> Alert:
        """Return a test message with a link that shows whether those of alerts will work."""
        return _with_link(message, self._link(TRIED, message.t_wall))

    def _link(self, event_id: str, t_wall: float) -> str:
        token = self.signer.token(event_id, int(t_wall + self.days * DAY_S))
        return f"{self.base_url.rstrip('/')}/l/{token}"


def _with_link(alert: Alert, link: str) -> Alert:
    return replace(alert, details={**alert.details, DETAIL: link})


def make_signer(state_dir: Path) -> Signer:
    """Read the key of a state directory, or make it, for its owner alone. Raises StateError."""
    path = state_dir / KEY
    try:
        make_folders(path.parent)
        key = keep_key(path, _KEY_BYTES)
    except OSError as error:
        raise StateError(f"{path}: the key of links cannot be used: {error.strerror}") from error
    if len(key) != _KEY_BYTES:
        raise StateError(f"{path}: is no key: delete it; links that were sent before then stop working")
    return Signer(key)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _raw(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(raw) != text:
        raise ValueError("not written as it is given out")
    return raw
