"""Counting as the configuration wants it: the counter and its database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import structlog

from surveil.alerts.database import set_aside
from surveil.damage import Damaged, found
from surveil.features.base import CameraParts
from surveil.features.counting.counter import Counted, TrackCounter
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import DATABASE, CountStore
from surveil.metrics import Metrics

log = structlog.get_logger(__name__)


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
