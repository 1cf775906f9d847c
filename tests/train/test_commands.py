"""From folders, films and cameras to a deployed classifier by the commands alone."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.clock import SystemClock
from surveil.errors import ConfigError, ModelError, StateError
from surveil.features.classify.store import ClassifierStore
from surveil.offline.classify import dataset
from tests.alerts.helpers import alert
from tests.commands import refused, surveil
from tests.integration.world import config_text
from tests.train.pictures import draw, fill

QUICK = ("--variations", 0, "--size", 32, "--threads", 1)
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(str(tmp_path / "frames"), tmp_path / "state", fps=10, detect={"fps": 10}))
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """One folder of pictures per class."""
    folder = tmp_path_factory.mktemp("commands") / "shapes"
    for label in ("cross", "disc"):
        (folder / label).mkdir(parents=True)
        for k in range(16):
            cv2.imwrite(str(folder / label / f"{k}.png"), draw(label, k))
    return folder


def test_from_a_folder_to_a_deployed_classifier_and_back(tmp_path, config, pictures):
    data, at = tmp_path / "shapes", ("-c", config)
    code, text = surveil("dataset", "collect", data, pictures, "--camera", "yard", *at)
    assert (code, "32 pictures added" in text) == (0, True)
    code, text = surveil("train", data, "--classes", "cross,disc", *QUICK, *at, "--gate", "accuracy>=0.5")
    assert code == 0
    assert "surveil models deploy shapes" in text
    store = ClassifierStore(tmp_path / "state", "shapes")
    assert {p.name for p in store.trained.parent.iterdir()} == {"shapes.onnx", "report.html", "report.json"}
    assert surveil("models", "deploy", "shapes", *at) == (0, "shapes: version 0001 is in use\n")
    code, text = surveil("train", data, "--classes", "cross,disc", *QUICK, *at, "--seed", 1, "--json")
    assert json.loads(text)["beside"]["model"] == "shapes"
    assert (
        surveil("models", "deploy", "shapes", "--shadow", *at)[1]
        == "shapes: version 0002 runs in shadow mode\n"
    )
    (listed,) = json.loads(surveil("models", "classifiers", "--json", *at)[1])
    assert (listed["in_use"], listed["shadow"], listed["labels"]) == ("0001", "0002", ["cross", "disc"])
    assert surveil("models", "deploy", "shapes", *at)[1] == "shapes: version 0002 is in use\n"
    assert surveil("models", "rollback", "shapes", *at)[1] == "shapes: version 0001 is in use\n"
    assert "in use" in surveil("models", "classifiers", *at)[1]


def test_a_deployed_classifier_is_evaluated_on_pictures_with_a_gate_and_a_report(tmp_path, config, pictures):
    at = ("-c", config)
    surveil("train", pictures, "--name", "shapes", *QUICK, *at)
    surveil("models", "deploy", "shapes", *at)
    fill(tmp_path / "fresh", 15, seeds=200)
    code, text = surveil(
        "evaluate", tmp_path / "fresh", "--model", "shapes", "--json", "--gate", "accuracy>=0.4", "--report",
        tmp_path / "report", *at,
    )  # fmt: skip
    assert code == 0
    assert json.loads(text[text.index("{") :])["dataset"]["sizes"]["judged"] == 30
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000
    code, _ = surveil("evaluate", tmp_path / "fresh", "--model", "shapes", "--gate", "accuracy>1", *at)
    assert code == 1
    assert "neither a file nor a deployed classifier; there are: shapes" in refused(
        ModelError, "evaluate", tmp_path / "fresh", "--model", "shape", *at
    )
    assert "name the classifier with --model" in refused(ConfigError, "evaluate", tmp_path / "fresh", *at)


def test_a_damaged_classifier_can_be_got_out_of_by_commands(tmp_path, config, pictures):
    at, state = ("-c", config), tmp_path / "state" / "classifiers" / "shapes"
    surveil("train", pictures, "--name", "shapes", *QUICK, *at)
    surveil("models", "deploy", "shapes", *at)
    (state / "0001.onnx").write_bytes((state / "0001.onnx").read_bytes()[:1000])
    (listed,) = json.loads(surveil("models", "classifiers", "--json", *at)[1])
    assert (listed["in_use"], listed["labels"]) == ("0001", [])
    assert "0001.onnx" in listed["damage"]
    code, text = surveil("train", pictures, "--name", "shapes", *QUICK, "--seed", 1, *at)
    assert (code, "the deployed classifier cannot be compared" in text) == (0, True)
    assert surveil("models", "deploy", "shapes", *at) == (0, "shapes: version 0002 is in use\n")
    assert json.loads(surveil("models", "classifiers", "--json", *at)[1])[0]["damage"] == ""


def test_what_a_film_shows_when_becomes_pictures_that_can_be_looked_at_and_corrected(tmp_path):
    film, data = tmp_path / "film", tmp_path / "set"
    film.mkdir()
    for k in range(40):
        cv2.imwrite(str(film / f"{k:03d}.png"), draw("disc", k))
    code, text = surveil(
        "dataset", "collect", data, film, "--interval", "0-2=shut", "--interval", "2-4=open", "--every", 0.5,
        "--camera", "gate", "--start", "2026-03-01T08:00:00", "--json",
    )  # fmt: skip
    assert (code, json.loads(text)["added"]) == (0, 8)
    code, text = surveil("dataset", "show", data, "--json", "--png", tmp_path / "sheet.png")
    assert json.loads(text)["classes"] == {"open": 4, "shut": 4}
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 1344
    path = dataset.load(data).items[0].path
    surveil("dataset", "label", data, "open", path)
    assert dataset.load(data).counts == {"open": 5, "shut": 3}
    assert "day 2026-03-01: 8" in surveil("dataset", "show", data)[1]


def test_a_running_camera_gives_whole_frames_and_zones(tmp_path, config):
    (tmp_path / "frames").mkdir()
    for k in range(30):
        cv2.imwrite(str(tmp_path / "frames" / f"{k:03d}.jpg"), cv2.resize(draw("disc", k), (320, 180)))
    data, at = tmp_path / "set", ("-c", config, "--every", 0.5, "--label", "on")
    code, text = surveil("dataset", "collect", data, "yard", *at, "--most", 3, "--json")
    assert (code, json.loads(text)["added"]) == (0, 3)
    code, text = surveil(
        "dataset", "collect", data, "yard", "--on", "zone", "--zone", "yard", *at, "--most", 2
    )
    assert code == 0
    read = dataset.load(data)
    assert sorted(read.read(item).shape[:2] for item in read.items) == [(126, 320)] * 2 + [(180, 320)] * 3
    assert {(item.camera, item.origin) for item in read.items} == {("yard", "camera")}
    assert all(item.t_wall > 1.7e9 for item in read.items)
    assert "there is no zone 'door'; there are: yard" in refused(
        ConfigError, "dataset", "collect", data, "yard", "--on", "zone", "--zone", "door", *at
    )


def test_what_may_not_be_stored_is_blank_in_what_is_collected(tmp_path):
    film, path = tmp_path / "film", tmp_path / "config.yaml"
    film.mkdir()
    cv2.imwrite(str(film / "0.png"), np.full((100, 100, 3), 250, np.uint8))
    corner = {"points": [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]], "hide": "store"}
    path.write_text(config_text(str(film), tmp_path / "state", masks={"window": corner}, fps=10))
    for k, words in enumerate(
        ((film, "--camera", "yard"), (film, "--camera", "yard", "--on", "zone", "--zone", "yard"))
    ):
        surveil("dataset", "collect", tmp_path / str(k), *words, "--label", "on", "-c", path)
        read = dataset.load(tmp_path / str(k))
        picture = read.read(read.items[0])
        assert picture[5, 5].tolist() == pytest.approx([114] * 3, abs=4)
        assert picture[-5, -5].tolist() == pytest.approx([250] * 3, abs=4)


@pytest.mark.slow
def test_followed_people_of_a_recording_become_crops_with_their_track_as_group(
    tmp_path, config, passing_clip
):
    data = tmp_path / "people"
    surveil(
        "dataset", "collect", data, passing_clip, "--on", "track", "--camera", "yard", "--label", "worn", "-c", config,
        "--every", 1,
    )  # fmt: skip
    read = dataset.load(data)
    assert len(read.items) >= 6
    assert all(re.fullmatch(r"passing\.mp4 [0-9a-f]{12} \d+", item.group) for item in read.items)
    heights = [read.read(item).shape[0] for item in read.items]
    assert 20 < np.median(heights) < 300
    assert {item.t_wall for item in read.items} == {None}, "the recording has no known time"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--interval", "0-x=a"), "must be START-END=CLASS"),
        ((), "give the class of the video"),
        (("--interval", "3-1=a"), "ends before it begins"),
    ],
)
def test_intervals_that_cannot_be_read_are_told(tmp_path, words, said):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"")
    assert said in refused(ConfigError, "dataset", "collect", tmp_path / "set", film, *words)


def test_a_source_that_is_neither_camera_nor_file_is_told_with_the_nearest(tmp_path, config):
    said = refused(ConfigError, "dataset", "collect", tmp_path / "set", "yrad", "--label", "x", "-c", config)
    assert "there is no camera 'yrad', did you mean 'yard'?" in said


def test_training_without_a_state_directory_writes_where_it_is_told(tmp_path, pictures):
    code, _ = surveil("train", pictures, "--output", tmp_path / "out" / "mine.onnx", *QUICK)
    assert code == 0
    assert (tmp_path / "out" / "report.html").exists()
    said = refused(ConfigError, "train", pictures, "--classes", "cross,dics", "--output", tmp_path / "x.onnx")
    assert "there is no class 'dics'; there are cross, disc" in said


def test_what_cannot_be_meant_is_refused_before_anything_is_read(tmp_path):
    words = ("nowhere", "--output", tmp_path / "x.onnx")
    said = refused(ConfigError, "train", *words, "--gate", "accuracy>=0.9,acuracy>1")
    assert said.startswith("gate: there is no figure 'acuracy'; there are accuracy, ")
    assert "requires --finetune" in refused(ConfigError, "train", *words, "--resume")
    (tmp_path / "set").mkdir()
    assert "no figure 'frame_auc'" in refused(
        ConfigError, "evaluate", tmp_path / "set", "--gate", "frame_auc>0"
    )


def test_fine_tuning_without_pytorch_says_what_to_install(tmp_path, pictures, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(__import__("sys").modules, "surveil.offline.classify.finetune", raising=False)
    said = refused(ModelError, "train", pictures, "--finetune", "--output", tmp_path / "x.onnx")
    assert "install --extra train" in said


def test_nothing_to_deploy_or_to_go_back_to_is_told(tmp_path, config):
    assert "create one with `surveil train DATASET --name shapes`" in refused(
        ModelError, "models", "deploy", "shapes", "-c", config
    )
    assert "to roll back to" in refused(StateError, "models", "rollback", "shapes", "-c", config)


@pytest.fixture
def alerted(tmp_path, config):
    """An outbox with an alert of a classifier, and its picture."""
    state = tmp_path / "state"
    picture = state / "evidence" / "yard" / "clean.jpg"
    picture.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), draw("disc", 1, 200))
    outbox = Outbox.open(state / "surveil.db", [], SystemClock(), OutboxSettings())
    start = replace(
        alert(phase="start"), camera="yard", rule="classified", type="classified", label="disc",
        box=(20.0, 30.0, 120.0, 190.0), details={"model": "shapes"},
        evidence={"clean": picture.relative_to(state).as_posix()},
    )  # fmt: skip
    outbox.committer.commit([start])
    outbox.close()
    return start.id


def test_an_alert_that_was_right_becomes_a_picture_of_its_class(tmp_path, config, alerted):
    code, text = surveil("alerts", "label", alerted[:8], "true", "-c", config, "--json")
    assert (code, json.loads(text)["class"]) == (0, "disc")
    read = dataset.load(tmp_path / "state" / "feedback" / "shapes")
    (item,) = read.items
    assert (item.origin, item.camera, read.read(item).shape) == ("feedback", "yard", (160, 100, 3))


def test_an_alert_that_was_wrong_becomes_a_picture_of_the_other_class(tmp_path, config, pictures, alerted):
    assert "give its class" in refused(ConfigError, "alerts", "label", alerted, "false", "-c", config)
    surveil("train", pictures, "--name", "shapes", *QUICK, "-c", config)
    surveil("models", "deploy", "shapes", "-c", config)
    surveil("alerts", "label", alerted, "false", "-c", config, "--dataset", tmp_path / "set", "--whole")
    read = dataset.load(tmp_path / "set")
    assert read.counts == {"cross": 1}
    assert read.read(read.items[0]).shape == (200, 200, 3)


@pytest.mark.parametrize(
    ("kind", "verdict", "meant"),
    [
        ("intrusion", "ture", "did you mean 'true'?"),
        ("intrusion", "False", "did you mean 'false'?"),
        ("intrusion", "fox", "(there is: false, true)"),
        ("intrusion", "", "(there is: false, true)"),
        ("classified", "ture", "did you mean 'true'?"),
        ("classified", "disk", "did you mean 'disc'?"),
    ],
)
def test_a_word_that_is_no_verdict_is_refused_with_what_may_be_meant(
    tmp_path, config, alerted, kind, verdict, meant
):
    outbox = Outbox.open(tmp_path / "state" / "surveil.db", [], SystemClock(), OutboxSettings())
    clean = {"clean": "evidence/yard/clean.jpg"}
    other = replace(alert(7, phase="start"), id="b" * 32, event_id="c" * 32, type=kind, label="disc")
    outbox.committer.commit([replace(other, evidence=clean, details={"model": "shapes"})])
    outbox.close()
    said = refused(ConfigError, "alerts", "label", "bbbb", verdict, "-c", config)
    assert said.startswith(f"'{verdict}' is not a label for this alert")
    assert meant in said
    assert not (tmp_path / "state" / "feedback").exists()
    assert surveil("alerts", "label", "bbbb", "fox", "--new-class", "-c", config)[0] == 0


def test_a_classifier_in_use_says_which_classes_there_are(tmp_path, config, pictures, alerted):
    surveil("train", pictures, "--name", "shapes", *QUICK, "-c", config)
    surveil("models", "deploy", "shapes", "-c", config)
    said = refused(ConfigError, "alerts", "label", alerted, "fox", "-c", config)
    assert "(there is: cross, disc, false, true)" in said
    assert surveil("alerts", "label", alerted, "cross", "-c", config)[0] == 0


def test_a_verdict_is_corrected_by_a_later_one(tmp_path, config, alerted):
    folder = tmp_path / "state" / "feedback" / "shapes"
    for verdict in ("disc", "cross", "disc", "cross"):
        assert surveil("alerts", "label", alerted, verdict, "-c", config)[0] == 0
        assert dataset.load(folder).counts == {verdict: 1}
    assert surveil("dataset", "show", folder)[0] == 0


def test_a_set_with_a_picture_in_two_classes_is_mended_by_a_verdict(tmp_path, config, alerted):
    folder = tmp_path / "state" / "feedback" / "shapes"
    surveil("alerts", "label", alerted, "disc", "-c", config)
    (item,) = dataset.load(folder).items
    (folder / "cross").mkdir()
    (folder / "cross" / "again.jpg").write_bytes((folder / item.path).read_bytes())
    dataset.append(folder, replace(item, path="cross/again.jpg", label="cross"))
    assert "the same picture in the classes" in refused(ConfigError, "dataset", "show", folder)
    surveil("alerts", "label", alerted, "cross", "-c", config)
    assert dataset.load(folder).counts == {"cross": 1}


def test_an_alert_without_a_clean_picture_or_that_is_not_there_is_told(tmp_path, config, alerted):
    picture = tmp_path / "state" / "evidence" / "yard" / "clean.jpg"
    picture.write_bytes(b"no picture")
    assert "is not a picture, or is damaged" in refused(
        ConfigError, "alerts", "label", alerted, "true", "-c", config
    )
    picture.unlink()
    assert "deleted by retention" in refused(StateError, "alerts", "label", alerted, "true", "-c", config)
    assert "no alert begins with ffff" in refused(StateError, "alerts", "label", "ffff", "true", "-c", config)


def test_a_classifier_with_a_bad_pointer_does_not_hide_the_others_from_the_list(tmp_path, config):
    for name, pointer in (("bad", "???"), ("shadowed", "0001.npz"), ("fine", "")):
        folder = tmp_path / "state" / "classifiers" / name
        folder.mkdir(parents=True)
        if pointer:
            (folder / ("shadow" if name == "shadowed" else "current")).write_text(pointer)
    code, text = surveil("models", "classifiers", "--json", "-c", config)
    damage = {one["name"]: one["damage"] for one in json.loads(text)}
    assert (code, damage["fine"]) == (0, "")
    assert "bad/current: does not name a version; `surveil models rollback bad`" in damage["bad"]
    assert "shadowed/shadow: does not name a version" in damage["shadowed"]
