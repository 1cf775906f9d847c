"""`surveil report`: who crossed lines, how many were in zones, for how long, and where they walked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import typer

from surveil.alerts.evidence import FOLDER, safe_name
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    errors,
    read_config,
)
from surveil.config import Config
from surveil.config.problems import no_camera
from surveil.errors import ConfigError, StateError
from surveil.features.counting import heatmap as heat
from surveil.features.counting import times
from surveil.features.counting.report import CountRow, to_csv, to_json, write_parquet
from surveil.features.counting.report import report as make_rows
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import DATABASE, CountStore
from surveil.features.counting.tables import crossings, span, zones

Value = TypeVar("Value")
_HOURS_S = 2 * 86_400.0
"""A report about no more than this goes by the hour unless told otherwise."""


class Span(StrEnum):
    """What one line of the report is about."""

    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the report is about."""

    camera: str | None
    start: float
    """Unix s."""
    end: float
    by: Span
    zone: tzinfo | None

    def say(self, t: float) -> str:
        """Return a time as the operator reads it."""
        return times.local(t, self.zone).strftime("%Y-%m-%d %H:%M")


class ReportForm(StrEnum):
    """How the rows are printed."""

    TABLES = "tables"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What is reported, and where it goes."""

    config: Path
    asked: Asked
    form: ReportForm
    parquet: Path | None
    heatmap: Path | None
    picture: Path | None
    """What the heat map is drawn over; None: the newest picture of an alert."""
    state: Path | None
    """None: the configuration's state directory."""


def report(
    config: ConfigPath = DEFAULT_CONFIG,
    camera: Annotated[
        str | None, typer.Option(help="Only this camera.", autocompletion=complete.cameras)
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help=f"Start of the period: {times.FORMATS}.", metavar="TIME")
    ] = "today",
    end: Annotated[
        str,
        typer.Option(
            "--to", help="End of the period; a date without a time includes that day.", metavar="TIME"
        ),
    ] = "now",
    by: Annotated[
        Span | None, typer.Option(help="Length of a row; default: hours for up to two days, else days.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Time zone, such as Europe/Berlin; default: this machine's.")
    ] = None,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: AsJson = False,
    parquet: Annotated[
        Path | None,
        typer.Option(
            help="Parquet file to write; requires `surveil install --extra parquet`.", dir_okay=False
        ),
    ] = None,
    heatmap: Annotated[
        Path | None, typer.Option(help="Write a heat map of presence to this PNG.", dir_okay=False)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Background of the heat map; default: the newest alert picture.", exists=True),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="State directory; default: the configuration's.", file_okay=False)
    ] = None,
) -> None:
    """Report line crossings, occupancy and dwell times that the daemon has counted.

    Requires `counting: {enabled: true}` for the camera. Works while the daemon runs, which writes counts once a minute.
    Exit code 1 if nothing was counted in that time.

    Examples: `surveil report --camera shop`; `surveil report --from 2026-03-01 --to 2026-03-31 --csv`;
    `surveil report --camera shop --from 7d --heatmap shop.png`.
    """
    run(
        ReportOptions(
            config=config, asked=_asked(camera, start, end, by, timezone), form=_form(csv=csv, json=json),
            parquet=parquet, heatmap=heatmap, picture=picture, state=state,
        )
    )  # fmt: skip


def run(options: ReportOptions) -> None:
    """Read what was counted, and show, write or draw it."""
    settings, asked = read_config(options.config), options.asked
    folder = options.state or settings.state_dir
    store = CountStore(folder / DATABASE, reading=True)
    try:
        _check_camera(settings, store, asked.camera)
        rows = make_rows(store.hours(asked.camera, asked.start, asked.end), asked.by.value, asked.zone)
        if not rows:
            raise StateError(_why_empty(store, asked))
        if options.heatmap:
            name = _the_one(rows, asked.camera)
            below = options.picture or _newest_picture(folder, name)
            _draw(settings, store, asked, name, options.heatmap, below)
    finally:
        store.close()
    if options.parquet:
        write_parquet(rows, options.parquet)
    if options.form is not ReportForm.TABLES:
        sys.stdout.write(to_csv(rows) if options.form is ReportForm.CSV else to_json(rows) + "\n")
    elif not options.parquet:
        _print(rows, asked)


def _form(*, csv: bool, json: bool) -> ReportForm:
    if csv:
        return ReportForm.CSV
    return ReportForm.JSON if json else ReportForm.TABLES


def _asked(camera: str | None, start: str, end: str, by: Span | None, timezone: str | None) -> Asked:
    """Return what is meant; raise BadParameter that names the option."""
    now = time.time()
    zone = _option("--timezone", lambda: times.zone_named(timezone) if timezone else None)
    first = _option("--from", lambda: times.parse(start, zone, now))
    last = _option("--to", lambda: times.parse(end, zone, now, end=True))
    if first >= last:
        raise typer.BadParameter(f"'{start}' is not before '{end}'", param_hint="--from")
    by = by or (Span.HOUR if last - first <= _HOURS_S else Span.DAY)
    # An hour or a day that has begun is told whole.
    begin = times.hour_of if by is Span.HOUR else times.day_of
    return Asked(camera=camera, start=begin(first, zone), end=last, by=by, zone=zone)


def _option(name: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


def _check_camera(config: Config, store: CountStore, camera: str | None) -> None:
    """Refuse a camera that neither the configuration nor the database knows, or that is not counted at."""
    if camera is None:
        return
    counted = store.cameras()
    known = {*config.cameras, *counted}
    if camera not in known:
        raise ConfigError([f"{config.path}: cameras: {no_camera(camera, known)}"])
    if camera not in counted and not config.cameras[camera].section(CountingSettings).enabled:
        raise StateError(
            f"{config.path}: cameras.{camera}: counting is off; add `counting: {{enabled: true}}` to it"
        )


def _why_empty(store: CountStore, asked: Asked) -> str:
    """Say what there is instead."""
    who = f"at {asked.camera}" if asked.camera else "at any camera"
    span = store.span(asked.camera)
    there = (
        f"there are counts from {asked.say(span[0])} to {asked.say(span[1] + times.HOUR_S)}"
        if span
        else "nothing has been counted yet; the daemon writes once a minute"
    )
    return f"nothing was counted {who} from {asked.say(asked.start)} to {asked.say(asked.end)}; {there}"


def _the_one(rows: list[CountRow], camera: str | None) -> str:
    """Return the camera that a heat map is of."""
    names = sorted({row.camera for row in rows})
    if camera is None and len(names) > 1:
        raise typer.BadParameter(f"needs one of {', '.join(names)}", param_hint="--camera")
    return camera or names[0]


def _draw(
    config: Config, store: CountStore, asked: Asked, name: str, target: Path, picture: Path | None
) -> None:
    """Draw the days that were asked for over a picture of the camera."""
    start = times.day_of(asked.start, asked.zone)
    cells = store.map(name, start, asked.end)
    if not cells.any():
        raise StateError(
            f"no object was seen at {name} from {asked.say(start)} to {asked.say(asked.end)}: no heat map"
        )
    camera = config.cameras.get(name)
    shapes = {**camera.zones, **camera.lines} if camera else {}
    caption = (
        f"{name} · {asked.say(start)} to {asked.say(asked.end)} · {span(float(cells.sum()))} of presence"
    )
    below = cv2.imread(str(picture)) if picture else None
    drawn = heat.draw(
        cells, None if below is None else below.astype("uint8"), heat.MapOverlay(shapes, caption)
    )
    if not cv2.imwrite(str(target), drawn):
        raise StateError(f"{target}: the picture cannot be written")
    errors.print(f"heat map: {target}", soft_wrap=True)


def _print(rows: list[CountRow], asked: Asked) -> None:
    for table in (crossings(rows), zones(rows)):
        if table is not None:
            console.print(table)
    console.print(f"{asked.say(asked.start)} to {asked.say(asked.end)}, UTC{rows[0].time[-6:]}")


def _newest_picture(state_dir: Path, camera: str) -> Path | None:
    """Return the newest picture without drawings that an alert of the camera has left; None: there is none."""
    pictures = (state_dir / FOLDER / safe_name(camera)).glob("*/*-clean.jpg")
    # The names begin with the time of day, the folders are days.
    return max(pictures, default=None)
