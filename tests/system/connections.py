"""A whole daemon beside a thousand connections that ask for nothing: `python -m tests.system.connections`.

Over http and https, idle and half-open: the connections are made, and those that are cut are made again every five
seconds. Meanwhile the camera restarts. Alerts must be delivered, the camera must come back, and /livez must answer
within a second.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from surveil.clock import Stop, SystemClock
from surveil.demo.clip import write_clip
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.demo.scene import DrawnScene
from tests.alerts.servers import make_certificate
from tests.integration.world import Process, Webhook, config_text, wait_for

KINDS = {
    "idle": (False, b""),
    "half a head": (False, b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "),
    "idle, https": (True, b""),
    "half a hello, https": (True, b"\x16\x03\x01\x02\x00\x01"),
}
"""What is tried → whether the pages are served over https, and what each connection sends."""
MOST_S, GIVE_UP_S = 1.0, 30.0
AGAIN_S = 5.0


class Crowd:
    """Connections that send something and then wait. Use as a context manager."""

    def __init__(self, address: tuple[str, int], number: int, sent: bytes) -> None:
        self._address, self._sent = address, sent
        self._clients = [self._client() for _ in range(number)]
        self._stop = Stop()
        self._thread = threading.Thread(target=self._keep_up)
        self.made_again = 0

    def _client(self) -> socket.socket | None:
        try:
            client = socket.create_connection(self._address, timeout=5)
            client.sendall(self._sent)
            client.setblocking(False)
        except OSError:
            return None
        return client

    def _is_cut(self, client: socket.socket | None) -> bool:
        if client is None:
            return True
        try:
            return not client.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _keep_up(self) -> None:
        while not self._stop:
            for n, client in enumerate(self._clients):
                if self._is_cut(client):
                    if client is not None:
                        client.close()
                    self._clients[n] = self._client()
                    self.made_again += 1
            SystemClock().sleep(AGAIN_S, self._stop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            if client is not None:
                client.close()


def answers_in(address: tuple[str, int], trusted: ssl.SSLContext | None) -> float:
    """Return after how many seconds /livez answers with 200; a connection that is cut is tried again, as probes do."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < GIVE_UP_S:
        with contextlib.suppress(OSError):
            _ask(address, trusted)
            break
    return time.perf_counter() - begun


def _ask(address: tuple[str, int], trusted: ssl.SSLContext | None) -> None:
    """Get /livez; raises OSError where the answer is not 200."""
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(socket.create_connection(address, timeout=10))
        if trusted is not None:
            client = stack.enter_context(trusted.wrap_socket(client, server_hostname="127.0.0.1"))
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        if not client.recv(4096).startswith(b"HTTP/1.1 200"):
            raise ConnectionError("/livez did not answer with 200")


def tried(folder: Path, clip: Path, kind: str, number: int) -> bool:
    """Try one kind with a daemon of its own; return whether all went well."""
    secure, sent = KINDS[kind]
    folder.mkdir()
    trusted, http = None, {"listen": "127.0.0.1:0"}
    if secure:
        certificate, key = make_certificate(folder)
        trusted = ssl.create_default_context(cafile=str(certificate))
        http |= {"certificate": str(certificate), "key": str(key)}
    with RtspServer(RtpClip(clip)) as camera, Webhook() as hook:
        config = folder / "config.yaml"
        rule = {"type": "intrusion", "zone": "yard", "after_s": 0.4, "linger_s": 0.4}
        config.write_text(config_text(camera.url, folder / "state", hook.url, [rule], {"http": http}))
        with Process(config, fork=False) as daemon:
            host, port = daemon.pages().rpartition("/")[2].split(":")
            wait_for(lambda: hook.starts("intrusion"), 120)
            alone = max(answers_in((host, int(port)), trusted) for _ in range(20))
            with Crowd((host, int(port)), number, sent) as crowd:
                took = [answers_in((host, int(port)), trusted) for _ in range(20)]
                camera.close_listener()
                camera.close_clients(reset=True)
                before = len(hook.alerts)
                camera.listen()
                wait_for(lambda: len(hook.starts("intrusion")) and len(hook.alerts) > before + 2, 120)
                took += [answers_in((host, int(port)), trusted) for _ in range(20)]
                told = len(hook.alerts) - before
            code = daemon.end()
    print(
        f"{kind:20} {number} connections, {crowd.made_again} made again: /livez after {max(took):.3f} s at most "
        f"({alone:.3f} s without them), "
        f"{told} alerts since the camera restarted, exit code {code}",
        flush=True,
    )
    return max(took) <= MOST_S and code == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--only", choices=KINDS, action="append", help="default: all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, DrawnScene.passing(seed=3, people=2, size=(640, 360)))
        fine = [
            tried(Path(folder) / str(n), clip, kind, given.number)
            for n, kind in enumerate(given.only or KINDS)
        ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
