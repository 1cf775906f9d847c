"""A classifier that does not hold on its test pictures is not recommended, and that is said first."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from surveil.cli.root import app
from surveil.features.classify.classifier import read_card
from surveil.offline.classify import dataset
from surveil.offline.classify.evaluation import judge
from surveil.offline.classify.measures import Wanted, operating
from surveil.offline.classify.objections import objections, promises
from surveil.offline.classify.outcome import evaluate_file
from surveil.offline.classify.report import to_html, to_json
from tests.commands import surveil
from tests.integration.world import config_text
from tests.train.pictures import draw, fill

QUICK = ("--variations", 0, "--size", 32, "--threads", 1)
pytestmark = pytest.mark.timeout(300)


def two(others, positives):
    """Scores of pictures that are not of the second class, then of those that are."""
    second = np.array([*others, *positives])
    return np.stack([1 - second, second], 1), np.array([0] * len(others) + [1] * len(positives))


def said(others, positives, promised, at=0.5):
    return objections(("full", "empty"), *two(others, positives), ("empty", at), promised)


GOOD = {"false_alarms": 0.02, "missed": 0.02}


def test_a_threshold_that_holds_raises_no_objection():
    assert said([0.1] * 98 + [0.9] * 2, [0.9] * 98 + [0.1] * 2, GOOD) == ()


@pytest.mark.parametrize("wrong", [8, 50, 89])
def test_many_times_the_false_alarms_that_were_promised_are_an_objection(wrong):
    (why,) = said([0.9] * wrong + [0.1] * (100 - wrong), [0.9] * 100, GOOD)
    assert why == (
        f"{wrong}% of the 100 pictures that are not 'empty' raise a false alarm; the threshold promised at most 2.0%"
    )


def test_many_times_the_misses_that_were_promised_are_an_objection():
    (why,) = said([0.1] * 100, [0.9] * 70 + [0.1] * 30, GOOD)
    assert why == "30% of the 100 pictures that are 'empty' are missed; the threshold promised at most 2.0%"


def test_a_false_alarm_or_two_of_few_pictures_may_be_chance():
    assert said([0.9, 0.1, 0.1, 0.1, 0.1, 0.1], [0.9] * 6, GOOD) == ()


def test_where_nothing_was_promised_more_than_half_of_false_alarms_are_one():
    assert "89% of the 100 pictures" in said([0.9] * 89 + [0.1] * 11, [0.9] * 100, {})[0]
    assert said([0.9] * 40 + [0.1] * 60, [0.9] * 100, {}) == ()


def test_scores_that_lie_within_a_tenth_are_no_classifier():
    (why,) = said([0.48] * 50, [0.52] * 50, GOOD)
    assert "the scores of 'empty' lie within 0.04 of each other" in why
    assert "are lower for pictures of that class" in said([0.9] * 50, [0.1] * 50, {})[-1]


def test_a_rare_class_that_is_found_is_a_classifier():
    assert said([0.01] * 500, [0.9] * 5, GOOD) == ()


def test_each_of_several_classes_must_be_told():
    scores = np.array([[0.1, 0.45, 0.45]] * 20 + [[0.1, 0.43, 0.47]] * 20 + [[0.9, 0.05, 0.05]] * 20)
    truth = np.repeat([1, 2, 0], 20)
    found = objections(("a", "b", "c"), scores, truth, ("a", 0.5), {})
    assert found == ()
    same = np.array([[0.1, 0.45, 0.45]] * 60)
    found = objections(("a", "b", "c"), same, truth, ("a", 0.5), {})
    assert [why.split("'")[1] for why in found] == ["a", "b", "c"]


def test_a_budget_is_the_promise_and_no_mistake_among_few_promises_little():
    positive = np.array([False] * 4 + [True] * 3)
    found = operating(np.array([0.1] * 4 + [0.9] * 3), positive, 0.5)
    assert promises(found, positive, Wanted()) == {"false_alarms": 0.2, "missed": 0.25}
    assert promises(found, positive, Wanted(0.01))["false_alarms"] == 0.01
    assert promises(found, positive, Wanted(0.0))["false_alarms"] == 0.2


@pytest.fixture(scope="module")
def drifted(tmp_path_factory):
    """Pictures of forty days; from the 33rd on, which the test is of, what is called a cross looks like a disc."""
    folder = tmp_path_factory.mktemp("drifted") / "shapes"
    for day in range(40):
        about = {"camera": "yard", "t_wall": 1e9 + 86_400.0 * day}
        dataset.add(folder, draw("disc" if day >= 32 else "cross", 1000 + day), "cross", **about)
        dataset.add(folder, draw("disc", day), "disc", **about)
    return folder


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    rule = {"type": "classified", "model": "shapes", "class": "disc", "on": "frame"}
    path.write_text(config_text(str(tmp_path / "frames"), tmp_path / "state", rules=[rule], fps=10))
    return path


def test_training_says_first_that_the_threshold_does_not_hold(tmp_path, config, drifted):
    at = ("-c", config)
    code, text = surveil("train", drifted, "--name", "shapes", *QUICK, *at)
    first, last = text.splitlines()[0], text.splitlines()[-1]
    assert code == 0
    assert first.startswith("not recommended: ")
    assert "of the 8 pictures that are not 'disc' raise a false alarm; the threshold promised" in first
    assert last.startswith("Do not deploy it.")
    card = read_card(tmp_path / "state" / "classifiers" / "shapes" / "trained" / "shapes.onnx")
    assert first == f"not recommended: {card.objections[0]}"
    (listed,) = json.loads(surveil("models", "classifiers", "--json", *at)[1])
    assert listed["objections"] == list(card.objections)
    assert surveil("models", "deploy", "shapes", *at)[0] == 0
    data = dataset.load(drifted)
    judged = evaluate_file(tmp_path / "state" / "classifiers" / "shapes" / "0001.onnx", data)
    assert judged.evaluation.objections == card.objections
    document = json.loads(to_json(judged))
    assert (document["recommended"], document["objections"]) == (False, list(card.objections))
    page = to_html(judged, data)
    assert page.index("<b>Not recommended</b>: ") < page.index("<p class=warn>class ")


def test_a_classifier_that_is_not_recommended_is_deployed_with_the_reason_first(config, drifted):
    at = ("-c", str(config))
    surveil("train", drifted, "--name", "shapes", *QUICK, *at)
    done = CliRunner().invoke(app, ["models", "deploy", "shapes", *at], catch_exceptions=False)
    lines = done.output.splitlines()
    assert lines[0].startswith("warning not recommended: ")
    assert lines[-1] == "shapes: version 0001 is in use"
    assert not any("no classifier 'shapes' is deployed" in line for line in lines)


def test_nothing_is_said_of_the_classifier_that_is_being_trained_or_deployed(tmp_path, config):
    data = fill(tmp_path / "shapes", 16)
    done = CliRunner().invoke(app, [str(w) for w in ("train", data, *QUICK, "-c", config)])
    assert "is deployed, the rule is inactive" not in done.output
    assert "surveil models deploy shapes" in done.output
    other = CliRunner().invoke(app, [str(w) for w in ("train", data, *QUICK, "--name", "x", "-c", config)])
    assert "no classifier 'shapes' is deployed, the rule is inactive" in other.output


def test_pictures_without_the_positive_class_are_judged_without_its_recall():
    scores = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
    items = [dataset.Item(path=f"{k}", sha256=f"{k}", label=label) for k, label in enumerate("aba")]
    found = judge("m", ("a", "b", "c"), scores, items, np.arange(3), "c", 0.5, GOOD)
    assert np.isnan(found.at_recall.value)
    assert found.objections == ()
