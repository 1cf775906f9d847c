"""What happens to learned models while a camera is reloaded, removed or gets another model during a fit."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from surveil.clock import ManualClock
from surveil.features.normality.keeper import NormalityKeeper
from surveil.features.normality.model import SceneModel
from surveil.features.normality.modelfile import encode
from surveil.features.normality.result import NormalityState
from surveil.features.normality.scene import SceneNormality, Scenes
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.store import NormalityStore
from tests.normality.drawn import FRAME, frames, model


class Sums:
    """What a scene has learned; something happens while it is fitted."""

    def __init__(self, during: Callable[[], object]) -> None:
        self._during = during

    def fit(self) -> SceneModel:
        self._during()
        return model().model.faded(7, 14)


class Ripe(SceneNormality):
    """A scene that has something to fit, once, and counts the models that it is offered."""

    def __init__(self, during: Callable[[], object] | None = None) -> None:
        super().__init__("yard", NormalitySettings(enabled=True))
        self.offers: list[tuple[str, bool]] = []
        # Nothing is ripe when the keeper looks for the first time.
        self._sums = [None] if during is None else [Sums(during), None]
        self.learning.take_learned = lambda: self._sums.pop() if self._sums else None

    def offer(self, loaded, *, own=False):
        self.offers.append((loaded.sha256, own))
        super().offer(loaded, own=own)


@pytest.fixture
def store(tmp_path):
    found = NormalityStore(tmp_path, "yard")
    found.deploy(model().model)
    return found


@pytest.fixture
def scenes():
    return Scenes()


def kept(tmp_path, scenes, scene):
    scenes.put(scene)
    return NormalityKeeper(tmp_path, scenes, lambda _camera, _what: None, ManualClock())


def test_a_reload_during_a_fit_leaves_the_new_scene_with_the_model(tmp_path, store, scenes):
    new = Ripe()
    keeper = kept(tmp_path, scenes, old := Ripe(lambda: scenes.put(new)))
    for _ in range(3):
        keeper.run_once()
    assert store.current() == "0002.npz"
    assert old.offers[-1] == (store.load().sha256, True)
    assert new.offers == [(store.load().sha256, False)]


def test_a_scene_that_replaced_another_goes_on_from_its_model(tmp_path, store, scenes):
    """It must not learn from zero: its first fit would replace the model of weeks."""
    new = Ripe()
    keeper = kept(tmp_path, scenes, Ripe(lambda: scenes.put(new)))
    for _ in range(3):
        keeper.run_once()
    for plane, t in frames(1):
        new.observe(plane, t, 1_700_000_000.0 + t, FRAME)
    assert new.learning.seconds >= store.load().model.seen.seconds


@pytest.mark.parametrize("learn", ["off", "auto"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"camera": "gate"}, "learned for camera 'gate', not 'yard'"),
        ({"width": 2 * FRAME[0], "height": 2 * FRAME[1]}, f"the model is for {2 * FRAME[0]}x{2 * FRAME[1]}"),
    ],
)
def test_a_model_that_cannot_be_used_is_no_camera_without_a_model(tmp_path, scenes, change, why, learn):
    store = NormalityStore(tmp_path, "yard")
    store.publish(encode(replace(model().model, **change))[0])
    scene = SceneNormality("yard", NormalitySettings(enabled=True, learn=learn))
    keeper = kept(tmp_path, scenes, scene)

    def seen(t):
        keeper.run_once()
        (plane, t0), *_ = frames(0.1)
        return scene.observe(plane, t + t0, 1_700_000_000.0 + t, FRAME).status

    assert seen(0.0).state is NormalityState.INVALID
    assert why in seen(0.1).reason
    store.deploy(model().model)
    assert seen(0.2).state is not NormalityState.INVALID


def test_a_camera_that_was_removed_during_a_fit_and_comes_back_gets_the_model(tmp_path, store, scenes):
    back = Ripe()
    keeper = kept(tmp_path, scenes, Ripe(lambda: scenes.drop("yard")))
    for _ in range(3):
        keeper.run_once()
    scenes.put(back)
    keeper.run_once()
    assert back.offers == [(store.load().sha256, False)]


def test_a_model_that_is_deployed_during_a_fit_is_not_replaced_by_it(tmp_path, store, scenes):
    by_hand = model().model.faded(1, 14)
    deployed = []
    keeper = kept(tmp_path, scenes, scene := Ripe(lambda: deployed.append(store.deploy(by_hand).sha256)))
    for _ in range(3):
        keeper.run_once()
    assert store.load().sha256 == deployed[0]
    assert scene.offers == [(model().sha256, False), (deployed[0], False)]
