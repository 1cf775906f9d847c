"""Training by clicks, through the API: from judged pictures to a classifier in the shadow and back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from surveil.console.access import Role
from surveil.console.training.job import JobState, Trainings
from surveil.errors import EXIT_CONFIG
from surveil.features.classify.store import ClassifierStore
from surveil.versions import VersionRole
from tests.alerts.helpers import T0
from tests.console.live import LiveSite, show
from tests.console.test_access import cookie, log_in
from tests.console.test_live import masked, while_shown
from tests.integration.world import wait_for
from tests.train.pictures import draw

LABELS = ("cross", "disc")
APART_S = 600.0


def picture(site, n, drawn, **changes):
    """An event with a picture without drawings, and when it was."""
    jpeg = cv2.imencode(".jpg", drawn)[1].tobytes()
    h, w = drawn.shape[:2]
    changes = {"box": (0.0, 0.0, float(w), float(h)), "t_wall": T0 + n * APART_S, **changes}
    return site.happens(n, evidence={"clean": site.store(f"gate/{n}-clean.jpg", jpeg)}, **changes)


def add(site, label, name="shapes", **of):
    return site.change("POST", f"/training/sets/{name}/pictures", {"class": label, **of})


def filled(site, each=20):
    """Judge events of two classes, none within a minute of another."""
    for n in range(2 * each):
        label = LABELS[n % 2]
        answer = add(site, label, event=picture(site, n, draw(label, n)))
    return answer.json


def trained(site, name="shapes", **body):
    """Train to the end."""
    assert site.change("POST", f"/training/sets/{name}/train", body).json["state"] == "running"
    wait_for(lambda: site.get("/training").json["job"]["state"] != "running", 240)
    return site.get("/training").json["job"]


def test_the_crops_of_events_become_pictures_with_classes(site):
    """A second judgement corrects the first; a copy of the picture is none of its own."""
    wide = np.full((240, 320, 3), 90, np.uint8)
    wide[60:120, 100:180] = 200
    event = picture(site, 0, wide, box=(100.0, 60.0, 180.0, 120.0))
    answer = add(site, "disc", event=event).json
    assert [(one["class"], one["camera"], one["at"]) for one in answer["pictures"]] == [("disc", "gate", T0)]
    stored = site.ask("GET", answer["pictures"][0]["url"])
    seen = cv2.imdecode(np.frombuffer(stored.body, np.uint8), cv2.IMREAD_COLOR)
    assert seen.shape == (72, 96, 3), "the object, and a tenth more on each side"
    (crop,) = site.get("/training/crops", set="shapes").json["crops"]
    assert crop["class"] == "disc"
    assert site.ask("GET", crop["url"]).headers["content-type"] == "image/jpeg"
    answer = add(site, "cross", event=event).json
    assert [one["class"] for one in answer["pictures"]] == ["cross"]


def test_events_without_a_picture_are_no_crops(site):
    event = site.happens(0)
    assert site.get("/training/crops").json["crops"] == []
    assert add(site, "disc", event=event).status == 404
    assert add(site, "disc", event="none").status == 404
    assert site.get("/training").json == {"sets": [], "job": None}


def test_the_crop_of_a_zone_is_the_box_around_it(site):
    event = picture(site, 0, np.full((240, 320, 3), 90, np.uint8), camera="yard")
    answer = add(site, "empty", event=event, zone="lawn")
    stored = site.ask("GET", answer.json["pictures"][0]["url"]).body
    shape = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR).shape
    assert shape == (192, 256, 3)
    assert add(site, "empty", event=event, zone="nowhere").status == 404
    assert add(site, "empty", camera="nowhere", zone="lawn").status == 404
    crop = site.get("/training/crops", camera="yard", zone="lawn").json["crops"][0]["url"]
    assert site.ask("GET", crop).status == 200


def test_a_zone_is_added_as_it_is_now_and_nothing_of_what_is_hidden(tmp_path):
    with LiveSite(tmp_path) as site:
        feed = show(site, secrecy=masked())
        answer = while_shown(feed, lambda: add(site, "empty", camera="yard", zone="lawn"), size=(640, 480))
        (made,) = answer.json["pictures"]
        stored = cv2.imdecode(np.frombuffer(site.ask("GET", made["url"]).body, np.uint8), cv2.IMREAD_COLOR)
        assert (made["class"], made["camera"], stored.shape) == ("empty", "yard", (384, 512, 3))
        assert stored[:, :240].max() < 30 < stored[:, 290:].min()
        assert add(site, "empty", camera="yard", zone="nowhere").status == 404


def test_pictures_are_judged_again_and_removed(site):
    answer = add(site, "disc", event=picture(site, 0, draw("disc", 1))).json
    url = answer["pictures"][0]["url"].removeprefix("/api/v1")
    assert site.change("PUT", url, {"class": "cross"}).json["pictures"][0]["class"] == "cross"
    assert site.change("PUT", url, {"class": "a/b"}).status == 422
    assert site.change("DELETE", url).json["pictures"] == []
    assert site.get(url).status == 404
    assert list((site.folder / "feedback").rglob("*.jpg")) == []


@pytest.mark.parametrize("name", ["..", ".hidden", "a%2Fb", "a b", "x" * 65])
def test_what_cannot_name_a_data_set_is_refused(site, name):
    assert site.get(f"/training/sets/{name.replace(' ', '%20')}").status in {404, 422}


def test_what_a_data_set_lacks_is_said_and_training_is_refused_until_then(site):
    """Two pictures within a minute are one moment; none of it is enough to test on."""
    add(site, "disc", event=picture(site, 0, draw("disc", 0)))
    about = add(site, "disc", event=picture(site, 1, draw("disc", 1), t_wall=T0 + 20)).json["about"]
    assert about["classes"][0] == {
        "class": "disc",
        "pictures": 2,
        "moments": 1,
        "cameras": ["gate"],
        "days": 1,
    }
    told = {(one["what"], one["class"]): one["more"] for one in about["lacks"]}
    assert told == {("classes", ""): 1, ("pictures", "disc"): 3, ("moments", "disc"): 2}
    refused = site.change("POST", "/training/sets/shapes/train", {})
    assert (refused.status, refused.code) == (409, "lacking")
    assert site.change("POST", "/training/sets/nothing/train", {}).status == 404


@pytest.mark.slow
@pytest.mark.rig
@pytest.mark.timeout(300)
def test_from_twenty_judged_pictures_a_class_to_a_classifier_in_the_shadow_and_back(site):
    about = filled(site)["about"]
    assert (about["ready"], about["lacks"]) == (True, [])
    assert trained(site, positive="cross")["state"] == "done"
    told = site.get("/training/sets/shapes").json["about"]["model"]
    assert told["labels"] == list(LABELS)
    assert told["trained_at"] is not None
    report = site.get("/training/sets/shapes/report").json
    assert sum(report["sizes"].values()) == 40
    assert report["figures"]["accuracy"]["value"] >= 0.75
    assert all(site.ask("GET", one["url"]).status == 200 for one in report["worst"])

    deployed = site.change("POST", "/training/sets/shapes/deploy", {"shadow": True}).json
    assert (deployed["in_use"], deployed["shadow"]) == ("", "0001")
    store = ClassifierStore(site.folder, "shapes")
    card = store.deploy(store.path(VersionRole.SHADOW), shadow=True)
    assert card.positive == "cross"
    assert site.change("POST", "/training/sets/shapes/deploy", {}).json["in_use"] == "0001"
    nothing_before = site.change("POST", "/training/sets/shapes/rollback", {})
    assert nothing_before.status in {409, 503}
    assert "no version before" in nothing_before.json["error"]["message"]


@pytest.mark.slow
@pytest.mark.rig
@pytest.mark.timeout(300)
def test_what_only_the_training_finds_is_its_message(site):
    """Copies of one picture, ten minutes apart, are one moment."""
    for n in range(12):
        label = LABELS[n % 2]
        seed = n if label == "cross" else 1
        drawn = draw(label, seed)
        drawn[0, 0] = n
        add(site, label, event=picture(site, n, drawn))
    job = trained(site)
    assert job["state"] == "refused"
    assert "class 'disc'" in job["message"]
    assert "Traceback" not in job["message"]


@pytest.mark.rig
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_training_runs_at_a_time_at_the_lowest_priority_and_its_end_is_nobody_elses(site):
    """A daemon that is started meanwhile knows of it; killed as for want of memory it is just a failed training."""
    filled(site, each=12)
    site.change("POST", "/training/sets/shapes/train", {})
    assert site.change("POST", "/training/sets/shapes/train", {}).code == "training"
    wait_for(lambda: site.get("/training").json["job"]["doing"], 60)
    restarted = Trainings(site.folder)
    assert restarted.job().state is JobState.RUNNING
    pid = site.trainings.pid
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == 1000
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.get("/training").json["job"]["state"] == "killed", 60)
    assert restarted.job().state is JobState.KILLED
    assert site.change("DELETE", "/training/job").code == "training"
    site.change("POST", "/training/sets/shapes/train", {})
    site.change("DELETE", "/training/job")
    wait_for(lambda: site.get("/training").json["job"]["state"] == "cancelled", 60)
    assert site.get("/training/sets/shapes").json["about"]["model"]["trained_at"] is None


@pytest.mark.slow
def test_a_training_that_has_let_go_of_its_file_and_not_ended_yet_was_not_killed(tmp_path):
    file = tmp_path / "training" / "job.jsonl"
    file.parent.mkdir()
    file.write_bytes(b'{"set": "shapes", "started_at": 1}\n')
    trainings = Trainings(tmp_path)
    ends_later = f"import time; time.sleep(0.5); raise SystemExit({EXIT_CONFIG})"
    trainings._child = subprocess.Popen([sys.executable, "-c", ends_later])
    assert trainings.job().state is JobState.REFUSED


@pytest.mark.parametrize(
    "left",
    [b"", b"text\n", b"[]\n", b"{}\n", b'{"set": "a"}\n', b'{"set": "a", "started_at": "x"}\n', b"\xff\x00{"],
)
def test_a_damaged_file_of_the_job_tells_of_no_training_and_is_in_nobodys_way(tmp_path, left):
    file = tmp_path / "training" / "job.jsonl"
    file.parent.mkdir()
    file.write_bytes(left)
    assert Trainings(tmp_path).job() is None


def test_who_sees_some_cameras_sees_their_pictures_and_no_others(site):
    add(site, "disc", event=picture(site, 0, draw("disc", 0), camera="yard"))
    hidden = add(site, "disc", event=picture(site, 1, draw("disc", 1))).json["pictures"][0]["url"]
    site.auth.users.add("ada", "correct horse 7", Role.OPERATOR, ["yard"], site.clock.wall())
    site.auth.users.add("root", "correct horse 7", Role.ADMIN, None, site.clock.wall())
    session = cookie(log_in(site, "ada"))
    told = site.ask("GET", "/api/v1/training/sets/shapes", headers=session).json
    assert [one["camera"] for one in told["pictures"]] == ["yard"]
    assert told["about"]["pictures"] == 1
    assert site.ask("GET", hidden, headers=session).status == 404
