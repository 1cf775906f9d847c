"""Counting as the configuration wants it: the desk and its database."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import structlog

from surveil.alerts.database import set_aside
from surveil.alerts.evidence import FOLDER, safe_name
from surveil.damage import Damaged, found
from surveil.features.base import CameraParts
from surveil.features.counting.counter import Counted, TrackCounter
from surveil.features.counting.report import CountRow, report
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import CountStore
from surveil.metrics import Metrics

log = structlog.get_logger(__name__)
DATABASE = "counts.db"
"""In the state directory; beside the outbox, since what is counted is neither synced nor delivered."""


def make_counter(state_dir: Path, metrics: Metrics) -> TrackCounter:
    """Return where cameras are counted, without one. Raises StateError."""
    return TrackCounter({}, _open(state_dir / DATABASE), metrics)


def make_counted(camera: CameraParts) -> Counted | None:
    """Return what is counted at a camera; None for nothing."""
    settings = camera.section(CountingSettings)
    return Counted.at(settings, camera.zones, camera.lines) if settings.enabled else None


def _open(path: Path) -> CountStore:
    """Open or create the database; a damaged one is set aside: counts must not keep alerts from being made."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    why = CountStore.damage(path)
    aside = set_aside(path, datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")) if why else None
    store = CountStore(path)
    if aside:
        log.error("database of counts damaged, started a new one", kept_as=str(aside), why=why)
        found.report(
            Damaged.COUNTS, f"the database of counts was damaged ({why}) and is kept as {aside.name}"
        )
        store.take_over(aside)
    if n := store.mend():
        found.report(Damaged.COUNTS, f"damaged rows of the database of counts were dropped: {n}")
    return store


def counted(state_dir: Path) -> list[CountRow]:
    """Return everything that was counted, by day; nothing where nothing was."""
    path = state_dir / DATABASE
    if not path.exists():
        return []
    store = CountStore(path, reading=True)
    try:
        return report(store.hours(None, 0.0, math.inf), "day", None)
    finally:
        store.close()


def newest_picture(state_dir: Path, camera: str) -> Path | None:
    """Return the newest picture without drawings that an alert of the camera has left; None: there is none."""
    pictures = (state_dir / FOLDER / safe_name(camera)).glob("*/*-clean.jpg")
    # The names begin with the time of day, the folders are days.
    return max(pictures, default=None)
