"""How long a stop takes: eight cameras, half of them refused, one sink hanging. `python -m benchmarks.stop`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.streams import serve
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene


def main() -> None:
    """Start, wait until alerts are on their way to a sink that never answers, stop, print the seconds."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as hanging:
        folder = Path(name)
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        write_clip(folder / "clip.mp4", DrawnScene.default(size=(640, 360), seconds=20.0))
        server = serve(folder / "clip.mp4")
        url = server.stdout.readline().strip()
        urls = [url] * 4 + ["rtsp://127.0.0.1:1/cam"] * 4
        camera = {"rules": [{"type": "presence"}]}
        config = {
            "version": 1,
            "cameras": {f"c{i}": {"url": address, **camera} for i, address in enumerate(urls)},
            "sinks": {"ops": {"type": "webhook", "url": f"http://127.0.0.1:{hanging.getsockname()[1]}/"}},
            "state_dir": str(folder / "state"),
            "http": {"listen": "127.0.0.1:0"},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        argv = [sys.executable, "-m", "surveil", "run", "-c", str(folder / "config.yaml")]
        log = folder / "log"
        with log.open("wb") as out:
            daemon = subprocess.Popen(argv, stderr=out)
            time.sleep(20.0)
            start = time.monotonic()
            daemon.send_signal(signal.SIGTERM)
            code = daemon.wait(30)
            took = time.monotonic() - start
        server.terminate()
        server.wait(10)
        clean = '"clean": true' in log.read_text()
        print(f"stopped in {took:.2f} s, exit code {code}, every thread joined: {clean}")


if __name__ == "__main__":
    main()
