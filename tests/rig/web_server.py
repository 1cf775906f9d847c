"""A camera's web server that answers as a test wants. Loopback only.

with WebServer(lambda request: request.answer(200, b"body")) as server:
    server.at("/path"), server.asked   # the paths that were asked for
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self


class WebRequest(BaseHTTPRequestHandler):
    """One GET; `answer` sends all at once, `begin` and `send` in pieces."""

    stop: threading.Event

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.begin(status, Content_Length=str(len(body)), **headers)
        self.send(body)

    def begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        with suppress(OSError):  # the other side has had enough
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class WebServer:
    """Serves on threads of its own while in a `with`."""

    def __init__(
        self, answer: Callable[[WebRequest], None], certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.stop = threading.Event()
        server = self

        class Handler(WebRequest):
            stop = server.stop

            def do_GET(self) -> None:
                server.asked.append(self.path)
                if login := self.headers.get("Authorization"):
                    server.logins.append(login)
                answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._scheme = "http"
        if certificate:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(*certificate)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign] - clients refuse on purpose
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="web-server")

    def at(self, path: str, login: str = "") -> str:
        """Return the address of a path."""
        return (
            f"{self._scheme}://{login}{'@' if login else ''}127.0.0.1:{self._server.server_address[1]}{path}"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
