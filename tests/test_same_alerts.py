"""The comparison of two builds says what differs, and nothing of what it is told to overlook."""

import json

import pytest

from benchmarks.same_alerts import Build, compare

MAPPING = {"left_out": ["text"], "renamed": {"demerits": "failures"}, "moved": {}}
ALERT = {
    "id": "a1",
    "t": 2.0,
    "box": [1.0, 2.0, 3.0, 4.0],
    "text": "person in yard",
    "details": {"demerits": 1},
}


@pytest.fixture
def folders(tmp_path):
    def made(before, after):
        for name, alerts in (("before", before), ("after", after)):
            (tmp_path / name).mkdir()
            lines = "".join(json.dumps(alert) + "\n" for alert in alerts)
            (tmp_path / name / "yard.alerts.jsonl").write_text(lines)
        return tmp_path / "before", tmp_path / "after"

    return made


def test_other_words_other_names_and_another_order_of_keys_are_the_same(folders):
    other = {
        "details": {"failures": 1},
        "text": "a person is in the yard",
        **{k: ALERT[k] for k in ("box", "t", "id")},
    }
    assert compare(*folders([ALERT], [other]), MAPPING)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "a2"},
        {"t": 2.0001},
        {"box": [1.0, 2.0, 3.0, 4.1]},
        {"details": {"demerits": 2}},
        {"more": None},
    ],
    ids=str,
)
def test_any_other_difference_is_told_with_its_file(folders, capsys, change):
    assert not compare(*folders([ALERT], [{**ALERT, **change}]), MAPPING)
    assert "yard.alerts.jsonl" in capsys.readouterr().out


def test_an_alert_or_a_file_that_one_build_lacks_is_a_difference(folders, tmp_path):
    before, after = folders([ALERT, ALERT], [ALERT])
    assert not compare(before, after, MAPPING)
    (before / "yard.alerts.jsonl").unlink()
    assert not compare(before, after, MAPPING)


def test_nothing_to_compare_is_not_the_same(tmp_path):
    assert not compare(tmp_path, tmp_path, MAPPING)


@pytest.mark.rig
def test_each_build_runs_its_own_code_wherever_the_comparison_is_started(tmp_path):
    """The current directory of this test is a source folder, too."""
    (tmp_path / "surveil").mkdir()
    (tmp_path / "surveil" / "__init__.py").touch()
    (tmp_path / "surveil" / "__main__.py").write_text("print('this build')")
    assert Build(source=tmp_path, moved={}).surveil() == "this build\n"
