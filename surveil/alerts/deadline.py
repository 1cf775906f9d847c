"""Sockets with one deadline for a whole exchange.

A socket's own timeout starts again with every byte, so a receiver that sends one byte a second holds its
courier for ever. Here every wait is bounded by what is left of the whole, and ends soon after the stop.
"""

from __future__ import annotations

import errno
import io
import os
import select
import socket
import ssl
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from surveil.alerts.delivery import STOP_GRACE_S
from surveil.clock import Clock, Stop

_SLICE_S = 0.25
"""How long a wait may last before it looks whether the end was asked for."""


class Deadline:
    """The end of an exchange: `timeout_s` from now, or half a second after `stop`."""

    def __init__(self, clock: Clock, stop: Stop, timeout_s: float) -> None:
        self._clock = clock
        self._stop = stop
        self._end = clock.monotonic() + timeout_s
        self._stopped = False

    def left_s(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        now = self._clock.monotonic()
        if self._stop and not self._stopped:
            self._stopped = True
            self._end = min(self._end, now + STOP_GRACE_S)
        left = self._end - now
        if left <= 0:
            raise TimeoutError("the exchange took too long")
        return left

    def slice_s(self) -> float:
        """Seconds to wait before looking again. Raises TimeoutError as `left_s`."""
        return min(_SLICE_S, self.left_s())


class _ResponseReader(io.RawIOBase):
    """Reads from a socket until the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; raises TimeoutError at the deadline."""
        while True:
            self._sock.settimeout(self._deadline.slice_s())
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue


class DeadlineSocket:
    """As much of a socket as http.client and smtplib use, under one deadline."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self.raw = raw
        self._deadline = deadline

    def makefile(self, _mode: str = "rb", *_args: object, **_kwargs: object) -> io.BufferedReader:
        """Return a reader."""
        return io.BufferedReader(_ResponseReader(self.raw, self._deadline))

    def sendall(self, data: Any) -> None:
        """Send everything; raises TimeoutError at the deadline."""
        rest = memoryview(data).cast("B") if not isinstance(data, str) else memoryview(data.encode())
        while rest:
            self.raw.settimeout(self._deadline.slice_s())
            try:
                rest = rest[self.raw.send(rest) :]
            except TimeoutError:
                continue

    def close(self) -> None:
        """Do nothing: http.client closes before it has read the answer. The caller that opened it calls `shut`."""

    def shut(self) -> None:
        """Close the socket."""
        self.raw.close()


def open_socket(host: str, port: int, deadline: Deadline, tls: ssl.SSLContext | None) -> DeadlineSocket:
    """Connect, with TLS where asked for. Raises OSError (TimeoutError, ssl.SSLError among them)."""
    raw = _connected(host, port, deadline)
    return DeadlineSocket(encrypted(raw, host, deadline, tls) if tls else raw, deadline)


def encrypted(raw: socket.socket, host: str, deadline: Deadline, tls: ssl.SSLContext) -> ssl.SSLSocket:
    """Shake hands over a connection, which is closed when that fails. Raises OSError as `open_socket`."""
    sock = tls.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            sock.settimeout(deadline.slice_s())
            with suppress(TimeoutError):
                sock.do_handshake()
                return sock
    except BaseException:
        sock.close()
        raise


def _connected(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Return the first connection that is made to any address of a host.

    Each address is tried beside those before it, a quarter of a second after them (RFC 8305): the first may lead
    nowhere, as where IPv6 is broken.
    """
    addresses = deque(_addresses(host, port, deadline))
    trying: list[socket.socket] = []
    why = OSError(0, "has no address")
    try:
        while addresses or trying:
            if addresses:
                try:
                    trying.append(_begun(*addresses.popleft()))
                except OSError as error:
                    why = error
                    continue
            for sock in _settled(trying, deadline.slice_s()):
                trying.remove(sock)
                if not (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    return sock
                sock.close()
                why = OSError(code, os.strerror(code))
    finally:
        for sock in trying:
            sock.close()
    raise why


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return what the system knows of a host. Its resolver heeds no deadline: what it says too late is not heard."""
    said: SimpleQueue[list[Any] | Exception] = SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, said), name="resolver", daemon=True).start()
    try:
        while True:
            with suppress(Empty):
                found = said.get(timeout=deadline.slice_s())
                break
    except TimeoutError:
        raise OSError(0, "no answer from the name server") from None
    if isinstance(found, Exception):
        raise found
    return found


def _resolve(host: str, port: int, said: SimpleQueue[list[Any] | Exception]) -> None:
    try:
        said.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError) as error:
        said.put(error)


def _begun(
    family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, _name: str, address: Any
) -> socket.socket:
    """Return a socket on its way to an address. Raises OSError where no way leads there."""
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    if (code := sock.connect_ex(address)) not in (0, errno.EINPROGRESS):
        sock.close()
        raise OSError(code, os.strerror(code))
    return sock


def _settled(trying: list[socket.socket], seconds: float) -> list[socket.socket]:
    """Wait for connections; return those that are made or have failed."""
    poll = select.poll()
    for sock in trying:
        poll.register(sock, select.POLLOUT)
    ready = {number for number, _ in poll.poll(seconds * 1000)}
    return [sock for sock in trying if sock.fileno() in ready]
