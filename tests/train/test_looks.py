"""A classifier in the daemon: what is looked at, how often, and that it answers as in training."""

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.metrics import Metrics
from surveil.pipeline.classify import ClassifyDesk
from surveil.train import dataset
from surveil.train.classifier import Classifier, read_card
from surveil.train.drift import Drift
from surveil.train.looks import EXTRA, Cutter, Look
from surveil.train.prepared import Options
from surveil.train.preprocess import Preprocess
from surveil.train.shelf import InUse, Shelf
from surveil.train.trainer import train
from surveil.types import Frame, Track
from tests.train.pictures import draw, fill

WHOLE = Look("shapes", "frame", 1.0)


@dataclass
class View:
    frame: Frame
    tracks: tuple = ()


@dataclass
class State:
    cuts: tuple
    extras: dict


@dataclass
class Slot:
    state: State
    camera: str = "yard"


def view(picture, t=0.0, tracks=(), damaged=False):
    return View(Frame("yard", 0, t, t, ArrayPicture(picture), damaged=damaged), tracks)


def shelf(current, shadow=None):
    made = Shelf()
    made.put("shapes", InUse(current, shadow))
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    options = Options(variations=0, threads=1, preprocess=Preprocess(size=96))
    data = dataset.load(fill(folder / "set", 20))
    return data, Classifier(train(data, folder / "shapes.onnx", options).path)


@pytest.fixture
def desk():
    return ClassifyDesk(Metrics(CollectorRegistry()), SystemClock())


def classified(desk, *cuts):
    slots = [Slot(State(tuple(c), {"health": "well"})) for c in cuts]
    desk.process(slots)
    return [slot.state.extras.get(EXTRA) for slot in slots]


def value(desk, name, **labels):
    return desk._metrics.registry.get_sample_value(name, {"camera": "yard", "model": "shapes", **labels})


def test_the_daemon_scores_a_picture_as_training_does(model, desk):
    data, classifier = model
    cutter = Cutter(shelf(classifier), [WHOLE])
    for k, item in enumerate(data.items[::7]):
        rgb = data.read(item)
        ((finding,),) = classified(desk, cutter.cut(view(rgb[:, :, ::-1].copy(), t=float(k))))
        expected = dict(zip(("cross", "disc"), classifier.probabilities([rgb])[0], strict=True))
        assert finding.scores == pytest.approx(expected, abs=1e-5)
        assert finding.version == classifier.sha256[:12]


def test_it_looks_as_often_as_asked_and_not_at_damaged_pictures(model):
    cutter = Cutter(shelf(model[1]), [WHOLE])
    picture = draw("disc", 3)
    looked = [bool(cutter.cut(view(picture, t))) for t in (0.0, 0.4, 0.9, 1.0, 1.5, 2.1)]
    assert looked == [True, False, False, True, False, True]
    assert not cutter.cut(view(picture, 9.0, damaged=True))
    assert cutter.cut(view(picture, 9.2))


def test_zones_and_followed_objects_are_cut_out(model):
    zone = Look("shapes", "zone", 1.0, "door", ((0.5, 0.0), (1.0, 0.0), (1.0, 0.5)))
    objects = Look("shapes", "track", 1.0, classes=("person",))
    cutter = Cutter(shelf(model[1]), [zone, objects])
    tracks = (
        Track(1, "person", (20.0, 20.0, 60.0, 70.0), 0.9, 0.0, 0.0),
        Track(2, "dog", (0.0, 0.0, 50.0, 50.0), 0.9, 0.0, 0.0),
        Track(3, "person", (94.0, 0.0, 96.0, 50.0), 0.9, 0.0, 0.0),
    )  # fmt: skip
    found = cutter.cut(view(draw("disc", 5), 0.0, tracks))
    assert [(c.look.on, c.look.zone, c.place.track, c.place.box) for c in found] == [
        ("zone", "door", None, (48.0, 0.0, 96.0, 48.0)), ("track", "", 1, (16.0, 15.0, 64.0, 75.0)),
    ]  # fmt: skip


def test_an_object_is_looked_for_where_it_will_have_moved_to(model):
    cutter = Cutter(shelf(model[1]), [Look("shapes", "track", 0.2, classes=("person",))])
    walker = Track(1, "person", (20.0, 20.0, 40.0, 60.0), 0.9, 0.0, 0.0, velocity=(50.0, 0.0))
    cutter.cut(view(draw("disc", 5), 10.0, (walker,)))
    (cut,) = cutter.cut(view(draw("disc", 5), 10.2, (walker,)))
    assert cut.place.box == pytest.approx((28.0, 16.0, 52.0, 64.0))


def test_two_rules_that_want_the_same_look_are_served_by_one(model):
    assert Cutter(shelf(model[1]), [WHOLE, WHOLE]).looks == (WHOLE,)


def test_without_a_deployed_classifier_nothing_is_cut_and_nothing_is_found(desk):
    cutter = Cutter(Shelf(), [WHOLE])
    cuts = cutter.cut(view(draw("disc", 5)))
    assert cuts == ()
    assert classified(desk, cuts) == [None]


def test_one_call_of_the_model_serves_the_crops_of_all_cameras(model, desk):
    cutters = [Cutter(shelf(model[1]), [WHOLE]) for _ in range(5)]
    found = classified(desk, *(cutter.cut(view(draw("disc", 5))) for cutter in cutters))
    assert len(found) == 5
    assert all(len(findings) == 1 for findings in found)
    assert desk._metrics.registry.get_sample_value("surveil_classifier_seconds_count") == 1


def test_a_shadow_finds_nothing_and_is_counted_beside_the_one_in_use(model, desk, tmp_path):
    data, classifier = model
    other = train(
        data, tmp_path / "other.onnx",
        Options(variations=0, threads=1, preprocess=Preprocess(size=64), positive="cross"),
    )  # fmt: skip
    cutter = Cutter(shelf(classifier, Classifier(other.path)), [WHOLE])
    (cut,) = cutter.cut(view(draw("disc", 100)))
    assert cut.current.tensor.shape == (96, 96, 3)
    assert cut.shadow.tensor.shape == (64, 64, 3)
    ((finding,),) = classified(desk, [cut])
    assert finding.version == classifier.sha256[:12]
    assert value(desk, "surveil_classifier_looks_total", label="disc") == 1
    said = Classifier(other.path).card.said(
        Classifier(other.path).probabilities([draw("disc", 100)[:, :, ::-1]])[0].tolist()
    )
    assert value(desk, "surveil_classifier_shadow_looks_total", label="disc", shadow_label=said) == 1


def test_a_shadow_without_one_in_use_is_counted_and_raises_nothing(model, desk):
    cutter = Cutter(shelf(None, model[1]), [WHOLE])
    assert classified(desk, cutter.cut(view(draw("disc", 100)))) == [None]
    assert value(desk, "surveil_classifier_shadow_looks_total", label="none", shadow_label="disc") == 1


def test_drift_is_a_metric_and_begins_anew_with_another_version(model, desk):
    cutter = Cutter(shelf(model[1]), [Look("shapes", "frame", 0.05)])
    for k in range(200):
        classified(desk, cutter.cut(view(draw("disc", 5), float(k))))
    assert value(desk, "surveil_classifier_drift_ratio") > 0.4
    desk._drift["yard", "shapes"] = ("another", desk._drift["yard", "shapes"][1])
    classified(desk, cutter.cut(view(draw("disc", 5), 999.0)))
    assert value(desk, "surveil_classifier_drift_ratio") < 0.1


def test_drift_is_small_for_scores_as_in_validation_and_large_for_others():
    quantiles = tuple(k / 20 for k in range(21))
    same, other = Drift(quantiles), Drift(quantiles)
    assert same.value == 0.0
    for k in range(400):
        same.add((k * 0.618) % 1.0)
        other.add(0.97)
    assert same.value < 0.15
    assert other.value > 0.8


def test_what_a_file_says_about_itself_is_read_without_loading_it(model):
    data, classifier = model
    path = data.folder.parent / "shapes.onnx"
    assert read_card(path) == classifier.card


@pytest.mark.parametrize(("scores", "said"), [((0.2, 0.8), "b"), ((0.35, 0.65), "a"), ((0.6, 0.4), "a")])
def test_a_class_is_said_at_its_threshold_and_the_likeliest_other_below(model, scores, said):
    from dataclasses import replace

    card = replace(model[1].card, labels=("a", "b"), positive="b", threshold=0.7)
    assert card.said(scores) == said
