"""The way between agents and a coordinator without Ray: agents in processes of their own, lines that lose things.

`python -m tests.fleet.desk STATE_DIR HOST PORT` runs an agent at the end of a line.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
from enum import Enum, auto
from pathlib import Path

from surveil.clock import Every, Stop, SystemClock, boot_s
from surveil.fleet.agent import Agent, CoordinatorLostError
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.messages import RENEW_S, NodeReport
from surveil.fleet.placer import CameraLoad
from surveil.fleet.tenure import Tenure

_CALL_S = 1.5
"""As long as an agent under Ray waits."""
_OPTIONAL = ("peers", "draining", "store_age_s", "version", "pending", "costs")
"""Fields of a report that a build without them would not send."""


class Loss(Enum):
    """What a line loses."""

    NOTHING = auto()
    EVERYTHING = auto()
    ORDERS = auto()
    """Reports come through, and their answers do not."""


class Desk:
    """A coordinator whose callers are threads of this process: Ray's part without Ray."""

    def __init__(self, loads: dict[str, CameraLoad], store: Path) -> None:
        self.loads, self._store = loads, store
        self.lock = threading.Lock()
        """Who holds it has a coordinator that hangs: calls wait, and are answered late."""
        self.away = False
        self.begin()

    def begin(self) -> None:
        """Start anew, as after a crash: with nothing but the next term."""
        with self.lock:
            self._terms = Every(RENEW_S, boot_s())
            self._tenure = Tenure(self.loads, self._store, boot_s())

    @property
    def coordinator(self) -> Coordinator:
        return self._tenure.coordinator

    def report(self, plain):
        if self.away:
            raise CoordinatorLostError("away")
        with self.lock:
            if self._terms.due(boot_s()):
                self._tenure.visit_store()
            orders = self._tenure.report(NodeReport.of(plain), boot_s())
        return None if orders is None else orders.plain()


class Line:
    """The way from one agent to the desk. `desk`, `loses` and `mixed` may be changed at any time."""

    def __init__(self, desk: Desk, host: str) -> None:
        self.desk, self.loses = desk, Loss.NOTHING
        self.mixed = False
        """Whether the other end is of another version: it leaves out some fields and adds others."""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                answer = outer._answer(json.loads(self.rfile.readline() or b"null"))
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, _request, _address):
                """The line is closed without an answer: the agent sees that the coordinator is lost."""

        self._server = Server((host, 0), Handler)
        self.address = self._server.server_address
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _answer(self, report):
        if self.loses is Loss.EVERYTHING:
            return self._nothing()
        if self.mixed:
            report = {key: value for key, value in report.items() if key not in _OPTIONAL} | {"later": 1}
        orders = self.desk.report(report)
        if self.loses is Loss.ORDERS:
            return self._nothing()
        if self.mixed and orders is not None:
            del orders["peers"], orders["tell_cameras"], orders["again_s"]
            orders["later"] = 1
        return orders

    def _nothing(self):
        """Answer too late."""
        SystemClock().sleep(_CALL_S + 0.5, Stop())
        raise CoordinatorLostError("cut off")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def call(address: tuple[str, int], report):
    """Report over a line. Raises CoordinatorLostError."""
    try:
        with socket.create_connection(address, _CALL_S) as peer, peer.makefile("rwb") as stream:
            stream.write(json.dumps(report).encode() + b"\n")
            stream.flush()
            return json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise CoordinatorLostError(str(error)) from error


def main() -> None:
    folder, address = Path(sys.argv[1]), (sys.argv[2], int(sys.argv[3]))
    Agent(folder, lambda report: call(address, report), SystemClock()).run(Stop())


if __name__ == "__main__":
    main()
