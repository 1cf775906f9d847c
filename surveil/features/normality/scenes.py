"""What learns in front of which camera: a scene lives on while its camera's settings of normality stay."""

from __future__ import annotations

from collections.abc import Mapping

from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings


class Scenes:
    """The scenes of all cameras. Owned by the thread that makes cameras; any thread may read `all`."""

    def __init__(self) -> None:
        self.all: Mapping[str, SceneNormality] = {}
        """By camera. Replaced as a whole, never changed in place."""
        self._settings: dict[str, NormalitySettings] = {}

    def of(self, camera: str, settings: NormalitySettings) -> SceneNormality:
        """Return the scene of a camera: the one that is there, or a new one for other settings."""
        if camera not in self.all or self._settings.get(camera) != settings:
            self.put(SceneNormality(camera, settings))
            self._settings[camera] = settings
        return self.all[camera]

    def put(self, scene: SceneNormality) -> None:
        """Let a scene take the place of its camera's."""
        self.all = {**self.all, scene.camera: scene}

    def drop(self, camera: str) -> None:
        """Let a camera go."""
        self.all = {name: one for name, one in self.all.items() if name != camera}
        self._settings.pop(camera, None)
