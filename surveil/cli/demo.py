"""`surveil demo`: a camera that surveil draws itself, over real RTSP, through the real daemon, to a real webhook."""

from __future__ import annotations

import json
import math
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from surveil import logs
from surveil.app.state_dir import usable
from surveil.cli.common import console, errors, open_detector, shows_progress
from surveil.config import load
from surveil.threads import leave

if TYPE_CHECKING:
    from surveil.app.daemon import Daemon

_CONFIG = """\
version: 1
cameras:
  yard:
    url: {url}
    detect: {{fps: 5}}
    zones: {{yard: {zone}}}
    lines: {{gate: {line}}}
    rules:
      - {{type: intrusion, zone: yard, classes: [person]}}
      - {{type: line_crossing, line: gate, classes: [person]}}
sinks:
  webhook: {{type: webhook, url: "http://127.0.0.1:{port}/alerts"}}
  file: {{type: file, path: "{folder}/alerts.jsonl"}}
state_dir: {folder}/state
http: {{listen: "127.0.0.1:0", console: true}}
log: {{level: warning}}
"""

_SHORTEST_S = 12.0
"""The drawn yard is empty at both ends, and in a shorter clip all the time."""


def demo(
    seconds: Annotated[float, typer.Option(min=8, max=3600, help="Duration.")] = 60.0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder for clip, alerts and pictures; default: a new temporary folder."),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option(exists=True, help="Video to serve instead of the synthetic one.")
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Run until interrupted (Ctrl-C).")] = False,
) -> None:
    """Run the daemon for a minute on a synthetic yard, with an RTSP server, a webhook and the console.

    Uses free ports on the loopback interface and a temporary folder. Exit code 1 if no alert arrives.

    Example: `surveil demo --keep`
    """
    from surveil.app.daemon import Daemon  # noqa: PLC0415 - as in run
    from surveil.demo.rtp import RtpClip  # noqa: PLC0415
    from surveil.demo.rtsp_server import RtspServer  # noqa: PLC0415
    from surveil.demo.scene import DrawnScene  # noqa: PLC0415

    place = (folder or Path(tempfile.mkdtemp(prefix="surveil-demo-"))).resolve()
    usable(place, "--folder")
    scene = DrawnScene.default(seconds=min(max(seconds, _SHORTEST_S), 60.0))
    video = clip or _draw(scene, place / "yard.mp4")
    with _Receiver() as receiver, RtspServer(RtpClip(video)) as camera:
        config = place / "config.yaml"
        config.write_text(
            _CONFIG.format(
                url=camera.url, zone=_points(scene.zones["yard"]), line=_points(scene.lines["gate"]),
                port=receiver.port, folder=place,
            )
        )  # fmt: skip
        settings = load(config)
        logs.configure(settings.log.format, settings.log.level)
        daemon = Daemon(settings, open_detector(settings))
        daemon.start()
        try:
            _watch(daemon, receiver, math.inf if keep else seconds)
            metrics = _page(daemon, place / "metrics.txt")
        finally:
            clean = daemon.end()
    _conclude(receiver, place, metrics, drawn=clip is None)
    leave(0 if receiver.alerts and clean else 1)


def _points(points: Sequence[Sequence[float]]) -> str:
    return json.dumps([list(point) for point in points])


def _draw(scene: Any, path: Path) -> Path:
    """Draw and encode the clip."""
    from surveil.demo.clip import write_clip  # noqa: PLC0415

    if path.exists():
        return path
    with Progress(console=errors, transient=True, disable=not shows_progress()) as bar:
        task = bar.add_task("drawing the yard", total=scene.frames)
        write_clip(path, scene, on_frame=lambda done: bar.update(task, completed=done))
    return path


class _Receiver:
    """A webhook on loopback that remembers what it got."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.keys: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.alerts.append(json.loads(body))
                outer.keys.append(self.headers.get("idempotency-key", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo-webhook")

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _watch(daemon: Daemon, receiver: _Receiver, seconds: float) -> None:
    """Show what the daemon sees until the time is over or the user interrupts."""
    end = daemon.clock.monotonic() + seconds
    console.print(f"console   http://{daemon.address}/console/", soft_wrap=True)
    console.print(f"metrics   http://{daemon.address}/metrics", soft_wrap=True)
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, refresh_per_second=4, transient=not shows_progress()) as live,
    ):
        while daemon.clock.monotonic() < end and not daemon.stop.wait(0.25):
            live.update(_table(daemon, receiver, end - daemon.clock.monotonic()))


def _table(daemon: Daemon, receiver: _Receiver, left_s: float) -> Table:
    title = f"{left_s:4.0f} s left" if math.isfinite(left_s) else "until Ctrl-C"
    table = Table(title=title, title_justify="left", show_header=False)
    books = daemon.pipeline.ring.books()["yard"]
    tracks = daemon.pipeline.analyse.tracks("yard")
    table.add_row("camera", daemon.cameras.states()["yard"])
    table.add_row(
        "frames",
        f"{books.received} decoded, {books.processed} analysed, {sum(books.dropped.values())} dropped",
    )
    table.add_row("seen now", ", ".join(f"{t.label} {t.id} ({t.score:.2f})" for t in tracks) or "none")
    for alert in receiver.alerts[-8:]:
        table.add_row(Text(alert["phase"], "red"), f"{alert['time'][11:19]} {alert['text']}")
    return table


def _page(daemon: Daemon, path: Path) -> Path:
    """Keep the last state of the metrics page."""
    from urllib.request import urlopen  # noqa: PLC0415

    with urlopen(f"http://{daemon.address}/metrics", timeout=5) as page:
        path.write_bytes(page.read())
    return path


def _conclude(receiver: _Receiver, place: Path, metrics: Path, *, drawn: bool) -> None:
    starts = [alert for alert in receiver.alerts if alert["phase"] == "start"]
    if not starts:
        why = (
            "This is a bug: the yard is never empty for that long."
            if drawn
            else "No person was detected in the clip."
        )
        console.print(Text("No alert arrived.", "red"), why)
    for alert in starts:
        console.print(Text.assemble(f"{alert['time']}  ", (alert["rule"], "bold"), f"  {alert['text']}"))
    console.print(f"\n{len(starts)} events, {len(receiver.alerts)} alerts delivered to the webhook")
    _say = console.print
    _say(f"pictures  {place / 'state' / 'evidence'}", soft_wrap=True)
    _say(f"alerts    {place / 'alerts.jsonl'}", soft_wrap=True)
    _say(f"metrics   {metrics}", soft_wrap=True)
    _say(f"config    {place / 'config.yaml'}", soft_wrap=True)
