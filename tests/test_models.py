"""The store of models, and the embedded ones."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from surveil.damage import Damaged
from surveil.damage import found as damage
from surveil.demo.scene import DrawnScene
from surveil.detect.detector import Detector
from surveil.detect.faces import NAME, embedded_path
from surveil.detect.merge import iou
from surveil.detect.session import ModelSession, RunOn
from surveil.detect.settings import ModelSettings
from surveil.detect.trial import PEOPLE
from surveil.errors import ModelError
from surveil.models.store import DATA, EMBEDDING, ModelStore, open_detector
from tests.detect import tiny
from tests.detect.tiny import Shot

pytestmark = pytest.mark.slow


class Smooth(Shot):
    """A picture that is scaled well."""

    def rgb(self, box, width, height):
        x1, y1, x2, y2 = box
        return cv2.resize(self.array[y1:y2, x1:x2], (width, height), interpolation=cv2.INTER_AREA)


def footage(name):
    beside = Path(__file__).parents[2] / "shared" / "footage"
    path = Path(os.environ.get("SURVEIL_FOOTAGE", beside)) / name
    if not path.exists():
        pytest.skip(f"needs {name}: set SURVEIL_FOOTAGE to the folder that has it")
    return path


FACES = [NAME] if embedded_path().is_file() else []
"""The network for faces is there where its package was at hand when surveil was built."""


@pytest.fixture(scope="module")
def default():
    return open_detector(ModelSettings(), ModelStore())


def whole(detector: Detector, rgb: np.ndarray, floor: float):
    height, width = rgb.shape[:2]
    look = detector.prepare(Smooth(rgb), (0, 0, width, height))
    return detector.detect([[look]], [detector.floors(floor)])[0]


def yolov8(classes=3):
    planes = np.zeros((4 + classes, 84), np.float32)
    planes[:5, 7] = [32, 32, 20, 20, 0.9]
    return tiny.model({"output0": planes}, metadata={"names": json.dumps(["cat", "dog", "fox"][:classes])})


@pytest.fixture
def file(tmp_path):
    (tmp_path / "My Pets.onnx").write_bytes(yolov8())
    return tmp_path / "My Pets.onnx"


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def test_the_default_model_finds_drawn_people(default):
    scene = DrawnScene.passing(seed=3, people=2, size=(640, 360))
    middle = [i for i in range(scene.frames) if any(f.visible > 0.99 for f in scene.truth(i))]
    frame = middle[len(middle) // 4]
    found = whole(default, scene.frame(frame)[..., ::-1], 0.4)
    people = found.boxes[found.classes == default.labels.index("person")]
    truth = np.array([f.box for f in scene.truth(frame)], np.float32)
    assert (iou(truth, people).max(axis=1) > 0.5).all()


def test_the_default_model_finds_everybody_in_the_picture_of_the_trial(default):
    people = default.trial.found.classes[default.trial.found.scores >= 0.5] == default.labels.index("person")
    assert people.sum() == PEOPLE


def test_the_default_model_finds_the_people_in_a_photograph(default):
    found = whole(default, cv2.imread(str(footage("bus.jpg")))[..., ::-1], 0.5)
    names = sorted(default.labels[c] for c in found.classes)
    assert names == ["bus", "person", "person"]


def test_the_default_model_knows_cocos_classes_and_takes_bytes(default):
    assert (len(default.labels), default.labels[0], default.labels[79]) == (80, "person", "toothbrush")
    assert (default.input.shape, default.input.dtype, default.input.batch) == ((320, 320, 3), "uint8", None)


def test_the_default_model_takes_any_batch_and_keeps_pictures_apart():
    session = ModelSession(DATA / "efficientdet-lite0.onnx", RunOn())
    one, two = np.random.default_rng(1).integers(0, 255, (2, 1, 320, 320, 3), np.uint8)
    alone = [session.run({"images": x}) for x in (one, two)]
    together = session.run({"images": np.concatenate([one, two, one])})
    for output in range(2):
        expected = np.concatenate([alone[0][output], alone[1][output], alone[0][output]])
        assert together[output] == pytest.approx(expected, abs=1e-4)


def test_the_embedding_gives_1280_numbers_and_two_maps():
    session = ModelSession(DATA / f"{EMBEDDING}.onnx", RunOn())
    shapes = [o.shape for o in session.run({"images": np.zeros((2, 224, 224, 3), np.uint8)})]
    assert shapes == [(2, 1280), (2, 40, 28, 28), (2, 112, 14, 14)]


def test_a_fresh_store_lists_the_embedded_models(store):
    assert [(m.name, m.decoder, m.embedded, m.licence) for m in store.list()] == [
        ("efficientdet-lite0", "candidates", True, "Apache-2.0"),
        ("efficientnet-lite0", "embedding", True, "Apache-2.0"),
        *[(name, "faces", True, "Apache-2.0") for name in FACES],
    ]


def test_the_embedded_models_are_well(store):
    checked = store.check()
    assert [(c.name, c.ok, c.message) for c in checked] == [
        ("efficientdet-lite0", True, ""), ("efficientnet-lite0", True, ""),
        *[(name, True, "") for name in FACES],
    ]  # fmt: skip
    assert checked[0].milliseconds > 0


def test_an_added_model_is_recognised_and_can_be_named(store, file):
    added = store.add(file)
    assert (added.name, added.decoder, added.labels, added.experimental) == (
        "my-pets", "yolov8", ("cat", "dog", "fox"), False,
    )  # fmt: skip
    detector = open_detector(ModelSettings(name="my-pets"), ModelStore(store.folder))
    assert (detector.name, detector.labels) == ("my-pets", ("cat", "dog", "fox"))
    assert [m.name for m in store.list()] == ["efficientdet-lite0", "efficientnet-lite0", *FACES, "my-pets"]


def test_what_the_settings_say_of_an_added_model_is_kept(store, file):
    store.add(file, "pets", ModelSettings(channels="bgr", range="0-255", placement="stretch"))
    spec = open_detector(ModelSettings(name="pets"), store).input
    assert (spec.preprocess.channels, spec.preprocess.range, spec.preprocess.placement) == (
        "bgr",
        "0-255",
        "stretch",
    )


def test_a_file_that_cannot_be_used_leaves_nothing_behind(store, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be loaded"):
        store.add(tmp_path / "bad.onnx")
    assert not store.folder.exists()


def test_an_embedded_model_cannot_be_replaced(store, file):
    with pytest.raises(ModelError, match="'efficientdet-lite0' is an embedded model; choose another name"):
        store.add(file, "efficientdet-lite0")


@pytest.mark.parametrize("name", ["../x", "A B", "-x", "x" * 65])
def test_names_that_are_no_file_names_are_refused(store, file, name):
    with pytest.raises(ModelError, match="cannot be a model's name"):
        store.add(file, name)


def test_an_unknown_name_has_a_suggestion(store):
    with pytest.raises(
        ModelError, match="unknown model 'efficientdet-lite'; did you mean 'efficientdet-lite0'"
    ):
        open_detector(ModelSettings(name="efficientdet-lite"), store)


def test_the_embedding_is_no_detector(store):
    with pytest.raises(ModelError, match="'efficientnet-lite0' is no detector"):
        open_detector(ModelSettings(name="efficientnet-lite0"), store)


def test_a_changed_file_is_not_loaded(store, file):
    added = store.add(file, "pets")
    added.path.write_bytes(yolov8(2))
    with pytest.raises(ModelError, match=r"damaged or replaced .*`surveil models add` it again"):
        open_detector(ModelSettings(name="pets"), store)
    assert [(c.name, c.ok) for c in store.check()][-1] == ("pets", False)


def test_a_missing_file_of_the_store_is_told(store, file):
    store.add(file, "pets").path.unlink()
    with pytest.raises(ModelError, match=r"pets\.onnx: the model cannot be read: No such file"):
        open_detector(ModelSettings(name="pets"), store)


def test_a_broken_description_costs_nothing_but_itself(store, file):
    store.add(file, "pets").path.with_suffix(".json").write_text("{")
    store.add(file, "others")
    assert [model.name for model in store.list() if not model.embedded] == ["others"]
    assert store.find(ModelSettings(name="others")).name == "others"
    before = damage.counts()[Damaged.DESCRIPTION]
    assert open_detector(ModelSettings(name="pets"), store).labels == ("cat", "dog", "fox")
    assert open_detector(ModelSettings(name="pets"), store).labels == ("cat", "dog", "fox")
    assert damage.counts()[Damaged.DESCRIPTION] == before + 1
    told = damage.take()[-1]
    assert "pets.json: not a model's description" in told.text
    (bad,) = [one for one in store.check() if not one.ok]
    assert bad.name == "pets"
    (store.folder / "pets.onnx").unlink()
    with pytest.raises(ModelError, match=r"pets\.json: not a model's description .*; remove it"):
        open_detector(ModelSettings(name="pets"), store)


def test_a_folder_that_is_not_writable_is_told(file, tmp_path):
    (tmp_path / "occupied").write_text("")
    with pytest.raises(ModelError, match="the model cannot be stored"):
        ModelStore(tmp_path / "occupied").add(file, "pets")


def test_labels_are_known_without_loading_a_model(store, file, tmp_path):
    assert store.labels(ModelSettings())[0] == "person"
    assert store.labels(ModelSettings(file=file)) == ()
    (tmp_path / "l.txt").write_text("a\nb\n\n")
    assert store.labels(ModelSettings(labels=tmp_path / "l.txt")) == ("a", "b")
