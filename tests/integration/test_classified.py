"""Your own classifier from its training to alerts: what the report says is what the running code does."""

import shutil

import pytest

from surveil.app.replay import Replay
from surveil.config import load
from surveil.detect.settings import ModelSettings
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.store import ClassifierStore
from surveil.models.store import ModelStore, open_detector
from surveil.offline.classify import dataset
from surveil.offline.classify.prepared import Options, prepare
from surveil.offline.classify.split import TEST
from surveil.offline.classify.trainer import train
from tests.integration.reloading import File, camera, metrics, reload
from tests.integration.world import Process, Webhook, config_text, samples, wait_for
from tests.train.pictures import draw, fill

pytestmark = pytest.mark.slow
CLASSES = ("cross", "disc")
OPTIONS = Options(variations=0, threads=1, preprocess=CropPreprocess(size=64, placement="centre"))


def rule(label, **more):
    return {"type": "classified", "model": "shapes", "class": label, "every_s": 0.05, "after_s": 0, **more}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A classifier that is mediocre, so that its mistakes count, and the pictures it was tested on."""
    folder = tmp_path_factory.mktemp("classified")
    data = dataset.load(fill(folder / "set", 60, size=40))
    trained = train(data, folder / "shapes.onnx", OPTIONS)
    tested = [data.items[i] for i in prepare(data, OPTIONS).split.of(TEST)]
    (folder / "frames").mkdir()
    for k, item in enumerate(tested):
        shutil.copy(data.folder / item.path, folder / "frames" / f"{k:03d}.jpg")
    return trained, tested, folder / "frames"


def test_accuracy_through_a_replay_is_the_accuracy_of_the_report(made, tmp_path):
    trained, tested, frames = made
    ClassifierStore(tmp_path / "state", "shapes").deploy(trained.path)
    path = tmp_path / "config.yaml"
    rules = [rule(label, min_score=0.5, linger_s=0) for label in CLASSES]
    path.write_text(config_text(str(frames), tmp_path / "state", rules=rules, detect={"fps": 30}, fps=10))
    config = load(path)
    assert config.warnings == ()
    detector = open_detector(ModelSettings(), ModelStore(tmp_path / "models"))
    (tmp_path / "replay").mkdir()
    seen = []
    result = Replay(config, "yard", detector, tmp_path / "replay").run([frames], on_seen=seen.append)
    said = [max(CLASSES, key=one.looks[0].scores.get) for one in seen]
    right = sum(label == item.label for label, item in zip(said, tested, strict=True))
    accuracy = trained.evaluation.figures["accuracy"].value
    assert accuracy == pytest.approx(right / len(tested))
    # The alerts say the same: at every picture the event of one class is open, and of the right one as often.
    times = [one.frame.t for one in seen]
    assert [open_at(result.alerts, t) for t in times] == [{label} for label in said]


def open_at(alerts, t):
    """The classes whose event covers a moment."""
    ends = {a.event_id: a.t for a in alerts if a.phase == "end"}
    return {a.label for a in alerts if a.phase == "start" and a.t <= t <= ends[a.event_id]}


def counted(page, name, **labels):
    everywhere = {"camera": "yard", "model": "shapes"} if "looks" in name else {"model": "shapes"}
    return samples(page).get((name, frozenset({**everywhere, **labels}.items())))


@pytest.mark.rig
def test_deploying_shadowing_and_rolling_back_need_no_restart(made, tmp_path):
    trained, _, _ = made
    store = ClassifierStore(tmp_path / "state", "shapes")
    (tmp_path / "frames").mkdir()
    shutil.copy(picture(tmp_path, "disc"), tmp_path / "frames" / "000.jpg")
    path = tmp_path / "config.yaml"
    with Webhook() as hook:
        path.write_text(
            config_text(str(tmp_path / "frames"), tmp_path / "state", hook.url, rules=[rule("disc"), rule("cross")],
                        fps=10, repeat=True, detect={"fps": 10})
        )  # fmt: skip
        (warning, _) = load(path).warnings
        assert "no classifier 'shapes' is deployed, the rule is inactive until then" in warning
        with Process(path) as daemon:
            page = daemon.get("/metrics")[1]
            assert counted(page, "surveil_classifier_in_use") == 0
            store.deploy(trained.path)
            start = wait_for(lambda: hook.starts("classified"), 30)[0]
            assert (start["label"], start["details"]["model"]) == ("disc", "shapes")
            page = daemon.get("/metrics")[1]
            assert counted(page, "surveil_classifier_in_use") == 1
            assert counted(page, "surveil_classifier_looks_total", label="disc") > 0
            assert counted(page, "surveil_classifier_looks_total", label="cross") == 0
            other = another(trained.path, tmp_path / "another.onnx")
            store.deploy(other, shadow=True)
            beside = {"label": "disc", "shadow_label": "disc"}
            name = "surveil_classifier_shadow_looks_total"
            wait_for(lambda: counted(daemon.get("/metrics")[1], name, **beside), 30)
            store.deploy(other)
            wait_for(lambda: "version 0002 is in use" in daemon.log.read_text(), 30)
            store.rollback()
            wait_for(lambda: daemon.log.read_text().count("version 0001 is in use") >= 2, 30)
            assert daemon.end() == 0


@pytest.mark.rig
def test_a_reload_brings_a_classifier_into_use_and_lets_it_go(made, tmp_path):
    trained, _, _ = made
    ClassifierStore(tmp_path / "state", "shapes").deploy(trained.path)
    (tmp_path / "frames").mkdir()
    shutil.copy(picture(tmp_path, "disc"), tmp_path / "frames" / "000.jpg")
    yard = camera(tmp_path / "frames", fps=10, repeat=True, detect={"fps": 10})
    usual = yard["rules"]
    with Webhook() as hook:
        file = File(tmp_path, {"yard": yard}, {"ops": {"type": "webhook", "url": hook.url}})
        with Process(file.path) as daemon:
            wait_for(lambda: metrics(daemon, "surveil_frames_processed_total")["yard",] > 3, 60)
            assert metrics(daemon, "surveil_classifier_in_use") == {}
            yard["rules"] = [*usual, rule("disc")]
            file.write()
            assert reload(daemon)["changes"] == {"cameras_changed": ["yard"]}
            wait_for(lambda: hook.starts("classified"))
            assert metrics(daemon, "surveil_classifier_in_use") == {("shapes",): 1.0}
            yard["rules"] = usual
            file.write()
            reload(daemon)
            wait_for(lambda: not metrics(daemon, "surveil_classifier_in_use"))
            ended = [a["reason"] for a in hook.alerts if a["rule"] == "classified" and a["phase"] == "end"]
            assert ended == ["config"]
            for name in ("looks_total", "drift_ratio"):
                assert metrics(daemon, f"surveil_classifier_{name}") == {}
            assert daemon.end() == 0


def another(file, path):
    """A further version that says the same."""
    path.write_bytes(file.read_bytes().replace(b"surveil.how\x12\x04head", b"surveil.how\x12\x04heat"))
    return path


def picture(folder, label):
    """A picture large enough for a camera, stored as a file."""
    import cv2

    path = folder / f"{label}.jpg"
    cv2.imwrite(str(path), cv2.resize(draw(label, 3, size=40), (320, 320), interpolation=cv2.INTER_NEAREST))
    return path
