"""Which TCP ports the processes of Ray have opened on this machine, as the kernel tells it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_LISTENS = "0A"
"""Of `st` in /proc/net/tcp."""
_PROGRAMS = ("gcs_server", "raylet", "ray::")
"""Within the first word of a command line of Ray's."""


def open_to_others() -> set[int]:
    """Return the ports at which a process of Ray's, of this user, listens on more than loopback."""
    own = {inode for process in _processes() for inode in _sockets(process)}
    return {port for inode, address, port in _listeners() if inode in own and not address.is_loopback}


def _processes() -> Iterator[Path]:
    for process in _PROC.iterdir():
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            word = (process / "cmdline").read_bytes().split(b"\0", 1)[0].decode(errors="replace")
            if process.name.isdecimal() and any(program in word for program in _PROGRAMS):
                yield process


def _sockets(process: Path) -> Iterator[str]:
    """Yield the inodes of the sockets of a process."""
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
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
