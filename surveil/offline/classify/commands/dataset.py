"""`surveil dataset …`: pictures to train on, from cameras, recordings and folders."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import cv2
import typer

from surveil.cli import complete
from surveil.cli.bars import bar
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    open_detector,
    print_json,
    read_config,
)  # fmt: skip
from surveil.errors import ConfigError
from surveil.offline.classify.collect import (
    CropCollector,
    Interval,
    describe,
    from_folders,
    from_video,
    relabel,
    sheet,
)
from surveil.offline.classify.dataset import load

DataSet = Annotated[Path, typer.Argument(help="Folder of the data set.")]
_INTERVAL = re.compile(r"^\s*(\d+\.?\d*)\s*-\s*(\d+\.?\d*)\s*=\s*(.+?)\s*$")


class Part(StrEnum):
    """What is collected of a frame."""

    FRAME = "frame"
    ZONE = "zone"
    TRACK = "track"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """What is added to a data set, and from where."""

    folder: Path
    """The data set's."""
    source: str
    """A camera, a video or a folder of pictures."""
    config: Path
    label: str
    """The class of everything; empty: by interval or folder."""
    intervals: tuple[str, ...]
    """Of a video: START-END=CLASS."""
    part: Part
    zone: str
    objects: tuple[str, ...]
    """Classes of objects that are followed."""
    camera: str
    """Camera that recorded the video or folder."""
    every_s: float
    most: int
    """Pictures from a running camera."""
    seconds: float
    """Time at a running camera."""
    start: datetime | None
    """Wall time of a video's first frame."""
    json: bool

    @property
    def start_wall(self) -> float | None:
        """Unix s; UTC unless it names a zone."""
        start = self.start
        return None if start is None else start.replace(tzinfo=start.tzinfo or UTC).timestamp()


def collect(
    folder: DataSet,
    source: Annotated[
        str, typer.Argument(help="A camera of the configuration, a video, or a folder of pictures.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    label: Annotated[str, typer.Option(help="Class of all pictures that this command collects.")] = "",
    interval: Annotated[
        list[str] | None,
        typer.Option(help="Video only: START-END=CLASS in seconds. Repeatable."),
    ] = None,
    on: Annotated[
        Part, typer.Option(help="Whole frames, a zone's box, or each tracked object.")
    ] = Part.FRAME,
    zone: Annotated[str, typer.Option(help="The zone, with `--on zone`.")] = "",
    objects: Annotated[
        str, typer.Option(help="Object classes for `--on track`, comma-separated.")
    ] = "person",
    camera: Annotated[
        str, typer.Option(help="Camera that recorded the video or folder.", autocompletion=complete.cameras)
    ] = "",
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between two pictures.")] = 1.0,
    most: Annotated[int, typer.Option(min=1, help="Running camera: maximum number of pictures.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="Running camera: maximum time, seconds.")] = 600.0,
    start: Annotated[
        datetime | None,
        typer.Option(help="Wall time of the video's first frame (UTC unless it names a zone)."),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Add pictures to a data set.

    From a folder with one folder of pictures per class:

        surveil dataset collect shelf ~/pictures

    From a video, by time intervals, or from the zone of a camera in it:

        surveil dataset collect shelf rack.mp4 --interval 0-60=full --interval 60-90=empty --start 2026-03-01T08:00:00

        surveil dataset collect shelf rack.mp4 --camera shop --on zone --zone rack --label full

    From a running camera, beside the daemon: every five seconds, or each tracked person:

        surveil dataset collect shelf shop --on zone --zone rack --every 5 --label full

        surveil dataset collect helmets gate --on track --label worn

    Give wall times where possible: pictures with times are split by time, so that the test predicts later days.
    """
    run(
        CollectOptions(
            folder=folder, source=source, config=config, label=label, intervals=tuple(interval or ()), part=on,
            zone=zone, objects=_words(objects), camera=camera, every_s=every, most=most, seconds=seconds,
            start=start, json=json,
        )
    )  # fmt: skip


def run(options: CollectOptions) -> None:
    """Add pictures, and show how many."""
    count, problems = _collect(options)
    if options.json:
        print_json({"dataset": str(options.folder), "added": count, "left_out": problems})
        return
    for problem in problems:
        console.print(f"[yellow]left out[/] {problem}", soft_wrap=True)
    console.print(
        f"{count} pictures added to {options.folder}; look at them: surveil dataset show {options.folder}",
        soft_wrap=True,
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _collect(options: CollectOptions) -> tuple[int, tuple[str, ...]]:
    """Return how many pictures were added, and what was left out."""
    place = Path(options.source)
    if not place.exists():
        return _from_camera(options), ()
    if place.is_dir() and not options.label and not options.intervals:
        with bar() as progress:
            progress(f"reading {place}", 0.0)
            return from_folders(options.folder, place, options.camera)
    return (_from_frames(options) if options.part is Part.FRAME else _from_recorded(options)), ()


def _from_frames(options: CollectOptions) -> int:

    intervals = _intervals(options)
    known = options.camera and options.config.exists()
    hidden = read_config(options.config).hidden(options.camera) if known else ()
    with bar() as progress:
        return from_video(
            options.folder, Path(options.source), intervals, every_s=options.every_s, camera=options.camera,
            start_wall=options.start_wall, hidden=hidden, progress=lambda n: progress(f"{n} pictures", 0.0),
        )  # fmt: skip


def _from_camera(options: CollectOptions) -> int:
    from surveil.app.collecting import collect_live, look_of  # noqa: PLC0415 - others start faster without it

    settings = read_config(options.config, needs_model=True, needs_secrets=True)
    look = look_of(
        settings, options.source, options.part.value, options.zone, options.objects, options.every_s
    )
    hidden = settings.hidden(options.source)
    collector = CropCollector(options.folder, look, _label(options), "camera", hidden=hidden)
    with bar() as progress:
        collect_live(settings, options.source, open_detector(settings), collector, progress, most=options.most,
                     seconds=options.seconds)  # fmt: skip
    return collector.count


def _from_recorded(options: CollectOptions) -> int:
    from surveil.app.collecting import collect_recorded, look_of  # noqa: PLC0415 - as above

    settings = read_config(options.config, needs_model=True)
    look = look_of(
        settings, options.camera, options.part.value, options.zone, options.objects, options.every_s
    )
    group = "" if options.start is not None else Path(options.source).name
    hidden = settings.hidden(options.camera)
    collector = CropCollector(options.folder, look, _label(options), "video", group, hidden)
    with bar() as progress:
        collect_recorded(settings, options.camera, open_detector(settings), collector, progress,
                         video=Path(options.source), start_wall=options.start_wall)  # fmt: skip
    return collector.count


def _label(options: CollectOptions) -> str:
    if not options.label or options.intervals:
        raise ConfigError(["crops of a camera need one class: give --label CLASS, and no --interval"])
    return options.label


def _intervals(options: CollectOptions) -> list[Interval]:
    """Return what a video's times mean. Raises ConfigError naming what cannot be read."""
    matches = [(text, _INTERVAL.match(text)) for text in options.intervals]
    wrong = [
        f"--interval {text!r}: must be START-END=CLASS in seconds, as 0-60=full"
        for text, m in matches
        if not m
    ]
    if not matches and not options.label:
        wrong.append("give the class of the video: --label CLASS, or --interval START-END=CLASS")
    if wrong:
        raise ConfigError(wrong)
    found = [Interval(float(m[1]), float(m[2]), m[3]) for _, m in matches if m]
    return found or [Interval(0.0, float("inf"), options.label)]


def show(
    folder: DataSet,
    png: Annotated[
        Path | None, typer.Option(help="Write a row of pictures of each class to this file.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show the classes, cameras, days and origins of a data set, and what was left out.

    Example: `surveil dataset show shelf --png shelf.png`
    """
    data = load(folder)
    if png is not None and not cv2.imwrite(str(png), sheet(data)):
        raise ConfigError([f"{png}: cannot be written as a picture"])
    if json:
        counted = {what: dict(Counter(getattr(i, what) for i in data.items)) for what in ("camera", "origin")}
        print_json({"dataset": str(folder), "sha256": data.sha256, "pictures": len(data.items),
                    "classes": data.counts, **counted, "left_out": data.problems})  # fmt: skip
        return
    console.print("\n".join(describe(data)), soft_wrap=True)


def label_pictures(
    folder: DataSet,
    label: Annotated[str, typer.Argument(help="Correct class.")],
    pictures: Annotated[list[str], typer.Argument(help="Paths within the data set, as shown in the report.")],
) -> None:
    """Correct the class of pictures. The files stay where they are.

    Example: `surveil dataset label shelf empty pictures/3f2a.jpg pictures/9c01.jpg`
    """
    data = load(folder)
    for path in pictures:
        relabel(data, path, label)
    console.print(f"{len(pictures)} pictures are of class {label} now")
