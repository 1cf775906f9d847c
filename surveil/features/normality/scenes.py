"""What learns in front of which camera: a scene lives on while its camera's settings of normality stay."""

from __future__ import annotations

from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings


class Scenes:
    """The scenes of all cameras. Owned by the thread that makes cameras."""

    def __init__(self) -> None:
        self._scenes: dict[str, tuple[NormalitySettings, SceneNormality]] = {}

    def of(self, camera: str, settings: NormalitySettings) -> SceneNormality | None:
        """Return the scene of a camera, a new one for other settings; None when it learns nothing."""
        if not settings.enabled:
            self.forget(camera)
            return None
        before, scene = self._scenes.get(camera, (None, None))
        if scene is None or before != settings:
            scene = SceneNormality(camera, settings)
            self._scenes[camera] = (settings, scene)
        return scene

    def forget(self, camera: str) -> None:
        """Let a camera go."""
        self._scenes.pop(camera, None)
