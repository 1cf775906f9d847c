"""Picture health as an analyser of the prepare stage."""

from __future__ import annotations

from surveil.features.health.picture_health import HealthReport, PictureHealth
from surveil.features.health.settings import HealthSettings
from surveil.types import FrameView
from surveil.vision.motion import plane_size


class HealthAnalyser:
    """Adds `Observation.extras["health"]`. Owned by whoever holds the camera's slot."""

    name = "health"

    def __init__(self, settings: HealthSettings) -> None:
        self._health = PictureHealth(settings)

    @property
    def accepted(self) -> int:
        """How often a view that differs was taken for the usual one."""
        return self._health.accepted

    def observe(self, view: FrameView) -> HealthReport:
        """Return the state of the picture as of this frame."""
        picture = view.frame.picture
        # The smallest plane of the gate: for most cameras the gate has already asked for the same.
        size = plane_size(picture.width, picture.height, picture.height)
        return self._health.update(view.luma(*size), view.frame.t)

    def accept(self) -> None:
        """Take what the camera shows from now on for the usual view."""
        self._health.accept()
