"""Fits what running cameras have learned and picks up models that were deployed: one background loop for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surveil.clock import Clock, Every
from surveil.damage import Damaged
from surveil.errors import ModelError, StateError
from surveil.features.normality.scene import SceneNormality, Scenes
from surveil.features.normality.store import NormalityStore, Note
from surveil.versions import ModelReloader, recovering

NOTE_S = 60.0
"""How often word is left of how far learning is, for `surveil normality show`."""


class NormalityKeeper:
    """Belongs to its own thread. Scenes are only touched through `offer` and `learning.take_learned`."""

    def __init__(
        self,
        state_dir: Path,
        scenes: Scenes,
        report: Callable[[str, str], None],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._notes = Every(NOTE_S)
        self._scenes = scenes
        self._state_dir = state_dir
        self._reloader: ModelReloader[SceneNormality, str | None] = ModelReloader(
            lambda camera: self._store(camera).current(), self._hand_over, report
        )

    def run_once(self) -> None:
        """Fit and deploy what is ripe, then pick up what is new. Failures are reported once, not raised."""
        notes, scenes = self._notes.due(self._clock.monotonic()), self._scenes.all
        self._reloader.forget_others(scenes)
        for camera, scene in scenes.items():
            with self._reloader.reporting(camera, "the model cannot be used"):
                if notes:
                    self._note(camera, scene)
                self._fit(camera, scene)
                self._look(camera, scene)

    def _look(self, camera: str, scene: SceneNormality) -> None:
        """Pick up what is deployed. A model that cannot be used must not look like a camera without one."""
        try:
            with recovering(self._store(camera), Damaged.NORMALITY):
                self._reloader.look(camera, scene)
        except (ModelError, StateError) as error:
            scene.refuse(f"the model cannot be used: {error}")
            raise

    def _store(self, camera: str) -> NormalityStore:
        return NormalityStore(self._state_dir, camera)

    def _note(self, camera: str, scene: SceneNormality) -> None:
        said, learning = scene.said, scene.learning
        note = Note(
            t_wall=self._clock.wall(),
            state=said.state.value,
            reason=said.reason,
            watched_s=learning.seconds,
            share=learning.share,
        )
        self._store(camera).note(note)

    def _fit(self, camera: str, scene: SceneNormality) -> None:
        learned = scene.learning.take_learned()
        if learned is None:
            return
        model, store = learned.fit(), self._store(camera)
        if self._is_behind(camera, scene, store):
            return  # Another model was deployed meanwhile: it is picked up instead.
        loaded = store.deploy(model)
        scene.offer(loaded, own=True)
        name = store.current()
        self._reloader.note(camera, scene, name, _in_use(loaded.name, name))

    def _is_behind(self, camera: str, scene: SceneNormality, store: NormalityStore) -> bool:
        """Whether a model that can be used is deployed that the scene does not have."""
        return (
            not store.damage()
            and store.current() is not None
            and self._reloader.in_use(camera) != (scene, store.current())
        )

    def _hand_over(self, camera: str, scene: SceneNormality, name: str | None, _before: str | None) -> str:
        loaded = None if name is None else self._store(camera).load()
        if loaded is None:
            return ""
        scene.offer(loaded)
        return _in_use(loaded.name, name)


def _in_use(model: str, name: str | None) -> str:
    return f"model {model} (version {(name or '').removesuffix('.npz')}) is in use"
