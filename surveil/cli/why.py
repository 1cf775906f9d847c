"""`surveil why`: what was decided about a camera's frames at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from surveil.alerts.admin import list_alerts
from surveil.app.decisions import explain, recorded
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    print_json,
    read_config,
    show_table,
)
from surveil.clock import SystemClock
from surveil.pipeline.decisions import MINUTE_S, Minute
from surveil.types import Alert

_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_ALERTS = 1000
"""How many of the newest alerts are looked through."""


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that `14:03` (the last one), `2026-11-30 14:03` or an ISO time means, in local time.

    Raises typer.BadParameter.
    """
    try:
        if not _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone()
        clock = time.fromisoformat(text if text.index(":") == 2 else f"0{text}")
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; write for example 14:03 or '2026-11-30 14:03'"
        ) from error
    # Each day with its own offset: the clock may have been changed since. An hour that was skipped is on no day.
    days = [now.astimezone().date() - timedelta(days=n) for n in range(3)]
    found = (datetime.combine(day, clock).replace(fold=fold).astimezone() for day in days for fold in (1, 0))
    return next(one for one in found if one <= now and one.time() == clock)


def why(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    at: Annotated[str, typer.Option(help="Local time: 14:03 (the last one), or '2026-11-30 14:03'.")],
    minutes: Annotated[int, typer.Option(min=1, max=120, help="Number of minutes from that time on.")] = 1,
    json: AsJson = False,
) -> None:
    """Explain why a camera did or did not alert at a time.

    Shows frames analysed, decisions of the motion gate, the best detection of each class and the threshold it missed,
    tracks, signals of each rule and why they were suppressed. The daemon records this per minute and
    keeps 24 hours; the current minute appears when it is over.

    Example: `surveil why gate --at 14:03 --minutes 3`
    """
    settings = read_config(config)
    chosen = settings.camera(camera)
    begin = moment(at, datetime.fromtimestamp(SystemClock().wall(), UTC)).replace(second=0, microsecond=0)
    start = begin.timestamp()
    end = start + MINUTE_S * minutes
    found = recorded(settings.state_dir, camera, start, end)
    alerts = _alerts(settings.state_dir / "surveil.db", camera, start, end)
    said = explain(found, chosen)
    if json:
        print_json(
            {"camera": camera, "start": start, "minutes": found, "alerts": alerts, "explanation": said}
        )
        return
    _print(found, alerts, said)


def _alerts(path: Path, camera: str, start: float, end: float) -> list[Alert]:
    if not path.is_file():
        return []
    newest = list_alerts(path, cameras=[camera], limit=_ALERTS)
    return [one.alert for one in reversed(newest) if start <= one.alert.t_wall < end]


def _print(minutes: list[Minute], alerts: list[Alert], said: list[str]) -> None:
    if minutes:
        table = Table("minute", "frames", "looked", "gate", "best scores", "tracks", "alerts")
        for one in minutes:
            table.add_row(
                _local(one.start),
                str(one.frames),
                str(one.looked),
                ", ".join(f"{gate} {n}" for gate, n in one.gates.items()),
                ", ".join(f"{label} {score:.2f}" for label, score in one.best.items()),
                ", ".join(f"{label} {n}" for label, n in one.tracks.items()),
                str(one.alerts),
            )
        show_table(table)
    for line in said:
        console.print(line, soft_wrap=True)
    for alert in alerts:
        console.print(f"{_local(alert.t_wall)} {alert.rule} {alert.phase}: {alert.text}", soft_wrap=True)


def _local(t_wall: float) -> str:
    return datetime.fromtimestamp(t_wall, UTC).astimezone().strftime("%H:%M:%S")
