"""An RTSP camera that refuses on purpose: answers one method with a status of its own. Loopback only.

with RefusingCamera("SETUP", 453) as camera:
    camera.url, camera.logins   # the Authorization headers that came
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=control:t0\r\n"
)
_LINK = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"


class RefusingCamera:
    """Serves on threads of its own while in a `with`."""

    def __init__(self, method: str, status: int, headers: str = "") -> None:
        self._refuses, self._status, self._headers = method, status, headers
        self.logins: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="refusing-camera")]

    @property
    def url(self) -> str:
        """The address without a login."""
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/cam"

    def with_login(self, login: str) -> str:
        """The address with a login."""
        return self.url.replace("//", f"//{login}@")

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self._links.append(link)
                thread = threading.Thread(target=self._serve, args=(link,), name="refusing-client")
                self._threads.append(thread)
                thread.start()

    def _serve(self, link: socket.socket) -> None:
        with suppress(OSError), link, link.makefile("rb") as lines:
            while line := lines.readline():
                method = line.split(b" ")[0].decode()
                headers = {}
                while field := lines.readline().strip():
                    name, _, value = field.decode().partition(":")
                    headers[name.lower()] = value.strip()
                self.logins += [headers["authorization"]] if "authorization" in headers else []
                link.sendall(self._answer(method, headers.get("cseq", "0")).encode())

    def _answer(self, method: str, cseq: str) -> str:
        if method == self._refuses:
            return f"RTSP/1.0 {self._status} No\r\nCSeq: {cseq}\r\n{self._headers}\r\n"
        body = _SDP if method == "DESCRIBE" else ""
        kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else ""
        kind += _LINK if method == "SETUP" else ""
        return f"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{kind}\r\n{body}"
