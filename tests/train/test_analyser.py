"""A classifier in the daemon: what is looked at, how often, and that it answers as in training."""

import shutil
from dataclasses import dataclass

import pytest

from surveil.capture.picture import ArrayPicture
from surveil.learn.frames import stills
from surveil.train import dataset
from surveil.train.analyser import ClassifyAnalyser, Drift, Look
from surveil.train.classifier import Classifier
from surveil.train.preprocess import Preprocess
from surveil.train.split import TEST
from surveil.train.trainer import Options, prepare, train
from surveil.types import Frame, Track
from tests.train.pictures import draw, fill

WHOLE = Look("shapes", "frame", 1.0)


@dataclass
class View:
    frame: Frame
    tracks: tuple = ()


def view(picture, t=0.0, tracks=(), damaged=False):
    return View(Frame("yard", 0, t, t, ArrayPicture(picture), damaged=damaged), tracks)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analyser")
    options = Options(variations=0, threads=1, preprocess=Preprocess(size=96))
    data = dataset.load(fill(folder / "set", 20))
    return data, Classifier(train(data, folder / "shapes.onnx", options).path)


def test_the_daemon_scores_a_picture_as_training_does(model):
    data, classifier = model
    analyser = ClassifyAnalyser({"shapes": classifier}, [WHOLE])
    for k, item in enumerate(data.items[::7]):
        rgb = data.read(item)
        (finding,) = analyser.observe(view(rgb[:, :, ::-1].copy(), t=float(k)))
        expected = dict(zip(("cross", "disc"), classifier.probabilities([rgb])[0], strict=True))
        assert finding.scores == pytest.approx(expected, abs=1e-5)


def test_it_looks_as_often_as_asked_and_not_at_damaged_pictures(model):
    analyser = ClassifyAnalyser({"shapes": model[1]}, [WHOLE])
    picture = draw("disc", 3)
    looked = [analyser.observe(view(picture, t)) is not None for t in (0.0, 0.4, 0.9, 1.0, 1.5, 2.1)]
    assert looked == [True, False, False, True, False, True]
    assert analyser.observe(view(picture, 9.0, damaged=True)) is None
    assert analyser.observe(view(picture, 9.2)) is not None


def test_zones_and_followed_objects_are_cut_out(model):
    zone = Look("shapes", "zone", 1.0, "door", ((0.5, 0.0), (1.0, 0.0), (1.0, 0.5)))
    objects = Look("shapes", "track", 1.0, classes=("person",))
    analyser = ClassifyAnalyser({"shapes": model[1]}, [zone, objects])
    tracks = (
        Track(1, "person", (20.0, 20.0, 60.0, 70.0), 0.9, 0.0, 0.0),
        Track(2, "dog", (0.0, 0.0, 50.0, 50.0), 0.9, 0.0, 0.0),
        Track(3, "person", (95.0, 0.0, 97.0, 50.0), 0.9, 0.0, 0.0),
    )  # fmt: skip
    found = analyser.observe(view(draw("disc", 5), 0.0, tracks))
    assert [(f.on, f.zone, f.track, f.box) for f in found] == [
        ("zone", "door", None, (48.0, 0.0, 96.0, 48.0)), ("track", "", 1, (16.0, 15.0, 64.0, 75.0)),
    ]  # fmt: skip


def test_nothing_to_look_at_is_an_empty_finding(model):
    analyser = ClassifyAnalyser({"shapes": model[1]}, [Look("shapes", "track", 1.0, classes=("person",))])
    assert analyser.observe(view(draw("disc", 5))) == ()


def test_drift_is_small_for_scores_as_in_validation_and_large_for_others():
    quantiles = tuple(k / 20 for k in range(21))
    same, other = Drift(quantiles), Drift(quantiles)
    assert same.value == 0.0
    for k in range(400):
        same.add((k * 0.618) % 1.0)
        other.add(0.97)
    assert same.value < 0.15
    assert other.value > 0.8


def test_accuracy_through_a_camera_of_pictures_is_that_of_the_report(tmp_path):
    options = Options(variations=0, threads=1, preprocess=Preprocess(size=96))
    data = dataset.load(fill(tmp_path / "set", 20))
    trained = train(data, tmp_path / "shapes.onnx", options)
    tested = [data.items[i] for i in prepare(data, options).split.of(TEST)]
    (tmp_path / "frames").mkdir()
    for k, item in enumerate(tested):
        shutil.copy(data.folder / item.path, tmp_path / "frames" / f"{k:03d}.jpg")
    analyser = ClassifyAnalyser({"shapes": Classifier(trained.path)}, [Look("shapes", "frame", 0.05)])
    right = 0
    for still, item in zip(stills(tmp_path / "frames", fps=10.0), tested, strict=True):
        (finding,) = analyser.observe(View(Frame("yard", still.index, still.t, still.t, still.picture)))
        right += max(finding.scores, key=finding.scores.get) == item.label
    assert right / len(tested) == trained.evaluation.figures["accuracy"].value
