"""Fits what running cameras have learned and picks up models that were deployed: one background loop for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from surveil.clock import Clock, Stop
from surveil.errors import ModelError, StateError
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.store import NormalityStore, Note

PERIOD_S = 5.0
NOTE_S = 60.0
"""How often word is left of how far learning is, for `surveil normality show`."""
Report = Callable[[str, str], None]
"""Called with a camera and what happened to its model, once per transition."""


class Keeper(Protocol):
    """Looks after models of one kind."""

    def run_once(self) -> None:
        """Do what is due. Failures are reported, not raised."""


def look_after(keepers: Sequence[Keeper], stop: Stop, clock: Clock) -> None:
    """Let the keepers look every few seconds until `stop`."""
    while not clock.sleep(PERIOD_S, stop):
        for keeper in keepers:
            keeper.run_once()


class NormalityKeeper:
    """Belongs to its own thread. Scenes are only touched through `offer` and `learning.take_learned`."""

    def __init__(
        self, state_dir: Path, scenes: Mapping[str, SceneNormality], report: Report, clock: Clock
    ) -> None:
        self._clock = clock
        self._noted_at = -NOTE_S
        self._scenes = dict(scenes)
        self._state_dir = state_dir
        self._in_use: dict[str, tuple[SceneNormality, str | None]] = {}
        """By camera: the scene that has a model, and its version. A scene that came meanwhile has none."""
        self._failed: dict[str, str] = {}
        self._report = report

    def keep(self, camera: str, scene: SceneNormality | None) -> None:
        """Look after another scene of a camera, or (None) no more; from any thread."""
        others = {name: one for name, one in self._scenes.items() if name != camera}
        self._scenes = others if scene is None else {**others, camera: scene}

    def run_once(self) -> None:
        """Fit and deploy what is ripe, then pick up what is new. Failures are reported once, not raised."""
        now = self._clock.monotonic()
        notes = now - self._noted_at >= NOTE_S
        self._noted_at = now if notes else self._noted_at
        for camera, scene in self._scenes.items():
            try:
                if notes:
                    self._note(camera, scene)
                self._fit(camera, scene)
                self._pick_up(camera, scene)
                self._failed.pop(camera, None)
            except (ModelError, StateError, ValueError, ArithmeticError) as error:
                if self._failed.get(camera) != str(error):
                    self._report(camera, f"the model cannot be used: {error}")
                self._failed[camera] = str(error)

    def _store(self, camera: str) -> NormalityStore:
        return NormalityStore(self._state_dir, camera)

    def _note(self, camera: str, scene: SceneNormality) -> None:
        said, learning = scene.said, scene.learning
        note = Note(self._clock.wall(), said.state.value, said.reason, learning.seconds, learning.share)
        self._store(camera).note(note)

    def _fit(self, camera: str, scene: SceneNormality) -> None:
        learned = scene.learning.take_learned()
        if learned is None:
            return
        store, began_with = self._store(camera), self._in_use.get(camera)
        model = learned.fit()
        if began_with is not None and began_with != (scene, store.current()):
            return  # Another model was deployed during the fit: it is picked up.
        self._offer(camera, scene, store.deploy(model), store.current(), own=True)

    def _pick_up(self, camera: str, scene: SceneNormality) -> None:
        name = self._store(camera).current()
        if name is None or (scene, name) == self._in_use.get(camera):
            return
        loaded = self._store(camera).load()
        if loaded is not None:
            self._offer(camera, scene, loaded, name, own=False)

    def _offer(
        self, camera: str, scene: SceneNormality, loaded: LoadedModel, name: str | None, *, own: bool
    ) -> None:
        scene.offer(loaded, own=own)
        self._in_use[camera] = scene, name
        version = (name or "").removesuffix(".npz")
        self._report(camera, f"model {loaded.name} (version {version}) is in use")
