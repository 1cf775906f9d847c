"""A camera whose address has changed is found again by its serial number.

A device tells its number only to who logs in. So every ONVIF device that answers a search is sent the camera's login,
as a digest. Whoever answers with the number gets it as the server of the stream asks for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote, urlsplit

import structlog

from surveil.capture.settings import StreamSettings
from surveil.clock import Clock, SystemClock
from surveil.discovery.camera import FoundCamera, identify, unknown
from surveil.discovery.device import DeviceError, Login, LoginRefused
from surveil.discovery.find import find
from surveil.discovery.probe import Match, host_of
from surveil.errors import Cause

log = structlog.get_logger(__name__)

PAUSE_S = 60.0
"""From one search for a camera to the next."""
_SEARCH_S = 1.2
_ASK_S = 1.5
"""Both together, with all devices, are less than a capture thread may take to end."""
_REFUSED_S = 3600.0
"""How long a refusal counts; passwords change."""
_REFUSALS = 2
"""Of one device, whatever the login, before it is left alone: cameras lock an account after some."""
_DEVICES = 1000
"""Of which refusals are remembered."""
_ELSEWHERE = frozenset(
    {
        Cause.REFUSED,
        Cause.UNREACHABLE,
        Cause.TIMEOUT,
        Cause.NOT_FOUND,
        Cause.UNAUTHORIZED,
        Cause.TLS,
        Cause.CERTIFICATE,
    }
)
"""Causes that mean that the camera is not at its address: no device is there, or another one."""


class Searcher:
    """Searches the network for serial numbers, one search at a time. Any thread may call."""

    def __init__(self, interfaces: Sequence[str] = (), clock: Clock | None = None) -> None:
        """`interfaces`: addresses of this machine to search from; default: all."""
        self._interfaces = interfaces
        self._busy = threading.Lock()
        self._refusals = _Refusals(clock or SystemClock())

    def addresses(self, serial: str, login: Login | None) -> set[str] | None:
        """Return where devices with this number answer; None while another search is under way. Raises OSError."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            until = time.monotonic() + _SEARCH_S + _ASK_S
            ask = partial(self._ask, until)
            found = find(login, seconds=_SEARCH_S, interfaces=self._interfaces, ask=ask, until=until)
        finally:
            self._busy.release()
        return {camera.address for camera in found if camera.serial == serial}

    def _ask(self, until: float, match: Match, login: Login | None) -> FoundCamera:
        if self._refusals.forbid(match, login) or time.monotonic() > until:
            return unknown(match)
        try:
            return identify(match, login, until=until)
        except LoginRefused:
            if login is not None:
                self._refusals.add(match, login)
        except DeviceError:
            pass
        return unknown(match)


@dataclass(frozen=True, slots=True)
class _Refusal:
    at: float
    """Monotonic, s."""
    login: Login


class _Refusals:
    """Which devices have refused which logins. Any thread may call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._of: dict[str, list[_Refusal]] = {}
        """By endpoint; an empty list: once, and long ago."""

    def forbid(self, match: Match, login: Login | None) -> bool:
        """Return whether one more attempt could lock an account of this device."""
        with self._lock:
            counting = self._counting(match.endpoint)
        return len(counting) >= _REFUSALS or any(one.login == login for one in counting)

    def add(self, match: Match, login: Login) -> None:
        """Note a refusal; the first one of a device is told."""
        with self._lock:
            is_first = match.endpoint not in self._of
            refusals = [*self._counting(match.endpoint), _Refusal(self._clock.monotonic(), login)]
            if len(self._of) >= _DEVICES:
                self._of.clear()
            self._of[match.endpoint] = refusals
        if is_first:
            log.warning("a device refuses the login of a camera that is searched for", address=match.address,
                        model=match.hardware)  # fmt: skip

    def _counting(self, endpoint: str) -> list[_Refusal]:
        since = self._clock.monotonic() - _REFUSED_S
        return [one for one in self._of.get(endpoint, ()) if one.at > since]


class Follower:
    """Where one camera is now. Used by the threads that read its streams."""

    def __init__(
        self,
        camera: str,
        settings: StreamSettings,
        searcher: Searcher,
        found: Callable[[], None],
        clock: Clock,
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        """`settings`: of the analysed stream, with a serial number. `found` is called for each new address."""
        self._camera, self._serial = camera, settings.serial
        self._home, self._login = host_of(settings.url), _login(settings.url)
        self._searcher, self._found, self._clock, self._pause_s = searcher, found, clock, pause_s
        self._lock = threading.Lock()
        self._address = self._home
        self._next = float("-inf")

    def moved(self, settings: StreamSettings) -> StreamSettings:
        """Return the settings of a stream with the address at which the camera is now."""
        address = self._address
        if address == self._home or host_of(settings.url) != self._home:
            return settings
        return settings.model_copy(update={"url": _at(settings.url, address)})

    def lost(self, cause: str) -> None:
        """Search for the camera where it is not at its address and that is due; takes three seconds at most."""
        if cause not in _ELSEWHERE or not self._is_due():
            return
        try:
            there = self._searcher.addresses(self._serial, self._login)
        except OSError as error:
            log.warning("camera cannot be searched for", camera=self._camera, why=error.strerror)
            return
        if there is None:
            self._next = float("-inf")
        else:
            self._take(there)

    def _is_due(self) -> bool:
        with self._lock:
            now = self._clock.monotonic()
            is_due = now >= self._next
            self._next = now + self._pause_s if is_due else self._next
        return is_due

    def _take(self, there: set[str]) -> None:
        """Go where the camera was found; where it was not, back to the address of the configuration."""
        if len(there) > 1 and self._address not in there:
            log.warning("several devices have the serial number of a camera", camera=self._camera,
                        serial=self._serial, addresses=sorted(there))  # fmt: skip
            return
        before = self._address
        self._address = before if before in there else next(iter(there), self._home)
        if self._address not in (before, self._home):
            self._found()
            log.warning("camera found at another address: change it in the configuration, or reserve it in the router",
                        camera=self._camera, serial=self._serial, was=before, now=self._address)  # fmt: skip


def _login(url: str) -> Login | None:
    parts = urlsplit(url)
    return Login(unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def _at(url: str, host: str) -> str:
    """Return `url` with another host; login, port and path stay."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{login}{at}{host}{port}").geturl()
