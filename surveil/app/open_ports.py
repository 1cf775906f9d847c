"""The TCP ports that processes of Ray have opened on this machine, according to the kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"
"""Of `st` in /proc/net/tcp."""
_PROGRAMS = ("gcs_server", "raylet", "ray::")
"""Within the first word of a command line of Ray's."""
_ENDED = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """What Ray has opened, as far as this user may see it."""

    ports: frozenset[int]
    """At which a process of Ray's listens on more than loopback."""
    hidden: frozenset[int]
    """Ids of the processes of Ray's whose sockets this user may not see."""


def open_to_others() -> OpenPorts:
    """Look at the processes of Ray that run now."""
    own: set[str] = set()
    hidden: set[int] = set()
    for process in _processes():
        try:
            own.update(_sockets(process))
        except PermissionError:
            hidden.add(int(process.name))
    ports = {port for inode, address, port in _listeners() if inode in own and not address.is_loopback}
    return OpenPorts(frozenset(ports), frozenset(hidden))


def _processes() -> Iterator[Path]:
    for process in _PROC.iterdir():
        with suppress(OSError):  # it has ended meanwhile
            word = (process / "cmdline").read_bytes().split(b"\0", 1)[0].decode(errors="replace")
            if process.name.isdecimal() and any(program in word for program in _PROGRAMS):
                yield process


def _sockets(process: Path) -> Iterator[str]:
    """Yield the inodes of the sockets of a process. Raises PermissionError: it is another user's."""
    with suppress(*_ENDED):
        for descriptor in (process / "fd").iterdir():
            with suppress(*_ENDED):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target.removeprefix("socket:[").removesuffix("]")


def _listeners() -> Iterator[tuple[str, ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Yield inode, address and port of all that listens."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS:
                    yield fields[9], *_address(fields[1])


def _address(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Read `0100007F:18EB`: words in the order of this machine's bytes, which is little-endian, and the port."""
    address, port = text.split(":")
    words = bytes.fromhex(address)
    raw = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
    return _plain(ipaddress.ip_address(raw)), int(port, 16)


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address within an IPv6 one."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
