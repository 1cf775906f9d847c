"""Records counts: in metrics at once, and by hour on disk once a minute."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import structlog

from surveil.alerts.database import set_aside
from surveil.clock import DAY_S, Every
from surveil.damage import Damaged, found
from surveil.errors import StateError
from surveil.features.counting.live import CameraCounts, Counts
from surveil.features.counting.metrics import CountMetrics
from surveil.features.counting.rollup import Rollup
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import DATABASE, CountStore
from surveil.geometry import Line
from surveil.metrics import Metrics
from surveil.types import Polygon, Track

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Counted:
    """One camera that is counted at. Owned by the counter."""

    settings: CountingSettings
    counts: CameraCounts
    size: tuple[int, int] = (0, 0)
    """Of the pictures, px: which way a line is crossed depends on it."""
    is_watched: bool = False
    forgets: Every = field(default_factory=lambda: Every(DAY_S))

    @classmethod
    def at(
        cls, settings: CountingSettings, zones: Mapping[str, Polygon], lines: Mapping[str, Line]
    ) -> Counted:
        """Return a camera with these places. Raises KeyError for a place that there is not."""
        return cls(settings=settings, counts=CameraCounts(settings, zones, lines))


class TrackCounter:
    """Counts at all cameras. `flush` may be any thread's, the rest belongs to the thread that has the tracks.

    What is not flushed when the process dies is lost: at most what was counted since the last flush.
    """

    def __init__(
        self,
        cameras: Mapping[str, Counted],
        store: CountStore,
        metrics: Metrics,
        zone: tzinfo | None = None,
    ) -> None:
        self._cameras: dict[str, Counted] = {}
        self._store = store
        self._metrics = metrics.of(CountMetrics)
        self._lock = threading.Lock()
        self._rollup = Rollup(zone=zone)
        self._now = 0.0
        for name, counted in cameras.items():
            self.count_at(name, counted, 0.0)

    @classmethod
    def open(cls, folder: Path, metrics: Metrics) -> TrackCounter:
        """Return a counter without cameras, its database in `folder`. Raises StateError."""
        return cls({}, _open(folder / DATABASE), metrics)

    def count_at(self, camera: str, counted: Counted | None, t_wall: float) -> None:
        """Count at a camera in these places from now on, or (None) no more; who is there has left."""
        self.lose(camera, t_wall)
        self._metrics.forget(camera=camera)
        # Replaced as a whole: `flush` reads it on another thread.
        others = {name: one for name, one in self._cameras.items() if name != camera}
        self._cameras = others if counted is None else {**others, camera: counted}
        for place, label in counted.counts.zones if counted else ():
            self._metrics.add_zone(camera, place, label)

    def drop(self, camera: str, t_wall: float) -> None:
        """Count at a camera no more."""
        self.count_at(camera, None, t_wall)

    def take(
        self, camera: str, tracks: Sequence[Track], size: tuple[int, int], t: float, t_wall: float
    ) -> None:
        """Count the tracks of one frame of `size` px at stream time `t` and Unix time `t_wall`."""
        counted = self._cameras.get(camera)
        if counted is None:
            return
        if size != counted.size:
            counted.size = size
            for one in counted.counts.lines(size):
                self._metrics.add_line(camera, one.line, one.direction, one.label)
        counted.is_watched = True
        self._note(camera, counted, counted.counts.update(tracks, size, t), t_wall)

    def lose(self, camera: str, t_wall: float) -> None:
        """The camera is away, or shows something else: whoever was there is not any more."""
        counted = self._cameras.get(camera)
        if counted and counted.is_watched:
            counted.is_watched = False
            self._note(camera, counted, counted.counts.finish(), t_wall)

    def flush(self) -> None:
        """Write what was counted; raises StateError, and keeps it then."""
        with self._lock:
            taken = self._rollup.take()
        if not taken.sums:
            return
        try:
            self._store.add(taken)
        except StateError:
            with self._lock:
                self._rollup.merge(taken)
            raise
        self._forget()

    def close(self) -> None:
        """Write the rest and close the store."""
        self.flush()
        self._store.close()

    def _forget(self) -> None:
        """Once a day, delete what is too old."""
        for name, counted in self._cameras.items():
            if counted.forgets.due(self._now):
                self._store.forget(name, self._now - counted.settings.keep_days * DAY_S)

    def _note(self, camera: str, counted: Counted, counts: Counts, t_wall: float) -> None:
        with self._lock:
            self._now = t_wall
            self._rollup.add(camera, counts, t_wall, heatmap=counted.settings.heatmap)
        for crossing in counts.crossings:
            labels = (camera, crossing.line, crossing.direction, crossing.label)
            self._metrics.crossings.labels(*labels).inc()
        for stay in counts.stays:
            self._metrics.dwell.labels(camera, stay.zone, stay.label).observe(stay.dwell_s)
        for (zone, label), n in counts.occupancy.items():
            self._metrics.occupancy.labels(camera, zone, label).set(n)


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
