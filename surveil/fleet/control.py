"""The daemon's control socket: one request and one answer per connection, each a line of JSON.

A Unix socket, mode 0600, in the state directory: only the daemon's own user may give it orders.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from surveil.errors import ConfigError, StateError
from surveil.filesystem import read_json

NAME = "fleet.sock"
_MOST = 8 << 20
"""Bytes of a request or an answer: the orders for 100,000 cameras."""
_PATIENCE_S = 2.0
"""How long a peer may take for its line."""
_LONGEST_PATH = 107

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class ControlSocket:
    """Listens. Owned by the thread that calls `serve_one`, after the one that made it."""

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError when the path is too long for a socket, StateError when it cannot be made."""
        self._path = folder / NAME
        if len(os.fsencode(self._path)) > _LONGEST_PATH:
            raise ConfigError(
                [
                    f"state_dir: {self._path} is too long for a socket ({_LONGEST_PATH} bytes); choose a shorter folder"
                ]
            )
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                self._listener.bind(os.fspath(self._path))
            finally:
                os.umask(before)
            self._listener.listen(8)
        except OSError as error:
            self._listener.close()
            raise StateError(f"{self._path} cannot be listened on: {error.strerror}") from error

    def serve_one(self, answer: Answer, timeout_s: float) -> None:
        """Answer one request, if one comes in time. A peer that misbehaves is told so or left."""
        self._listener.settimeout(timeout_s)
        try:
            peer, _ = self._listener.accept()
        except TimeoutError:
            return
        with peer, suppress(OSError):
            peer.settimeout(_PATIENCE_S)
            peer.sendall(_line(self._answer(answer, peer)))

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

    @staticmethod
    def _answer(answer: Answer, peer: socket.socket) -> dict[str, Any]:
        try:
            request = read_json(_receive(peer))
            if not isinstance(request, dict):
                return {"error": "a request is an object"}
            return answer(request)
        except (ValueError, TypeError, KeyError, StateError) as error:
            return {"error": f"{type(error).__name__}: {error}"}


def ask(folder: Path, request: dict[str, Any], timeout_s: float = _PATIENCE_S) -> dict[str, Any]:
    """Ask the daemon of a state directory. Raises StateError when it does not answer, or refuses."""
    path = folder / NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(timeout_s)
            peer.connect(os.fspath(path))
            peer.sendall(_line(request))
            answer = read_json(_receive(peer))
    except (OSError, ValueError) as error:
        raise StateError(f"{path}: the daemon does not answer ({error}); is `surveil run` up?") from error
    if not isinstance(answer, dict) or "error" in answer:
        raise StateError(f"{path}: refused: {answer}")
    return answer


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _receive(peer: socket.socket) -> bytes:
    """Return one line. Raises ValueError when it is too long or unfinished."""
    received = bytearray()
    while not received.endswith(b"\n"):
        piece = peer.recv(1 << 16)
        if not piece or len(received) + len(piece) > _MOST:
            raise ValueError("no whole line")
        received += piece
    return bytes(received)
