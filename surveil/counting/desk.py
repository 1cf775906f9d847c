"""Where counts are taken down: metrics at once, the hours on disk now and then."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surveil.counting.live import CameraCounts, Counts
from surveil.counting.rollup import Rollup
from surveil.counting.store import CountStore
from surveil.errors import StateError
from surveil.metrics import Metrics
from surveil.types import Track


@dataclass(frozen=True, slots=True)
class Counted:
    """One camera that is counted at."""

    counts: CameraCounts
    heatmap: bool = True


class CountingDesk:
    """Counts at all cameras. `take` and `lose` belong to the thread that has the tracks, `flush` to any other.

    What is not flushed when the process dies is lost: at most what was counted since the last flush.
    """

    def __init__(self, cameras: Mapping[str, Counted], store: CountStore, metrics: Metrics) -> None:
        self._cameras = dict(cameras)
        self._store = store
        self._metrics = metrics
        self._lock = threading.Lock()
        self._rollup = Rollup()

    def take(
        self, camera: str, tracks: Sequence[Track], size: tuple[int, int], t: float, t_wall: float
    ) -> None:
        """Count the tracks of one frame of `size` px at stream time `t` and Unix time `t_wall`."""
        if counted := self._cameras.get(camera):
            self._note(camera, counted.counts.update(tracks, size, t), t_wall, heatmap=counted.heatmap)

    def lose(self, camera: str, t_wall: float) -> None:
        """The camera is away: whoever was there is not any more."""
        if counted := self._cameras.get(camera):
            self._note(camera, counted.counts.finish(), t_wall, heatmap=False)

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

    def close(self) -> None:
        """Write the rest and close the store."""
        self.flush()
        self._store.close()

    def _note(self, camera: str, counts: Counts, t_wall: float, *, heatmap: bool) -> None:
        with self._lock:
            self._rollup.add(camera, counts, t_wall, heatmap=heatmap)
        for crossing in counts.crossings:
            labels = (camera, crossing.line, crossing.direction, crossing.label)
            self._metrics.line_crossings.labels(*labels).inc()
        for stay in counts.stays:
            self._metrics.zone_dwell.labels(camera, stay.zone, stay.label).observe(stay.dwell_s)
        for (zone, label), n in counts.occupancy.items():
            self._metrics.zone_occupancy.labels(camera, zone, label).set(n)
