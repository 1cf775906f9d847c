"""Wires counting to the configuration: code and database are loaded only if a camera counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from surveil.features.base import CameraParts
from surveil.features.counting.settings import CountingSettings
from surveil.metrics import Metrics
from surveil.types import Track

if TYPE_CHECKING:
    from surveil.features.counting.counter import TrackCounter


def _nothing(_t_wall: float) -> None:
    """Leave a camera uncounted that nobody has counted at."""


class Counting:
    """Follows the tracks of all cameras, and counts at those that want it.

    `prepare` and `at` are the main thread's, `flush` and `close` the commit thread's; the rest belongs to the
    thread that has the tracks.
    """

    def __init__(self, state_dir: Path, metrics: Metrics) -> None:
        self._state_dir = state_dir
        self._metrics = metrics
        self._counter: TrackCounter | None = None
        """Made for the first camera that counts."""

    def prepare(self, camera: CameraParts) -> None:
        """Open the database where the camera is the first one that counts. Raises StateError."""
        if self._counter is not None or not camera.section(CountingSettings).enabled:
            return
        from surveil.features.counting.counter import TrackCounter  # noqa: PLC0415 - see above

        self._counter = TrackCounter.open(self._state_dir, self._metrics)

    def at(self, camera: CameraParts) -> Callable[[float], None]:
        """Return what counts at a camera by its settings from a Unix time on. Raises StateError."""
        self.prepare(camera)
        if self._counter is None:
            return _nothing
        from surveil.features.counting.counter import Counted  # noqa: PLC0415 - loaded already

        settings = camera.section(CountingSettings)
        counted = Counted.at(settings, camera.zones, camera.lines) if settings.enabled else None
        return partial(self._counter.count_at, camera.name, counted)

    def take(
        self, camera: str, tracks: Sequence[Track], size: tuple[int, int], t: float, t_wall: float
    ) -> None:
        """Count the tracks of one frame of `size` px at stream time `t` and Unix time `t_wall`."""
        if self._counter is not None:
            self._counter.take(camera, tracks, size, t, t_wall)

    def lose(self, camera: str, t_wall: float) -> None:
        """The camera is away, or shows something else: whoever was there is not any more."""
        if self._counter is not None:
            self._counter.lose(camera, t_wall)

    def drop(self, camera: str, t_wall: float) -> None:
        """Count at a camera no more."""
        if self._counter is not None:
            self._counter.drop(camera, t_wall)

    def flush(self) -> None:
        """Write what was counted; raises StateError, and keeps it then."""
        if self._counter is not None:
            self._counter.flush()

    def close(self) -> None:
        """Write the rest and close the database. Raises StateError."""
        if self._counter is not None:
            self._counter.close()
