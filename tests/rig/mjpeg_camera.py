"""A camera that sends MJPEG over HTTP: a multipart stream without time stamps, or bare JPEGs. Loopback only.

with MjpegCamera(fps=10) as camera:
    camera.url            # /video: multipart; camera.at("/raw"): JPEGs one after the other
    camera.at("/locked")  # 401; any other path is 404
"""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Self

import cv2

from tests.rig.clips import walking_square

_SIZE = (320, 240)
_FRAMES = 30


def _jpegs() -> list[bytes]:
    pictures = [walking_square(number * 2, *_SIZE)[..., ::-1] for number in range(_FRAMES)]
    return [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]


class MjpegCamera:
    """Serves on threads of its own while in a `with`; `units` are other pictures than drawn JPEGs."""

    def __init__(self, fps: float, units: list[bytes] | None = None) -> None:
        self._stop = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(units or _jpegs(), fps, self._stop))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="mjpeg-camera")

    def at(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    @property
    def url(self) -> str:
        """The address of the multipart stream."""
        return self.at("/video")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(jpegs: list[bytes], fps: float, stop: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/video":
                self._stream("multipart/x-mixed-replace; boundary=part", _part)
            elif self.path == "/raw":
                self._stream("video/x-motion-jpeg", bytes)
            else:
                self.send_error(401 if self.path == "/locked" else 404)

        def _stream(self, kind: str, wrap) -> None:  # type: ignore[no-untyped-def]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            began, sent = monotonic(), 0
            with suppress(OSError):  # the other side has had enough
                while not stop.wait(max(0.0, began + sent / fps - monotonic())):
                    self.wfile.write(wrap(jpegs[sent % len(jpegs)]))
                    sent += 1

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _part(jpeg: bytes) -> bytes:
    head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"
