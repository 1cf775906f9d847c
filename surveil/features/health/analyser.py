"""Picture health as an analyser of the prepare stage, with its metrics and the picture from before a fault."""

from __future__ import annotations

from dataclasses import replace

import cv2
import structlog

from surveil.features.health.channel import Views
from surveil.features.health.metrics import HealthMetrics
from surveil.features.health.picture_health import PictureHealth
from surveil.features.health.report import HealthReport, PictureFault
from surveil.features.health.settings import HealthSettings
from surveil.metrics import Metrics
from surveil.types import Frame, ReferencePicture
from surveil.view import FrameView
from surveil.vision.motion import plane_size

log = structlog.get_logger(__name__)
EVERY_S = 60.0
"""A picture costs some 5 ms."""
SURE_S = 4.0
"""A picture counts when the camera was still well this much later: a fault is not seen at once."""
WIDEST = 960
QUALITY = 85


class HealthAnalyser:
    """Judges the picture of one camera. Owned by the holder of the camera's slot."""

    def __init__(self, camera: str, settings: HealthSettings, metrics: Metrics, views: Views) -> None:
        self._camera = camera
        self._health = PictureHealth(settings)
        self._views = views
        self._good = LastGood()
        own = metrics.of(HealthMetrics)
        self._states = {fault: own.state.labels(camera, fault.value) for fault in PictureFault}
        self._changed = own.changed.labels(camera)
        self._shown: tuple[PictureFault, ...] | None = None
        self._accepted = 0

    @property
    def wants_all(self) -> bool:
        """Whether a fault may be beginning; else pictures far apart are enough while nothing moves, for faults last."""
        return self._health.wants_all

    def observe(self, view: FrameView) -> HealthReport:
        """Return the state of the picture as of this frame."""
        if self._views.take(self._camera):
            self._health.accept()
            log.info("accepted the current view as the new reference", camera=self._camera)
        picture = view.frame.picture
        # The smallest plane of the gate: for most cameras the gate has already asked for the same.
        size = plane_size(picture.width, picture.height, picture.height)
        report = self._health.update(view.luma(*size), view.frame.t)
        self._good.update(view.frame, well=report.is_well)
        self._show(report.states)
        if self._accepted != self._health.accepted:
            self._accepted = self._health.accepted
            self._changed.set(view.frame.t_wall)
        return replace(report, before=self._good.picture) if report.states else report

    def lost(self) -> None:
        """Nothing to forget: the view after a loss is compared with the one before."""

    def _show(self, states: tuple[PictureFault, ...]) -> None:
        """Set the metric when it changes, which is next to never."""
        if states != self._shown:
            for fault, gauge in self._states.items():
                gauge.set(fault in states)
            self._shown = states


class LastGood:
    """The last picture of a healthy camera, some tens of kilobytes. Owned by the holder of the camera's slot."""

    def __init__(self) -> None:
        self.picture: ReferencePicture | None = None
        """Sure to be from before the fault; None: there is none yet."""
        self._new: ReferencePicture | None = None
        self._t = float("-inf")
        """Stream time at which the new one was taken."""

    def update(self, frame: Frame, *, well: bool) -> None:
        """Take one frame and whether the camera is well."""
        if not well or frame.damaged:
            self._new, self._t = None, float("-inf")
        elif self._new is None:
            if frame.t - self._t >= EVERY_S:
                self._new, self._t = _taken(frame), frame.t
        elif frame.t - self._t >= SURE_S:
            self.picture, self._new = self._new, None


def _taken(frame: Frame) -> ReferencePicture:
    picture = frame.picture
    width = min(WIDEST, picture.width)
    height = round(picture.height * width / picture.width)
    rgb = picture.rgb((0, 0, picture.width, picture.height), width, height)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return ReferencePicture(data.tobytes(), frame.t_wall)
