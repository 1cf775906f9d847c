"""The checks of `surveil fleet check`."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import ssl
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from surveil.app.certificate import shaken
from surveil.app.open_ports import open_to_others
from surveil.app.state_dir import usable
from surveil.config import Config
from surveil.config.file import FleetSettings
from surveil.errors import StateError, SurveilError
from surveil.extras import Extra, command
from surveil.fleet.control import ask
from surveil.fleet.messages import STOP_S
from surveil.fleet.rayprocess import TOKEN, is_token, own_address
from surveil.fleet.shelf import check_store


@dataclass(frozen=True, slots=True)
class FleetFinding:
    """One thing that was looked at."""

    what: str
    good: bool
    text: str


def look(config: Config, fleet: FleetSettings) -> list[FleetFinding]:
    """Return what is well and what is not."""
    return [
        _ray(),
        _address(fleet),
        _tls(fleet),
        _open_ports(),
        _pages(config),
        _token(config),
        _store(fleet),
        *_daemon(config),
    ]


def _ray() -> FleetFinding:
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        return FleetFinding("Ray", good=False, text=f"is missing; install it with `{command(Extra.FLEET)}`")
    return FleetFinding("Ray", good=version.startswith("2.60."), text=f"{version}; made for 2.60")


def _address(fleet: FleetSettings) -> FleetFinding:
    host = fleet.listen.rpartition(":")[0].strip("[]")
    where = "loopback" if ipaddress.ip_address(host).is_loopback else "a private network"
    text = f"{fleet.listen} is on {where}; whoever reaches Ray's ports and has the token may run programs"
    return FleetFinding("address", good=True, text=text)


def _tls(fleet: FleetSettings) -> FleetFinding:
    """Shake hands as another node would: Ray does not say why it refuses a certificate."""
    if fleet.certificate is None or fleet.key is None or fleet.authority is None:
        text = "is off: use a tunnel, or give fleet.certificate, fleet.key and fleet.authority"
        return FleetFinding("TLS", good=True, text=text)
    what = f"fleet.certificate: {fleet.certificate}"
    try:
        own = own_address(fleet.listen)
        shaken(fleet.certificate, fleet.key, fleet.authority, own)
    except ssl.SSLCertVerificationError as error:
        text = f"{what} is refused: {error.verify_message}; have the authority sign one for {own}"
        return FleetFinding("TLS", good=False, text=text)
    except OSError as error:
        text = f"{what} cannot be used: {error.strerror or error}; give PEM files that this user may read"
        return FleetFinding("TLS", good=False, text=text)
    return FleetFinding("TLS", good=True, text=f"{what} is for {own}")


def _open_ports() -> FleetFinding:
    """Ray listens on all addresses, whatever it is told: only a firewall keeps others out."""
    found = open_to_others()
    if found.hidden:
        text = (
            f"not known, the sockets of Ray's processes {_listed(found.hidden)} cannot be read; "
            "run this as the user of the service, or as root"
        )
        return FleetFinding("ports", good=False, text=text)
    if not found.ports:
        return FleetFinding("ports", good=True, text="no process of Ray's listens on more than loopback")
    text = (
        f"Ray listens on all addresses at {_listed(found.ports)}; the units let in whom "
        "IPAddressAllow names, without them use a firewall"
    )
    return FleetFinding("ports", good=True, text=text)


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _pages(config: Config) -> FleetFinding:
    http = config.http
    if http.is_loopback or http.certificate:
        how = "loopback" if http.is_loopback else "TLS"
        return FleetFinding("pages", good=True, text=f"{http.listen} is served by {how}")
    text = f"{http.listen} takes its token without TLS; set http.certificate and http.key"
    return FleetFinding("pages", good=False, text=text)


def _token(config: Config) -> FleetFinding:
    path = config.state_dir / TOKEN
    copy = "start the head, or copy the token from it with mode 0600"
    try:
        mode, token = stat.S_IMODE(path.stat().st_mode), path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        return FleetFinding("token", good=False, text=f"{path}: {error.strerror}; {copy}")
    if not is_token(token):
        return FleetFinding("token", good=False, text=f"{path} is not a whole token; {copy}")
    text = f"{path} has mode {mode:04o}" + ("" if mode == 0o600 else "; run chmod 600 on it")
    return FleetFinding("token", good=mode == 0o600, text=text)


def _store(fleet: FleetSettings) -> FleetFinding:
    try:
        check_store(fleet.store)
        usable(fleet.store, "fleet.store")
    except SurveilError as error:
        return FleetFinding("store", good=False, text=str(error))
    return FleetFinding("store", good=True, text=f"{fleet.store} can be written")


def _daemon(config: Config) -> Iterator[FleetFinding]:
    try:
        report = ask(config.state_dir, {"do": "status"})
    except StateError as error:
        yield FleetFinding("daemon", good=False, text=str(error))
        return
    same = report["digest"] == config.digest[:12]
    text = f"answers as {report['node']}, watches {len(report['reading'])} cameras"
    yield FleetFinding("daemon", good=True, text=text)
    yield _leases(report["lease_age_s"])
    yield FleetFinding(
        "configuration",
        good=same,
        text="is the one that the daemon runs" if same else "differs from the daemon's: reload it",
    )


def _leases(age_s: float | None) -> FleetFinding:
    """Say how old the last orders of the coordinator are, s; None: there were none since the daemon's start."""
    if age_s is not None and age_s < STOP_S:
        return FleetFinding("leases", good=True, text=f"were renewed {age_s:g} s ago")
    since = "since the daemon was started" if age_s is None else f"for {age_s:.0f} s"
    text = (
        f"there were no orders {since}; is `surveil fleet start` or `surveil fleet join` up here, "
        "and does `surveil fleet status` show a coordinator and no other machine of this name?"
    )
    return FleetFinding("leases", good=False, text=text)
