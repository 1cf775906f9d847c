"""From pictures to a classifier file that says in the daemon what it said in training."""

import json
import re
from dataclasses import replace

import numpy as np
import onnx
import pytest

from surveil.errors import ConfigError, DamagedModel, ModelError, StateError
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.store import ClassifierStore
from surveil.offline.classify import dataset
from surveil.offline.classify.dataset import Item
from surveil.offline.classify.evaluation import FIGURES, few_bins, judge
from surveil.offline.classify.features import backbone_path
from surveil.offline.classify.head import Head, class_weights, fit, temperature
from surveil.offline.classify.measures import (
    Wanted,
    calibration_error,
    choose_threshold,
    confusion,
    operating,
    precision_recall_f1,
)
from surveil.offline.classify.onnxfile import classifier, with_weights
from surveil.offline.classify.onnxgraph import nodes, weights
from surveil.offline.classify.outcome import evaluate_file
from surveil.offline.classify.prepared import Options, digest, prepare
from surveil.offline.classify.report import lines, to_html, to_json, write_report
from surveil.offline.classify.trainer import train
from surveil.offline.normality.figures import Estimate
from surveil.offline.normality.gate import failures, parse_gate
from tests.train.pictures import draw, fill, no_room

FAST = Options(variations=1, threads=1, preprocess=CropPreprocess(size=96))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    data = dataset.load(fill(folder / "set", 30))
    return data, train(data, folder / "shapes.onnx", FAST)


def test_a_disc_and_a_cross_are_told_apart(made):
    _, trained = made
    assert trained.evaluation.figures["accuracy"].value >= 0.9
    assert trained.sizes == {"train": 36, "validation": 12, "test": 12}


def test_the_file_says_of_the_test_pictures_what_the_report_says(made):
    data, trained = made
    again = evaluate_file(trained.path, data).evaluation
    assert again.values() == pytest.approx(trained.evaluation.values(), abs=1e-4)
    assert (again.table == trained.evaluation.table).all()


def test_the_file_is_a_valid_onnx_model_with_everything_about_itself(made):
    data, trained = made
    model = onnx.load(trained.path)
    onnx.checker.check_model(model, full_check=True)
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["surveil.labels"]) == ["cross", "disc"]
    assert about["surveil.dataset"] == data.sha256
    assert CropPreprocess.from_json(about["surveil.preprocess"]) == CropPreprocess(size=96)
    assert [o.name for o in model.graph.output] == ["logits", "probabilities"]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("positive", "dusk", "do not go with 'dusk'"),
        ("labels", '["disc", "disc"]', "do not go with"),
        ("labels", '["cross", "disc", "dusk"]', "names 3 classes, and its network tells 2 apart"),
        ("threshold", "nan", "is no probability"),
        ("threshold", "7.5", "is no probability"),
        ("quantiles", "[]", "scores of its validation are missing"),
        ("quantiles", "[0, NaN]", "scores of its validation are missing"),
    ],
)
def test_a_file_that_could_not_run_is_not_loaded(made, tmp_path, key, value, why):
    model = onnx.load(made[1].path)
    next(entry for entry in model.metadata_props if entry.key == f"surveil.{key}").value = value
    onnx.save(model, tmp_path / "shapes.onnx")
    with pytest.raises(DamagedModel, match=why):
        Classifier(tmp_path / "shapes.onnx")


def test_training_twice_gives_the_same_file(made, tmp_path):
    data, trained = made
    again = train(data, tmp_path / trained.path.name, replace(FAST))
    assert again.path.read_bytes() == trained.path.read_bytes()


def test_a_training_that_ends_while_it_is_judged_leaves_what_was_there(made, tmp_path):
    data = dataset.load(fill(tmp_path / "set", 30))
    target = tmp_path / "shapes.onnx"
    target.write_bytes(b"of the training before")

    def spoil(doing, share):
        if (doing, share) == ("fitting", 1.0):
            for item in data.items:
                (data.folder / item.path).write_bytes(b"another picture")

    with pytest.raises(ConfigError, match="changed while it was read"):
        train(data, target, replace(FAST, beside=made[1].path), spoil)
    assert target.read_bytes() == b"of the training before"


def test_probabilities_are_those_of_the_head_on_the_networks_features(made):
    _, trained = made
    found = Classifier(trained.path).probabilities(
        [draw("disc", 100)[:, :, ::-1], draw("cross", 100, 200)[:, :, ::-1]]
    )
    assert found.shape == (2, 2)
    assert found.sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert found.argmax(1).tolist() == [1, 0]


def test_the_report_is_json_text_and_a_page_that_needs_no_other_file(made, tmp_path):
    data, trained = made
    compared = replace(trained, beside=trained.evaluation)
    document = json.loads(to_json(compared))
    assert document["evaluation"]["figures"]["accuracy"]["value"] == pytest.approx(
        trained.evaluation.values()["accuracy"], abs=1e-4
    )
    page = write_report(trained, data, tmp_path / "report").read_text()
    assert page == to_html(trained, data)
    assert "src='http" not in page
    assert any(line.startswith("accuracy") and "deployed" in line for line in lines(compared))


@pytest.mark.parametrize("bins", [[(0.99, 1.0, 40)], [(0.97, 0.5, 2), (0.6, 0.5, 8)]])
def test_every_bin_of_the_calibration_is_seen_even_a_single_one(made, bins):
    data, trained = made
    page = to_html(replace(trained, evaluation=replace(trained.evaluation, bins=bins)), data)
    for sure, right, pictures in bins:
        assert f"<circle cx={sure:.4f} cy={1 - right:.4f} " in page
        assert f"<title>{pictures} pictures: confidence {sure:.1%}, accuracy {right:.1%}</title>" in page
        assert f" font-size=.04>{pictures}</text>" in page
        assert f"<td>{sure:.1%}<td>{right:.1%}<td>{pictures}</tr>" in page
    assert f"{len(bins)} of 10 bins have pictures" in page
    assert ("one bin says little about calibration" in page) == (len(bins) == 1)
    assert not re.search(r"points='[^ ']*'", page), "a line of one point shows nothing"


def test_confidence_is_told_beside_accuracy_and_one_bin_is_no_calibration(made):
    data, trained = made
    names = list(trained.evaluation.figures)
    assert names[names.index("accuracy") + 1] == "confidence"
    sure = sum(c * n for c, _, n in trained.evaluation.bins) / trained.evaluation.pictures
    assert trained.evaluation.figures["confidence"].value == pytest.approx(sure)
    bins = json.loads(to_json(trained))["evaluation"]["calibration"]
    assert sum(one["pictures"] for one in bins) == trained.evaluation.pictures
    items, one = (*data.items[:2], *data.items[-2:]), np.array([[0.96, 0.04]] * 4)
    found = judge("m", trained.card.labels, one, items, np.arange(4), "disc", 0.5)
    assert few_bins(found) == (
        "all scores lie in one of 10 bins of confidence: the calibration error says little",
    )
    assert few_bins(replace(found, bins=[(0.9, 1.0, 2), (0.6, 0.5, 2)])) == ()


def test_a_gate_on_the_figures_holds_or_names_what_fails(made):
    _, trained = made
    values = trained.evaluation.values()
    assert failures(parse_gate("accuracy>=0.5,false_alarms<=1"), values) == []
    assert len(failures(parse_gate("accuracy>1"), values)) == 1


def test_it_warns_when_the_data_cannot_carry_the_claim(made):
    _, trained = made
    text = "\n".join(trained.warnings)
    assert "12 test pictures: one picture more or less changes accuracy by 8.3%" in text
    assert "when the pictures were taken is not known" in text


def test_uneven_classes_are_learned_all_the_same_and_warned_of(tmp_path):
    fill(tmp_path / "set", 60, labels=("cross",))
    data = dataset.load(fill(tmp_path / "set", 6, labels=("disc",)))
    trained = train(data, tmp_path / "uneven.onnx", FAST)
    assert any("classes are uneven, 60 to 6" in w for w in trained.warnings)
    assert trained.evaluation.per_class["disc"].recall.value >= 0.5


@pytest.mark.timeout(300)
def test_one_to_a_hundred_is_learned_and_warned_of(tmp_path):
    fill(tmp_path / "set", 500, labels=("cross",), size=32)
    data = dataset.load(fill(tmp_path / "set", 5, labels=("disc",), size=32))
    trained = train(
        data, tmp_path / "rare.onnx", replace(FAST, variations=0, preprocess=CropPreprocess(size=32))
    )
    assert any("classes are uneven, 500 to 5" in w for w in trained.warnings)
    assert any("class 'disc' has 5 pictures" in w for w in trained.warnings)


def test_one_class_or_three_pictures_are_refused(tmp_path):
    data = dataset.load(fill(tmp_path / "one", 9, labels=("disc",)))
    with pytest.raises(ConfigError, match="one class only, 'disc'"):
        train(data, tmp_path / "x.onnx", FAST)
    data = dataset.load(fill(tmp_path / "few", 3))
    with pytest.raises(ConfigError, match="class 'cross' has 3 pictures; at least 5 are needed"):
        train(data, tmp_path / "x.onnx", FAST)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(made, tmp_path):
    data, _ = made
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StateError, match="cannot be written"):
        train(data, blocked / "x.onnx", replace(FAST, variations=0))
    assert list(tmp_path.iterdir()) == [blocked]


def test_a_disk_that_is_full_in_mid_writing_leaves_nothing_behind(made, tmp_path):
    data, _ = made
    with no_room(), pytest.raises(StateError, match=r"x\.onnx: cannot be written"):
        train(data, tmp_path / "x.onnx", replace(FAST, variations=0))
    assert list(tmp_path.iterdir()) == []


def test_other_pre_processing_is_stored_used_and_its_worth_told(made, tmp_path):
    data, _ = made
    chosen = CropPreprocess(size=96, placement="stretch", clahe=2.0, denoise=10.0)
    trained = train(data, tmp_path / "clahe.onnx", replace(FAST, preprocess=chosen, variations=0))
    assert Classifier(trained.path).card.preprocess == chosen
    assert trained.worth is not None
    assert "Effect of the pre-processing" in to_html(trained, data)


def test_any_other_onnx_file_is_no_classifier():
    with pytest.raises(ModelError, match="is not a classifier written by `surveil train`"):
        Classifier(backbone_path())


def test_the_graph_is_read_as_the_onnx_package_reads_it():
    raw = backbone_path().read_bytes()
    model = onnx.load_from_string(raw)
    assert [(n.kind, n.inputs, n.outputs) for n in nodes(raw)] == [
        (n.op_type, tuple(n.input), tuple(n.output)) for n in model.graph.node
    ]
    for mine, theirs in zip(nodes(raw), model.graph.node, strict=True):
        for attribute in theirs.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            assert mine.attributes[attribute.name] == (tuple(value) if isinstance(value, list) else (value,))
    found = weights(raw)
    for tensor in model.graph.initializer:
        assert np.array_equal(found[tensor.name], onnx.numpy_helper.to_array(tensor))


def test_weights_that_are_put_back_are_the_only_difference():
    raw = backbone_path().read_bytes()
    name = "stem.bias"
    changed = with_weights(raw, {name: weights(raw)[name] + 1})
    before, after = weights(raw), weights(changed)
    assert [n for n in before if not np.array_equal(before[n], after[n])] == [name]
    onnx.checker.check_model(onnx.load_from_string(changed))


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="is not an ONNX model"):
        classifier(b"\x12\x34", Head(np.zeros((2, 1392)), np.zeros(2)), {})


def test_class_weights_make_every_class_count_the_same():
    labels = np.array([0] * 90 + [1] * 10)
    found = class_weights(labels, 2)
    assert found[labels == 0].sum() == pytest.approx(found[labels == 1].sum())
    assert found.mean() == pytest.approx(1.0)


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    truth = (rng.random(4000) < 1 / (1 + np.exp(-x))).astype(np.int64)
    logits = np.stack([np.zeros(4000), x], 1) * 5
    assert temperature(logits, truth) == pytest.approx(5.0, rel=0.1)


def test_a_separable_problem_is_separated():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    x = (np.eye(3)[labels] * 4 + rng.normal(0, 0.3, (300, 3))).astype(np.float32)
    assert (fit(x, labels, 3, 1e-3).logits(x).argmax(1) == labels).all()


def test_figures_of_a_known_confusion():
    truth, predicted = np.array([0] * 6 + [1] * 4), np.array([0] * 5 + [1] + [1] * 3 + [0])
    table = confusion(truth, predicted, 2)
    assert table.tolist() == [[5, 1], [1, 3]]
    assert precision_recall_f1(table)[1] == pytest.approx([0.75, 0.75, 0.75])
    scores = np.array([[0.8, 0.2]] * 10)
    assert calibration_error(scores, truth) == pytest.approx(0.2)


def test_figures_of_each_class_and_camera_have_intervals_over_what_was_split_together():
    items = [
        Item(path=f"{k}.png", sha256=f"{k}", label="ab"[k % 2], camera="north" if k < 40 else "south")
        for k in range(80)
    ]
    units, truth = np.arange(80) // 2, np.arange(80) % 2
    said = np.where(np.arange(80) % 8 == 1, 0, truth)
    scores = np.eye(2)[said] * 0.8 + 0.1
    found = judge("m", ("a", "b"), scores, items, units, "b", 0.5)
    of = found.per_class["b"]
    assert (of.recall.value, of.precision.value, of.pictures) == (0.75, 1.0, 40)
    assert 0.5 < of.recall.low < 0.75 < of.recall.high < 1
    assert (of.precision.low, of.precision.high) == (1.0, 1.0)
    assert (found.at_recall.low, found.at_recall.high) == pytest.approx(
        (of.recall.low, of.recall.high), abs=0.05
    )
    assert found.at_false_alarms == Estimate(0.0, 0.0, 0.0)
    north = found.per_camera["north"]
    assert (north.accuracy.value, north.pictures) == (0.875, 40)
    assert (
        north.accuracy.high - north.accuracy.low
        > found.figures["accuracy"].high - found.figures["accuracy"].low
    )
    assert set(found.values()) == set(FIGURES)
    alone = judge("m", ("a", "b"), scores, items, np.zeros(80, int), "b", 0.5)
    assert np.isnan(alone.per_class["b"].recall.low)


def test_the_threshold_keeps_the_budget_or_weighs_the_costs():
    scores = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
    positive = np.array([False] * 4 + [True] * 4)
    assert operating(scores, positive, choose_threshold(scores, positive, Wanted(0.0))).recall == 0.75
    assert operating(scores, positive, choose_threshold(scores, positive, Wanted(0.25))).recall == 1.0
    dear = choose_threshold(scores, positive, Wanted(miss_cost=10))
    assert operating(scores, positive, dear).recall == 1.0


@pytest.mark.parametrize("budget", [0.0, 0.01, 0.095, 0.1])
def test_no_recall_is_bought_beyond_the_budget(budget):
    scores = np.concatenate([[0.95], np.full(4, 0.5), np.linspace(0.55, 0.9, 10), np.full(90, 0.1)])
    positive = np.arange(105) < 5
    found = operating(scores, positive, choose_threshold(scores, positive, Wanted(budget)))
    assert (found.false_alarms <= budget, found.recall) == (True, 1.0 if budget == 0.1 else 0.2)


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(0.0), Wanted(0.2), Wanted(miss_cost=10)])
def test_a_threshold_is_within_reach_of_scores_that_saturate(wanted):
    scores = np.array([0.0, 0.0, 1e-9, 0.1, 0.9, 1 - 1e-9, 1.0, 1.0, 1.0])
    positive = np.array([False] * 4 + [True] * 5)
    found = choose_threshold(scores, positive, wanted)
    assert found == pytest.approx(0.5)
    assert operating(scores, positive, found).recall == 1.0


def test_where_several_thresholds_serve_as_well_the_widest_gap_has_it():
    scores = np.array([0.1, 0.15, 0.25, 0.7, 0.75, 0.8, 1.0])
    positive = np.array([False, False, True, False, True, True, True])
    # Each of 0.2 and 0.725 is one mistake.
    assert choose_threshold(scores, positive, Wanted()) == pytest.approx(0.2)
    # Each of 0.475 and 0.725 finds three of four within the budget.
    positive = np.array([False, True, False, False, True, True, True])
    assert choose_threshold(scores, positive, Wanted(0.4)) == pytest.approx(0.475)
    assert choose_threshold(scores, positive, Wanted(0.7)) == pytest.approx(0.125)


def test_where_no_threshold_keeps_the_budget_the_fewest_false_alarms_have_it():
    scores = np.array([0.1, 0.3, 1.0, 0.2, 1.0])
    positive = np.array([False, False, False, True, True])
    assert choose_threshold(scores, positive, Wanted(0.0)) == pytest.approx(0.65)
    assert choose_threshold(np.ones(4), np.array([True, True, False, False]), Wanted(0.0)) == 1.0


@pytest.fixture(scope="module")
def others(made, tmp_path_factory):
    """Files of further versions: the same but for a word in their description."""
    folder, raw = tmp_path_factory.mktemp("versions"), made[1].path.read_bytes()
    files = [folder / f"{k}.onnx" for k in range(8)]
    for k, file in enumerate(files):
        file.write_bytes(raw.replace(b"surveil.how\x12\x04head", f"surveil.how\x12\x04hea{k}".encode()))
    return files


def test_versions_are_deployed_shadowed_promoted_and_rolled_back(others, tmp_path):
    store = ClassifierStore(tmp_path, "shapes")
    assert store.path() is None
    store.deploy(others[0])
    store.deploy(others[1], shadow=True)
    assert (store.path().name, store.path("shadow").name) == ("0001.onnx", "0002.onnx")
    store.deploy(others[1])
    assert (store.path().name, store.path("shadow")) == ("0002.onnx", None)
    assert store.rollback() == "0001.onnx"
    with pytest.raises(StateError, match="to roll back to"):
        store.rollback()


def test_deploying_what_runs_in_the_shadow_puts_that_version_into_use(others, tmp_path):
    store = ClassifierStore(tmp_path, "shapes")
    store.deploy(others[0])
    store.deploy(others[1], shadow=True)
    store.deploy(others[1])
    assert (store.path().name, store.path("shadow")) == ("0002.onnx", None)
    assert store.versions() == ["0001.onnx", "0002.onnx"]


def test_a_shadow_can_be_withdrawn(others, tmp_path):
    store = ClassifierStore(tmp_path, "shapes")
    store.deploy(others[0], shadow=True)
    store.withdraw()
    assert store.path("shadow") is None
    with pytest.raises(StateError, match="no classifier runs in shadow mode"):
        store.withdraw()


def test_old_versions_are_removed_but_never_the_one_in_use(others, tmp_path):
    store = ClassifierStore(tmp_path, "shapes")
    for k, file in enumerate(others):
        store.deploy(file, shadow=k > 0)
    assert store.versions() == ["0001.onnx", "0004.onnx", "0005.onnx", "0006.onnx", "0007.onnx", "0008.onnx"]


def test_the_fingerprint_of_a_training_is_of_what_decides_it(tmp_path):
    fill(tmp_path, 6, camera="north")
    fill(tmp_path, 6, seeds=50, camera="south")
    data = dataset.load(tmp_path)
    base = Options()

    def of(**changes):
        options = replace(base, **changes)
        return digest(prepare(data, options), options)

    same = [of(), of(threads=1), of(wanted=Wanted(0.1)), of(positive="disc"), of(beside=tmp_path)]
    assert len(set(same)) == 1
    changed = [
        of(classes=("disc", "cross")), of(preprocess=CropPreprocess(64)), of(variations=1), of(flip=False), of(seed=1),
        of(test_cameras=frozenset({"south"})),
    ]  # fmt: skip
    assert len({*changed, same[0]}) == 7


def test_a_damaged_classifier_is_replaced_and_passed_over(others, tmp_path):
    store = ClassifierStore(tmp_path, "shapes")
    store.deploy(others[0])
    store.deploy(others[1])
    for name in ("0001.onnx", "0002.onnx"):
        (store.folder / name).write_bytes((store.folder / name).read_bytes()[:1000])
    assert "0002.onnx" in store.damage()
    with pytest.raises(StateError, match=r"to roll back to \(.*0001\.onnx"):
        store.rollback()
    store.deploy(others[2])
    store.deploy(others[3])
    assert (store.path().name, store.damage()) == ("0004.onnx", "")
    (store.folder / "0003.onnx").write_bytes(b"")
    (store.folder / "0001.onnx").write_bytes(others[0].read_bytes())
    assert store.rollback() == "0001.onnx"
    (store.folder / "current").write_text("nonsense")
    store.deploy(others[1])
    assert store.path().name == "0005.onnx"


def test_what_is_no_classifier_is_not_deployed(tmp_path):
    store = ClassifierStore(tmp_path, "x")
    with pytest.raises(ModelError):
        store.deploy(backbone_path())
    assert store.versions() == []


def test_a_classifier_is_judged_on_pictures_that_it_has_not_learned_from(made, tmp_path):
    data, trained = made
    judged = evaluate_file(trained.path, data)
    assert judged.sizes == {"trained on or alike": 48, "judged": 12}
    for k in range(8):
        for label in ("cross", "disc"):
            dataset.add(tmp_path, draw(label, 500 + k), label)
    known = next(item for item in data.items if item.sha256[:12] in trained.card.seen)
    (tmp_path / known.path).write_bytes((data.folder / known.path).read_bytes())
    dataset.append(tmp_path, known)
    # The same, darker: not learned from itself, but alike.
    darker = (data.read(known)[:, :, ::-1] * 0.8).astype(np.uint8)
    dataset.add(tmp_path, np.ascontiguousarray(darker), known.label)
    sizes = evaluate_file(trained.path, dataset.load(tmp_path)).sizes
    assert sizes == {"trained on or alike": 2, "judged": 16}


def test_pictures_that_were_all_learned_from_say_nothing(made, tmp_path):
    data, trained = made
    for item in data.items:
        if item.sha256[:12] in trained.card.seen:
            path = tmp_path / item.path
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((data.folder / item.path).read_bytes())
    with pytest.raises(ConfigError, match="was trained on all but 0 pictures"):
        evaluate_file(trained.path, dataset.load(tmp_path))


def test_the_deployed_classifier_is_judged_beside_and_a_head_start_is_told(made, tmp_path):
    data, trained = made
    fair = train(data, tmp_path / "fair.onnx", replace(FAST, variations=0, beside=trained.path))
    assert fair.beside.values() == pytest.approx(trained.evaluation.values(), abs=1e-4)
    unfair = train(data, tmp_path / "unfair.onnx", replace(FAST, variations=0, beside=trained.path, seed=1))
    assert any("was trained on" in warning for warning in unfair.warnings)
