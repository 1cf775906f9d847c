"""Alerts, pictures and a real local webhook receiver for the tests of this folder."""

from __future__ import annotations

import http.server
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from prometheus_client import CollectorRegistry

from surveil.alerts.clips import Clips
from surveil.alerts.incidents import Incidents
from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.storm import StormSettings
from surveil.alerts.writer import AlertWriter, Attach
from surveil.app.evidence_store import CameraEvidence
from surveil.clock import SystemClock
from surveil.damage import DamageCounts
from surveil.metrics import Metrics
from surveil.types import Alert, Bytes, Frame

T0 = 1_700_000_000.0


def alert(n: int = 0, phase: str = "start", **changes: object) -> Alert:
    """The start or end of the n-th event at the gate."""
    event = str(uuid.uuid5(uuid.NAMESPACE_URL, f"event/{n}"))
    made = Alert(
        id=str(uuid.uuid5(uuid.UUID(event), phase)),
        event_id=event,
        camera="gate",
        rule="intrusion",
        type="intrusion",
        key="yard/person",
        phase=phase,
        t=float(n),
        t_wall=T0 + n,
        score=0.87,
        text="person in yard",
        label="person",
        zone="yard",
        track=3,
        box=(100.0, 60.0, 180.0, 300.0),
    )
    return replace(made, **changes)


def make_writer(outbox: Outbox, folder: Path, evidence: Attach | None = None, **parts: object) -> AlertWriter:
    """A writer of which a test names only the parts that it is about: without them, nothing is stored or capped."""
    metrics, retention = Metrics(CollectorRegistry()), Retention(folder, {}, outbox)
    usual = {
        "clips": Clips(folder), "retention": retention, "state_dir": folder, "storm": StormSettings(max_per_hour=0),
        "metrics": metrics, "clock": SystemClock(), "wake": lambda: None,
        "damage": DamageCounts(), "incidents": Incidents(),
    }  # fmt: skip
    return AlertWriter(
        outbox, evidence or CameraEvidence(folder, retention.make_room, metrics), **{**usual, **parts}
    )


class ArrayPicture:
    """A picture that is an array already."""

    def __init__(self, pixels: Bytes) -> None:
        self._pixels = pixels

    @property
    def width(self) -> int:
        return self._pixels.shape[1]

    @property
    def height(self) -> int:
        return self._pixels.shape[0]

    def bgr(self) -> Bytes:
        return self._pixels

    def luma(self, width: int, height: int) -> Bytes:
        raise NotImplementedError

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> Bytes:
        raise NotImplementedError


def frame(width: int = 640, height: int = 360, camera: str = "gate", t: float = 1.0) -> Frame:
    """A frame with a gradient in it, so that JPEG has something to do."""
    x = np.linspace(0, 255, width, dtype=np.uint8)
    pixels = np.stack([np.tile(x, (height, 1))] * 3, axis=2)
    return Frame(camera=camera, seq=1, t=t, t_wall=T0 + t, picture=ArrayPicture(pixels))


@dataclass
class Got:
    """One request that a receiver got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A real HTTP server on a free port; `answer` decides status and headers of each request."""

    answer: Callable[[Got], tuple] = lambda _got: (200, {})
    got: list[Got] = field(default_factory=list)
    body: bytes = b"{}"

    def __enter__(self) -> Self:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(size)
                if len(body) < size:
                    # The client was killed between headers and body: no server acts on half a request.
                    self.close_connection = True
                    return
                got = Got(self.command, self.path, dict(self.headers.items()), body)
                receiver.got.append(got)
                status, headers, *own = receiver.answer(got)
                sent = own[0] if own else receiver.body
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            do_GET = do_PATCH = do_POST  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, _request: object, _client: object) -> None:
                """Say nothing of clients that were killed."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
