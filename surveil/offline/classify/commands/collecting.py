"""`surveil dataset collect`: pictures to train on, from cameras, recordings and folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

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
    Recording,
    from_folders,
    from_video,
    group_of,
    recordings,
    recordings_by_class,
)
from surveil.offline.classify.commands.dataset import DataSet
from surveil.offline.classify.dataset import MANIFEST, totals
from surveil.offline.classify.pictures import SUFFIXES
from surveil.offline.classify.prepared import Progress

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
    sources: tuple[str, ...]
    """A camera, or videos and folders."""
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
        list[str],
        typer.Argument(help="A camera of the configuration, or videos and folders of videos or pictures."),
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
    every: Annotated[
        float,
        typer.Option(min=0.05, help="Seconds between two pictures; a folder of frames has ten a second."),
    ] = 1.0,
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

    From several videos and folders of one class:

        surveil dataset collect shelf monday.mp4 tuesday.mp4 ~/film-frames --label full

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
            folder=folder, sources=tuple(source), config=config, label=label, intervals=tuple(interval or ()), part=on,
            zone=zone, objects=_words(objects), camera=camera, every_s=every, most=most, seconds=seconds,
            start=start, json=json,
        )
    )  # fmt: skip


def run(options: CollectOptions) -> None:
    """Add pictures, and show how many, in all and of each class."""
    _check(options)
    count = 0
    problems: list[str] = []
    for source in options.sources:
        place = Path(source)
        if not place.exists():
            count += _from_camera(options, source)
            continue
        if _is_by_class(options, place):
            added, left_out = _pictures(options, place)
            count += added
            problems += left_out
            found = recordings_by_class(place)
        else:
            is_one = options.intervals or options.start is not None
            found = (Recording(place, options.label),) if is_one else recordings(place, options.label)
        count += _from_recordings(options, found)
    if options.json:
        print_json({"dataset": str(options.folder), "added": count, "classes": totals(options.folder),
                    "left_out": problems})  # fmt: skip
        return
    for problem in problems:
        console.print(Text("left out", "yellow"), problem, soft_wrap=True)
    console.print(
        f"{count} pictures added to {options.folder}; look at them: surveil dataset show {options.folder}",
        soft_wrap=True,
    )


def _check(options: CollectOptions) -> None:
    """Refuse what cannot be meant before anything is added. Raises ConfigError."""
    places = [Path(source) for source in options.sources]
    wrong = [
        f"{place}: there is no such video or folder; collect from a running camera in a separate command"
        for place in places
        if len(places) > 1 and not place.exists()
    ]
    if options.start is not None and (len(places) > 1 or _is_by_class(options, places[0])):
        wrong.append("--start applies to one video: collect each video with a time separately")
    if options.intervals and len(places) > 1:
        wrong.append("--interval applies to one video: collect each video with intervals separately")
    if wrong:
        raise ConfigError(wrong)


def _is_by_class(options: CollectOptions, place: Path) -> bool:
    return place.is_dir() and not options.label and not options.intervals


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _tell(options: CollectOptions, source: Path | str, count: int) -> None:
    """Show what came of one source, and what there is now."""
    if not options.json:
        there = ", ".join(f"{n} {label}" for label, n in totals(options.folder).items()) or "no pictures"
        console.print(f"{source}: {count} pictures; there are {there} now", soft_wrap=True)


def _pictures(options: CollectOptions, place: Path) -> tuple[int, tuple[str, ...]]:
    """Add the pictures of a folder with one folder per class."""
    has_pictures = (place / MANIFEST).exists() or any(
        p.suffix.lower() in SUFFIXES for p in place.glob("*/**/*")
    )
    if not has_pictures and recordings_by_class(place):
        return 0, ()
    if not has_pictures:
        raise ConfigError(
            [
                f"{place}: has no folder of pictures or videos per class; --label CLASS gives all of it one class"
            ]
        )
    with bar() as progress:
        progress(f"reading {place}", 0.0)
        found = from_folders(options.folder, place, options.camera)
    _tell(options, place, found[0])
    return found


def _from_recordings(options: CollectOptions, found: Sequence[Recording]) -> int:
    if not found:
        return 0
    collect_one = _of_frames(options) if options.part is Part.FRAME else _of_crops(options)
    count = 0
    for recording in found:
        with bar() as progress:
            added = collect_one(recording, progress)
        count += added
        _tell(options, recording.path, added)
    return count


def _of_frames(options: CollectOptions) -> Callable[[Recording, Progress], int]:
    known = options.camera and options.config.exists()
    hidden = read_config(options.config).hidden(options.camera) if known else ()

    def collect_one(recording: Recording, progress: Progress) -> int:
        name = recording.path.name
        return from_video(
            options.folder, recording.path, _intervals(options, recording.label), every_s=options.every_s,
            camera=options.camera, start_wall=options.start_wall, hidden=hidden,
            progress=lambda n: progress(f"{name}: {n} pictures", 0.0),
        )  # fmt: skip

    return collect_one


def _of_crops(options: CollectOptions) -> Callable[[Recording, Progress], int]:
    from surveil.app.collecting import collect_recorded, look_of  # noqa: PLC0415 - others start faster without it

    settings = read_config(options.config, needs_model=True)
    look = look_of(
        settings, options.camera, options.part.value, options.zone, options.objects, options.every_s
    )
    hidden, detector = settings.hidden(options.camera), open_detector(settings)

    def collect_one(recording: Recording, progress: Progress) -> int:
        group = "" if options.start is not None else group_of(recording.path)
        collector = CropCollector(
            options.folder, look, _label(options, recording.label), "video", group, hidden
        )
        collect_recorded(
            settings, options.camera, detector, collector, progress,
            video=recording.path, start_wall=options.start_wall,
        )  # fmt: skip
        return collector.count

    return collect_one


def _from_camera(options: CollectOptions, camera: str) -> int:
    from surveil.app.collecting import collect_live, look_of  # noqa: PLC0415 - as above

    settings = read_config(options.config, needs_model=True, needs_secrets=True)
    look = look_of(settings, camera, options.part.value, options.zone, options.objects, options.every_s)
    collector = CropCollector(
        options.folder, look, _label(options, options.label), "camera", hidden=settings.hidden(camera)
    )
    with bar() as progress:
        collect_live(settings, camera, open_detector(settings), collector, progress, most=options.most,
                     seconds=options.seconds)  # fmt: skip
    _tell(options, camera, collector.count)
    return collector.count


def _label(options: CollectOptions, label: str) -> str:
    if not label or options.intervals:
        raise ConfigError(["crops of a camera need one class: give --label CLASS, and no --interval"])
    return label


def _intervals(options: CollectOptions, label: str) -> list[Interval]:
    """Return what a video's times mean. Raises ConfigError naming what cannot be read."""
    matches = [(text, _INTERVAL.match(text)) for text in options.intervals]
    wrong = [
        f"--interval {text!r}: must be START-END=CLASS in seconds, as 0-60=full"
        for text, m in matches
        if not m
    ]
    if not matches and not label:
        wrong.append("give the class of the video: --label CLASS, or --interval START-END=CLASS")
    if wrong:
        raise ConfigError(wrong)
    found = [Interval(float(m[1]), float(m[2]), m[3]) for _, m in matches if m]
    return found or [Interval(0.0, float("inf"), label)]
