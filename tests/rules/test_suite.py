"""Files of labels: what is read, and every mistake with its place."""

import json

import pytest
import yaml

from surveil.errors import ConfigError
from surveil.offline.normality.gate import failures, read_gate
from surveil.offline.rules.suite import is_suite, load_suites

FILM = {"path": "a.mp4", "events": [{"rule": "intrusion", "start": 1, "end": 2}]}
SUITE = {"camera": {"rules": [{"type": "presence"}]}, "films": [FILM]}


def mistakes(tmp_path, **changed):
    path = tmp_path / "gate.yaml"
    path.write_text(yaml.safe_dump(SUITE | changed))
    with pytest.raises(ConfigError) as caught:
        load_suites(path)
    return [message.removeprefix(f"{path}: ") for message in caught.value.messages]


def test_yaml_and_json_are_read_and_named_after_their_file(tmp_path):
    (tmp_path / "gate.yaml").write_text(yaml.safe_dump(SUITE))
    (tmp_path / "yard.json").write_text(json.dumps(SUITE | {"name": "the yard", "within_s": 5}))
    (tmp_path / "notes.yaml").write_text("name: no suite\n")
    assert is_suite(tmp_path)
    found = load_suites(tmp_path)
    assert [(path.name, suite.name) for path, suite in found] == [
        ("gate.yaml", "gate"),
        ("yard.json", "the yard"),
    ]
    assert [suite.within_s for _, suite in found] == [10, 5]


def test_data_sets_of_the_other_evaluations_are_no_suites(tmp_path):
    (tmp_path / "ped2.yaml").write_text("normal: [a]\nclips: []\n")
    (tmp_path / "manifest.jsonl").write_text("{}\n")
    assert not is_suite(tmp_path)
    assert not is_suite(tmp_path / "ped2.yaml")
    assert not is_suite(tmp_path / "manifest.jsonl")


def event(**changed):
    return {"films": [{"path": "a.mp4", "events": [{"rule": "intrusion", "start": 5, **changed}]}]}


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"films": []}, "films", "there is no film"),
        ({"film": []}, "film", "unknown key"),
        ({"camera": None}, "camera", "settings"),
        ({"within_s": 0}, "within_s", "greater than 0"),
        (event(end=5), "films[0].events[0]", "does not come after the start"),
        (event(start=-1), "films[0].events[0].start", "greater than or equal to 0"),
        (event(start=float("nan")), "films[0].events[0].start", "less than or equal to"),
        (event(unclear=True), "films[0].events[0]", "needs an `end`"),
        (event(conditions=["By night"]), "films[0].events[0].conditions[0]", "pattern"),
        (event(rule=None), "films[0].events[0].rule", "string"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, changed, place, words):
    (message,) = mistakes(tmp_path, **changed)
    assert message.startswith(f"{place}: ")
    assert words in message


def test_every_mistake_of_every_file_is_told_at_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(SUITE | {"within_s": -1, "more": 1}))
    with pytest.raises(ConfigError) as caught:
        load_suites(tmp_path)
    assert len(caught.value.messages) == 4


def test_what_is_no_yaml_is_named(tmp_path):
    path = tmp_path / "gate.yaml"
    path.write_text("films: [")
    with pytest.raises(ConfigError, match="not YAML"):
        load_suites(path)


def test_a_gate_is_a_file_or_the_conditions_themselves(tmp_path):
    path = tmp_path / "bars.txt"
    path.write_text("# nightly\nrecall>=0.9, night.recall>=0.5\n\nfalse_per_hour<=1  # by day\n")
    figures = {"recall": 0.95, "night.recall": 0.4, "false_per_hour": 2.0}
    assert failures(read_gate(str(path)), figures) == [
        "night.recall>=0.5 fails: 0.4",
        "false_per_hour<=1 fails: 2",
    ]
    assert failures(read_gate("recall>=0.9"), figures) == []
    assert read_gate("") == ()
    with pytest.raises(ConfigError, match="is not a condition"):
        read_gate(str(tmp_path / "missing.txt"))
