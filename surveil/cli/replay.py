"""`surveil replay`: the alerts that a configuration would have raised on a recording."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from json import dumps as json_of
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from surveil.app.annotate import Annotator
from surveil.app.replay import START_WALL, AnalysedFrame, Replay, ReplayResult, write_lines
from surveil.app.state_dir import usable
from surveil.capture.file import duration_s
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    complain,
    console,
    errors,
    open_detector,
    print_json,
    read_config,
    shows_progress,
)  # fmt: skip
from surveil.cli.output import written
from surveil.config import CameraConfig, Config
from surveil.errors import EXIT_FAILED, ConfigError
from surveil.features.counting.report import CountRow, counted
from surveil.features.counting.tables import crossings, zones
from surveil.logs import scrub
from surveil.types import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is played, as which camera, and what is written."""

    videos: tuple[Path, ...]
    config: Path
    camera: str | None
    """None: the only one."""
    alerts: Path | None
    looks: Path | None
    annotate: Path | None
    start: datetime | None
    """Wall time of the first frame; None: schedules do not count."""
    state: Path | None
    """None: a temporary folder."""
    json: bool

    @property
    def start_wall(self) -> float:
        """Unix s; UTC unless it names a zone."""
        start = self.start
        return START_WALL if start is None else start.replace(tzinfo=start.tzinfo or UTC).timestamp()


def replay(
    videos: Annotated[
        list[Path], typer.Argument(exists=True, help="Files or folders of images, played in this order.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    camera: Annotated[
        str | None,
        typer.Option(
            help="Camera whose rules and zones apply; required if there are several.",
            autocompletion=complete.cameras,
        ),
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="File for the alerts, one JSON object per line.")
    ] = None,
    looks: Annotated[
        Path | None, typer.Option(help="File for results of classifiers, one JSON object per crop.")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="File for a video with boxes, zones and alerts.")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            help="Wall time of the first frame (UTC unless it names a zone). Schedules of rules apply only if it is "
            "given."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps database and pictures; default: a temporary one."),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Test a camera's configuration on recordings, as fast as the machine allows.

    Runs the daemon's code on the recording's own clock: every run gives byte-identical alerts. Nothing is sent to the
    sinks of the configuration. Counts are printed at the end; --state keeps them for `surveil report --state`. If a
    recording cannot be played to its end, it is named, the others are played and the exit code is 1.

    Examples: `surveil replay monday.mp4 --camera yard`;
    `surveil replay monday.mp4 --camera yard --start 2026-03-02T08:00:00 --annotate seen.mp4 --json`
    """
    run(
        ReplayOptions(
            videos=tuple(videos), config=config, camera=camera, alerts=alerts, looks=looks, annotate=annotate,
            start=start, state=state, json=json,
        )
    )  # fmt: skip


def run(options: ReplayOptions) -> None:
    """Play the recordings, and show what the configuration makes of them."""
    settings = read_config(options.config, needs_model=True)
    name = _choose(settings, options.camera)
    with ExitStack() as stack:
        folder = options.state or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="surveil-replay-"))
        )
        usable(folder, "--state")
        lines = stack.enter_context(written("--alerts", options.alerts)) if options.alerts else None
        watchers = _watchers(stack, settings.cameras[name], options.annotate, options.looks)
        job = Replay(settings, name, open_detector(settings), folder, scheduled=options.start is not None)
        on_decoded = _progress(stack, options.videos)
        number = stack.enter_context(_ended_by_signal(job))
        found = partial(_found, lines, options.json)
        result = job.run(options.videos, options.start_wall, partial(_tell, watchers), on_decoded, found)
        counts = counted(folder)
    _show(name, result, counts, json=options.json)
    for failure in result.failures:
        complain(f"surveil: {scrub(str(failure))}")
    if number:
        raise typer.Exit(128 + number[0])
    if result.failures:
        raise typer.Exit(EXIT_FAILED)


def _show(camera: str, result: ReplayResult, counts: Sequence[CountRow], *, json: bool) -> None:
    """Show what came out at the end."""
    if json:
        summary = {"camera": camera, "alerts": len(result.alerts), "frames": result.frames,
                   "decoded": result.decoded, "seconds": round(result.seconds, 3)}  # fmt: skip
        failed = {"failed": [str(failure) for failure in result.failures]} if result.failures else {}
        print_json({**summary, **({"counts": counts} if counts else {}), **failed})
        return
    for table in filter(None, (crossings(counts), zones(counts))):
        console.print(table)
    console.print(
        f"{len(result.alerts)} alerts in {result.seconds:.1f} s of video, {result.frames} frames analysed"
    )


def _found(lines: TextIO | None, json: bool, alerts: Sequence[Alert]) -> None:
    """Write and show alerts as they are found: what comes after them may fail."""
    if lines:
        write_lines(alerts, lines)
        lines.flush()
    for alert in alerts:
        if alert.phase == "start" and not json:
            console.print(Text.assemble(f"{alert.t:8.1f} s  ", (alert.rule, "bold"), f"  {alert.text}"))


@contextmanager
def _ended_by_signal(job: Replay) -> Iterator[list[int]]:
    """Let SIGTERM and SIGINT end the replay early; yield where the signal's number will be."""
    number: list[int] = []

    def end(received: int, _frame: FrameType | None) -> None:
        if number:  # a second one means it
            raise KeyboardInterrupt
        number.append(received)
        job.ending = True

    if threading.current_thread() is not threading.main_thread():
        yield number
        return
    before = {which: signal.signal(which, end) for which in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield number
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _watchers(
    stack: ExitStack, camera: CameraConfig, annotate: Path | None, looks: Path | None
) -> list[Callable[[AnalysedFrame], None]]:
    """Open what is written frame by frame."""
    watchers: list[Callable[[AnalysedFrame], None]] = []
    if annotate:
        watchers.append(stack.enter_context(Annotator(annotate, camera)).add)
    if looks:
        watchers.append(partial(_write_looks, stack.enter_context(written("--looks", looks))))
    return watchers


def _tell(watchers: Sequence[Callable[[AnalysedFrame], None]], seen: AnalysedFrame) -> None:
    for watcher in watchers:
        watcher(seen)


def _write_looks(file: TextIO, seen: AnalysedFrame) -> None:
    """Write what classifiers said about one frame."""
    for look in seen.looks:
        what = {"t": round(seen.frame.t, 6), "frame": seen.frame.seq, **asdict(look)}
        file.write(json_of(what) + "\n")


def _choose(config: Config, camera: str | None) -> str:
    """Return the camera meant; raise ConfigError with the choice."""
    names = list(config.cameras)
    if camera is None and len(names) == 1:
        return names[0]
    if camera is not None and camera in config.cameras:
        return camera
    choice = ", ".join(names) or "none"
    raise ConfigError([f"{config.path}: cameras: name one with --camera; there are: {choice}"])


def _progress(stack: ExitStack, videos: Sequence[Path]) -> Callable[[float], None]:
    """Show how far the recordings are, on a terminal."""
    if not shows_progress():
        return lambda _t: None
    total = sum(filter(None, map(duration_s, videos)))
    bar = stack.enter_context(
        Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=errors,
        )
    )
    task = bar.add_task("replay", total=total or None)
    return lambda t: bar.update(task, completed=t)
