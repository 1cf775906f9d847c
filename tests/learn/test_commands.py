"""`surveil normality …` and `surveil evaluate` by the commands alone."""

import csv
import json
import time

import pytest
import yaml

from surveil.cli.bars import bar
from surveil.clock import ManualClock
from surveil.errors import ConfigError, StateError
from surveil.features.normality.modelfile import load, save
from surveil.features.normality.store import NormalityStore
from tests.commands import refused, surveil
from tests.integration.world import config_text
from tests.learn.footage import dataset, folder
from tests.normality.drawn import model


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    normality = {"enabled": True, "equalise": True, "half_life_days": 7}
    path.write_text(config_text(str(tmp_path / "frames"), tmp_path / "state", normality=normality))
    return path


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    path = tmp_path_factory.mktemp("footage")
    return folder(path / "walk", 12)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    path = tmp_path_factory.mktemp("held-out")
    folder(path / "run", 6, 200, runs=(2, 4))
    return dataset(path, fps=10, clips=[{"path": "run", "labels": {"seconds": [[2, 4]]}}])


def test_what_was_learned_is_written_judged_and_deployed(tmp_path, config, footage, held_out):
    at, new = ("-c", config), tmp_path / "new.npz"
    assert "--output" in refused(ConfigError, "normality", "learn", "yard", footage, "--no-deploy", *at)
    code, _ = surveil("normality", "learn", "yard", footage, "--no-deploy", "--output", new, *at)
    store = NormalityStore(tmp_path / "state", "yard")
    assert (code, store.current()) == (0, None)
    assert load(new, "yard").model.geometry.equalise
    assert surveil("normality", "evaluate", "yard", held_out, "--model", new, *at)[0] == 0
    assert surveil("normality", "deploy", "yard", new, *at)[0] == 0
    assert store.load().sha256 == load(new).sha256
    code, text = surveil("normality", "show", "yard", *at)
    assert "state by its footage: learning" in text
    assert "provisional" not in text


def test_another_budget_needs_no_new_learning(tmp_path, footage, held_out):
    whole = {**yaml.safe_load(held_out.read_text()), "normal": [str(footage)]}
    path = dataset(
        held_out.parent / "..",
        **whole | {"clips": [{**whole["clips"][0], "path": str(held_out.parent / "run")}]},
    )
    kept, scores = tmp_path / "kept.npz", tmp_path / "scores.csv"
    code, first = surveil("evaluate", path, "--output", kept, "--scores", scores)
    assert code == 0
    rows = list(csv.DictReader(scores.read_text().splitlines()))
    assert len(rows) == 60
    assert [row["abnormal"] for row in rows].count("1") == 21
    assert rows[0]["score"] == ""
    assert float(rows[-1]["score"]) >= 0
    code, second = surveil("evaluate", path, "--model", kept, "--budget", 9000)
    assert code == 0
    assert load(kept).name in first
    assert load(kept).name in second
    assert "--output" in refused(ConfigError, "evaluate", path, "--model", kept, "--output", kept)
    nowhere = tmp_path / "none" / "s.csv"
    assert "cannot be written" in refused(StateError, "evaluate", path, "--model", kept, "--scores", nowhere)


def test_without_a_terminal_a_line_says_now_and_then_how_far_it_is(capsys, monkeypatch):
    monkeypatch.delenv("NO_PROGRESS", raising=False)
    clock = ManualClock()
    with bar(clock) as progress:
        for i in range(30):
            progress("learning", i / 30)
            clock.advance(1.0)
    assert capsys.readouterr().err.splitlines() == ["learning: 33%", "learning: 67%"]


def test_for_a_program_progress_is_an_object_a_line(capsys, monkeypatch):
    """At each new step, and twice a second."""
    monkeypatch.delenv("NO_PROGRESS", raising=False)
    clock = ManualClock()
    with bar(clock, as_json=True) as progress:
        for i in range(4):
            progress("reading", i / 4)
            clock.advance(0.3)
        progress("fitting", 0.0)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["doing"], one["share"]) for one in told] == [
        ("reading", 0),
        ("reading", 0.5),
        ("fitting", 0),
    ]


def test_footage_without_times_is_of_today(tmp_path, config, footage):
    """Else the model is too old to alert on the day it was learned."""
    surveil("normality", "learn", "yard", footage, "-c", config)
    seen = NormalityStore(tmp_path / "state", "yard").load().model.seen
    assert seen.last_wall == pytest.approx(time.time(), abs=120)


def test_a_model_that_cannot_be_written_is_told(tmp_path, config, footage):
    nowhere = tmp_path / "nowhere" / "new.npz"
    said = refused(StateError, "normality", "learn", "yard", footage, "--output", nowhere, "-c", config)
    assert "cannot be written: No such file or directory" in said


def test_numbers_that_json_does_not_know_are_null(tmp_path, config):
    NormalityStore(tmp_path / "state", "yard").deploy(model().model)
    code, text = surveil("normality", "show", "yard", "--budget", 0, "--json", "-c", config)
    assert code == 0
    assert json.loads(text, parse_constant=pytest.fail)["threshold"]["value"] is None


def test_wrong_gates_and_reports_that_cannot_be_written_are_told(tmp_path, footage, held_out):
    save(model().model, tmp_path / "m.npz")
    said = refused(ConfigError, "evaluate", "nowhere.yaml", "--gate", "frame_acu>=0.9")
    assert said.startswith("gate: there is no figure 'frame_acu'; there are average_precision, ")
    (tmp_path / "file").write_text("")
    words = ("evaluate", held_out, "--model", tmp_path / "m.npz", "--report", tmp_path / "file" / "report")
    assert "the report cannot be written: Not a directory" in refused(StateError, *words)
    assert "--equalise" in refused(ConfigError, *words, "--equalise")


@pytest.mark.parametrize(
    "words", [("learn", "yrad"), ("deploy", "yrad", "m.npz"), ("rollback", "yrad"), ("show", "yrad"),
              ("evaluate", "yrad", "x.yaml")],
)  # fmt: skip
def test_a_camera_that_is_not_configured_is_refused(tmp_path, config, words):
    save(model().model, tmp_path / "m.npz")
    said = refused(ConfigError, "normality", *words, "-c", config)
    assert "there is no camera 'yrad', did you mean 'yard'?" in said
    assert not (tmp_path / "state" / "normality").exists()


@pytest.mark.parametrize("pointer", ["???", "", "0001.onnx\n", "0099.npz\n"])
def test_a_bad_pointer_is_told_with_its_remedy_and_got_out_of_by_commands(tmp_path, config, pointer):
    at, new = ("-c", config), tmp_path / "new.npz"
    store = NormalityStore(tmp_path / "state", "yard")
    store.deploy(model().model)
    save(model().model.faded(7, 14), new)

    def spoil():
        (store.folder / "current").write_text(pointer)

    spoil()
    if not pointer.startswith("0099"):
        said = refused(StateError, "normality", "show", "yard", *at)
        assert "`surveil normality rollback yard` deploys the newest readable version" in said
    assert surveil("normality", "rollback", "yard", *at)[0] == 0
    assert store.current() == "0001.npz"
    spoil()
    assert surveil("normality", "deploy", "yard", new, *at)[0] == 0
    assert (store.current(), store.versions()) == ("0002.npz", ["0001.npz", "0002.npz"])
    assert surveil("normality", "show", "yard", *at)[0] == 0


def test_rolling_back_passes_over_a_damaged_version(tmp_path, config):
    store = NormalityStore(tmp_path / "state", "yard")
    for days in (1, 2, 3):
        store.deploy(model().model.faded(days, 14))
    (store.folder / "0002.npz").write_bytes(b"broken")
    assert surveil("normality", "rollback", "yard", "-c", config)[0] == 0
    assert store.current() == "0001.npz"
