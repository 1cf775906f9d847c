"""A classifier in the daemon: what is looked at, how often, and that it answers as in training."""

from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.clock import SystemClock
from surveil.features.classify.classifier import Classifier, read_card
from surveil.features.classify.crops import CropCutter, CropRequest
from surveil.features.classify.finding import Classifications
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.registry import ClassifierRegistry, InUse
from surveil.features.classify.runner import ClassifierRunner, Drift
from surveil.features.health.report import HealthReport
from surveil.metrics import Metrics
from surveil.offline.classify import dataset
from surveil.offline.classify.prepared import Options
from surveil.offline.classify.trainer import train
from surveil.types import Findings, Frame, Track
from surveil.view import FrameView
from tests.train.pictures import draw, fill

WHOLE = CropRequest(model="shapes", on="frame", every_s=1.0)


class Waiting(CropCutter):
    """A camera whose crops are cut already."""

    def __init__(self, cuts):
        super().__init__(ClassifierRegistry(), ())
        self.waiting = tuple(cuts)


@dataclass
class State:
    cutters: tuple
    findings: Findings
    has_cuts: bool = True


@dataclass
class Slot:
    state: State
    camera: str = "yard"


def view(picture, t=0.0, tracks=(), damaged=False):
    return FrameView(
        Frame(camera="yard", seq=0, t=t, t_wall=t, picture=ArrayPicture(picture), damaged=damaged), tracks
    )


def classifiers(current, shadow=None):
    made = ClassifierRegistry()
    made.put("shapes", InUse(current, shadow))
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("looks")
    options = Options(variations=0, threads=1, preprocess=CropPreprocess(size=96))
    data = dataset.load(fill(folder / "set", 20))
    return data, Classifier(train(data, folder / "shapes.onnx", options).path)


class Runner(ClassifierRunner):
    """One whose metrics can be read."""

    def __init__(self):
        self.registry = CollectorRegistry()
        super().__init__(Metrics(self.registry), SystemClock())


@pytest.fixture
def counter():
    return Runner()


def cut(cutter, a_view):
    assert cutter.cut(a_view) == bool(cutter.waiting)
    return cutter.waiting


def classified(counter, *cuts):
    slots = [Slot(State((Waiting(c),), Findings([HealthReport()]))) for c in cuts]
    counter.process(slots)
    assert all(slot.state.findings.get(HealthReport) for slot in slots)
    found = [slot.state.findings.get(Classifications) for slot in slots]
    return [one and one.looks for one in found]


def value(counter, name, **labels):
    return counter.registry.get_sample_value(name, {"camera": "yard", "model": "shapes", **labels})


def test_the_daemon_scores_a_picture_as_training_does(model, counter):
    data, classifier = model
    cutter = CropCutter(classifiers(classifier), [WHOLE])
    for k, item in enumerate(data.items[::7]):
        rgb = data.read(item)
        ((finding,),) = classified(counter, cut(cutter, view(rgb[:, :, ::-1].copy(), t=float(k))))
        expected = dict(zip(("cross", "disc"), classifier.probabilities([rgb])[0], strict=True))
        assert finding.scores == pytest.approx(expected, abs=1e-5)
        assert finding.version == classifier.sha256[:12]


def test_it_looks_as_often_as_asked_and_not_at_damaged_pictures(model):
    cutter = CropCutter(classifiers(model[1]), [WHOLE])
    picture = draw("disc", 3)
    looked = [bool(cut(cutter, view(picture, t))) for t in (0.0, 0.4, 0.9, 1.0, 1.5, 2.1)]
    assert looked == [True, False, False, True, False, True]
    assert not cut(cutter, view(picture, 9.0, damaged=True))
    assert cut(cutter, view(picture, 9.2))


def test_zones_and_followed_objects_are_cut_out(model):
    zone = CropRequest(
        model="shapes", on="zone", every_s=1.0, zone="door", outline=((0.5, 0.0), (1.0, 0.0), (1.0, 0.5))
    )
    objects = CropRequest(model="shapes", on="track", every_s=1.0, classes=("person",))
    cutter = CropCutter(classifiers(model[1]), [zone, objects])
    tracks = (
        Track(id=1, label="person", box=(20.0, 20.0, 60.0, 70.0), score=0.9, t_first=0.0, t_last=0.0),
        Track(id=2, label="dog", box=(0.0, 0.0, 50.0, 50.0), score=0.9, t_first=0.0, t_last=0.0),
        Track(id=3, label="person", box=(94.0, 0.0, 96.0, 50.0), score=0.9, t_first=0.0, t_last=0.0),
    )  # fmt: skip
    found = cut(cutter, view(draw("disc", 5), 0.0, tracks))
    assert [(c.look.on, c.look.zone, c.place.track, c.place.box) for c in found] == [
        ("zone", "door", None, (48.0, 0.0, 96.0, 48.0)), ("track", "", 1, (16.0, 15.0, 64.0, 75.0)),
    ]  # fmt: skip


def test_an_object_is_looked_for_where_it_will_have_moved_to(model):
    cutter = CropCutter(
        classifiers(model[1]), [CropRequest(model="shapes", on="track", every_s=0.2, classes=("person",))]
    )
    walker = Track(
        id=1,
        label="person",
        box=(20.0, 20.0, 40.0, 60.0),
        score=0.9,
        t_first=0.0,
        t_last=0.0,
        velocity=(50.0, 0.0),
    )
    cut(cutter, view(draw("disc", 5), 10.0, (walker,)))
    (one,) = cut(cutter, view(draw("disc", 5), 10.2, (walker,)))
    assert one.place.box == pytest.approx((28.0, 16.0, 52.0, 64.0))


def test_two_rules_that_want_the_same_look_are_served_by_one(model):
    assert CropCutter(classifiers(model[1]), [WHOLE, WHOLE]).looks == (WHOLE,)


def test_without_a_deployed_classifier_nothing_is_cut_and_nothing_is_found(counter):
    cutter = CropCutter(ClassifierRegistry(), [WHOLE])
    cuts = cut(cutter, view(draw("disc", 5)))
    assert cuts == ()
    assert classified(counter, cuts) == [None]


def test_one_call_of_the_model_serves_the_crops_of_all_cameras(model, counter):
    cutters = [CropCutter(classifiers(model[1]), [WHOLE]) for _ in range(5)]
    found = classified(counter, *(cut(cutter, view(draw("disc", 5))) for cutter in cutters))
    assert len(found) == 5
    assert all(len(findings) == 1 for findings in found)
    assert counter.registry.get_sample_value("surveil_classifier_seconds_count") == 1


def test_a_shadow_finds_nothing_and_is_counted_beside_the_one_in_use(model, counter, tmp_path):
    data, classifier = model
    other = train(
        data, tmp_path / "other.onnx",
        Options(variations=0, threads=1, preprocess=CropPreprocess(size=64), positive="cross"),
    )  # fmt: skip
    cutter = CropCutter(classifiers(classifier, Classifier(other.path)), [WHOLE])
    (one,) = cut(cutter, view(draw("disc", 100)))
    assert one.current.tensor.shape == (96, 96, 3)
    assert one.shadow.tensor.shape == (64, 64, 3)
    ((finding,),) = classified(counter, [one])
    assert finding.version == classifier.sha256[:12]
    assert value(counter, "surveil_classifier_looks_total", label="disc") == 1
    said = Classifier(other.path).card.said(
        Classifier(other.path).probabilities([draw("disc", 100)[:, :, ::-1]])[0].tolist()
    )
    assert value(counter, "surveil_classifier_shadow_looks_total", label="disc", shadow_label=said) == 1


def test_a_shadow_without_one_in_use_is_counted_and_raises_nothing(model, counter):
    cutter = CropCutter(classifiers(None, model[1]), [WHOLE])
    assert classified(counter, cut(cutter, view(draw("disc", 100)))) == [None]
    assert value(counter, "surveil_classifier_shadow_looks_total", label="none", shadow_label="disc") == 1


def test_drift_is_a_metric_and_begins_anew_with_another_version(model, counter):
    cutter = CropCutter(classifiers(model[1]), [CropRequest(model="shapes", on="frame", every_s=0.05)])
    for k in range(200):
        classified(counter, cut(cutter, view(draw("disc", 5), float(k))))
    assert value(counter, "surveil_classifier_drift_ratio") > 0.4
    counter._drift["yard", "shapes"] = ("another", counter._drift["yard", "shapes"][1])
    classified(counter, cut(cutter, view(draw("disc", 5), 999.0)))
    assert value(counter, "surveil_classifier_drift_ratio") < 0.1


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
