"""Picture health in the daemon: metrics, the picture from before, the operator's word that a new view is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import structlog

from surveil.config import CameraConfig
from surveil.errors import StateError
from surveil.features.health.analyser import HealthAnalyser
from surveil.features.health.before import LastGood
from surveil.features.health.channel import ViewChannel
from surveil.features.health.picture_health import HealthReport, PictureFault
from surveil.metrics import Metrics
from surveil.pipeline.work import PreparedFrame

log = structlog.get_logger(__name__)


class Views:
    """Cameras whose new view the operator has accepted. The main thread adds, the holder of a slot takes.

    A set's `add` and `discard` are atomic, and each camera is taken by one thread: no lock is needed.
    """

    def __init__(self) -> None:
        self._accepted: set[str] = set()

    def accept(self, camera: str) -> None:
        """Note that the view of a camera is right as it is."""
        self._accepted.add(camera)

    def take(self, camera: str) -> bool:
        """Return whether the view was accepted since the last time."""
        if camera not in self._accepted:
            return False
        self._accepted.discard(camera)
        return True


class MeteredHealth:
    """Picture health, shown as a metric. Owned by the holder of the camera's slot."""

    name = HealthAnalyser.name

    def __init__(self, camera: CameraConfig, metrics: Metrics, views: Views) -> None:
        self._camera = camera.name
        self._analyser = HealthAnalyser(camera.health)
        self._views = views
        self._good = LastGood()
        self._states = {
            state.value: metrics.picture_state.labels(camera.name, state.value) for state in PictureFault
        }
        self._shown: tuple[PictureFault, ...] | None = None
        self._changed = metrics.picture_changed.labels(camera.name)
        self._accepted = 0

    def observe(self, view: PreparedFrame) -> HealthReport:
        """Judge one frame."""
        if self._views.take(self._camera):
            self._analyser.accept()
            log.info("the new view is the usual one from now on", camera=self._camera)
        report = self._analyser.observe(view)
        self._good.update(view.frame, well=report.is_well)
        self._show(report.states)
        if self._accepted != self._analyser.accepted:
            self._accepted = self._analyser.accepted
            self._changed.set(view.frame.t_wall)
        return replace(report, before=self._good.picture) if report.states else report

    def _show(self, states: tuple[PictureFault, ...]) -> None:
        """Set the metric when it changes, which is next to never."""
        if states != self._shown:
            for name, gauge in self._states.items():
                gauge.set(name in states)
            self._shown = states


class ViewWatch:
    """Takes what the operator has accepted from the database into the running daemon. Owned by the main thread."""

    def __init__(self, path: Path, views: Views) -> None:
        self._board = ViewChannel(path)
        self._views = views
        # What was asked while nothing ran is done: the usual view is learned at every start.
        self._board.take()

    def look(self) -> None:
        """Hand on what was asked; what cannot be read now is read at the next look."""
        try:
            for camera in self._board.take():
                self._views.accept(camera)
        except StateError as error:
            log.warning("accepted views cannot be read, they are tried again", why=str(error))

    def close(self) -> None:
        """Close the connection."""
        self._board.close()
