"""The processes of Ray on one node, and the environment of all that talk to them. Imports nothing of Ray."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from surveil.errors import StateError
from surveil.filesystem import keep_secret
from surveil.fleet.messages import VALID_S
from surveil.listening import split_address

TOKEN = "fleet.token"  # noqa: S105 - the name of a file
"""In the state directory: who has it, and reaches Ray's ports, may run programs."""
_TOKEN_BYTES = 32
FOLDER = Path("/tmp/surveil-ray")  # noqa: S108 - of the unit's own: PrivateTmp
"""Where Ray keeps its session: its sockets need short paths."""
_LAST_HEAD = "ray_current_cluster"
"""In Ray's folder: the address of the head that it has started last."""
_REACH_S = 2.0
_HEAD_LOST = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""How long Ray on a node waits for the head before it ends, to be started anew: 60 s by default. A head that comes back
knows none of the nodes, and without it a lease ends after its validity: to wait longer only keeps cameras unwatched."""
_OBJECTS_MB = 78
"""Ray's smallest store of objects; no objects are kept in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayTls:
    """Files (PEM) by which the nodes prove to each other who they are."""

    certificate: Path
    key: Path
    authority: Path

    def environment(self) -> dict[str, str]:
        """Return what tells Ray of them."""
        return {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(self.certificate),
            "RAY_TLS_SERVER_KEY": str(self.key),
            "RAY_TLS_CA_CERT": str(self.authority),
        }


def settle(token: Path, tls: RayTls | None = None) -> None:
    """Set this process, and those that it starts, up for Ray; before Ray is imported: it reads its environment then.

    `tls`: None: connections are not encrypted, whatever the environment says.
    """
    os.environ.update({"RAY_USE_TLS": "0"} if tls is None else tls.environment())
    os.environ.update(environment(token))


def environment(token: Path) -> dict[str, str]:
    """Return the environment of every process of Ray here: a token, and no statistics of usage."""
    return {
        _HEAD_LOST: str(round(VALID_S)),
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_raylet_start_wait_time_s": "120",
    }


def own_address(head: str) -> str:
    """Return the address of this machine on the way to `head` (ADDRESS:PORT). Raises StateError: there is no way."""
    host, port = split_address(head)
    if ipaddress.ip_address(host).is_loopback:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise StateError(
            f"fleet.listen: there is no way to {host} ({error.strerror}); check the network"
        ) from error


def reach(head: str) -> None:
    """Raise StateError unless something listens at `head` (ADDRESS:PORT)."""
    try:
        socket.create_connection(split_address(head), _REACH_S).close()
    except OSError as error:
        raise StateError(f"no Ray at {head} ({error}); start the fleet with `surveil fleet start`") from error


def make_token(path: Path) -> None:
    """Create the token that all nodes of a fleet share, unless it is there; mode 0600.

    An empty file is replaced. Raises StateError where nothing can be written.
    """
    try:
        keep_secret(path, secrets.token_hex(_TOKEN_BYTES).encode("ascii"))
    except OSError as error:
        raise StateError(
            f"{path}: the token cannot be written: {error.strerror}; make room for it"
        ) from error


def is_token(text: str) -> bool:
    """Whether a text is a whole token as `make_token` makes it."""
    return re.fullmatch(rf"[0-9a-f]{{{2 * _TOKEN_BYTES}}}\n?", text) is not None


def start_ray(*, head: str, own_ip: str, token: Path, temp: Path, is_head: bool) -> subprocess.Popen[bytes]:
    """Start the processes of Ray on this node; they end with the one that is returned.

    `head` is the address and port of the head, `own_ip` the address at which other nodes reach this one.
    """
    if is_head:
        # With this file Ray takes another node's processes on this machine for a head that runs, and refuses to start.
        (temp / _LAST_HEAD).unlink(missing_ok=True)
    port = head.rpartition(":")[2]
    where = (
        ["--head", f"--port={port}", f"--temp-dir={temp}", "--include-dashboard=false"]
        if is_head
        else [f"--address={head}"]
    )
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where, f"--node-ip-address={own_ip}",
        "--disable-usage-stats", "--num-cpus=1", "--num-gpus=0",
        f"--object-store-memory={_OBJECTS_MB << 20}", "--min-worker-port=0", "--max-worker-port=0",
    ]  # fmt: skip
    return subprocess.Popen(command, env=environment(token), stdin=subprocess.DEVNULL)  # noqa: S603 - the words above
