"""Normality, picture health, test messages and Grafana: what the API tells, over a real store and a real database."""

import json
import threading

import cv2
import numpy as np
import pytest

from surveil.errors import ConfigError
from surveil.features.health.channel import ViewChannel
from surveil.features.normality.store import NormalityStore, Note
from tests.alerts.helpers import T0
from tests.console.site import CONFIG, Site, ended
from tests.normality.drawn import model

SINKS = 'sinks: {{archive: {{type: file, path: "{state}/told.jsonl"}}, gone: {{type: webhook, url: "http://127.0.0.1:9/"}}}}\n'
NORMAL = SINKS + CONFIG.replace("title: The yard", "normality: {{enabled: true, budget: 2}}")


@pytest.fixture
def learned(tmp_path):
    """A console of a camera that has learned for a minute."""
    with Site(tmp_path, NORMAL) as site:
        store = NormalityStore(site.folder, "yard")
        store.deploy(model().model)
        store.note(Note(t_wall=T0, state="learning", reason="too short", watched_s=65.0, share=0.01))
        yield site


def test_a_camera_without_normality_says_so(site):
    told = site.get("/cameras/yard/normality").json
    assert (told["enabled"], told["model"], told["state"], told["held_s"]) == (False, None, "", {})
    assert site.get("/cameras/yard/normality/usual.png").status == 404


def test_what_was_learned_is_told_with_its_hours(learned):
    told = learned.get("/cameras/yard/normality").json
    assert (told["state"], told["why"], told["at"], told["budget"]) == ("learning", "too short", T0, 2)
    assert 60 < told["model"]["seen_s"] < 70
    hours = told["model"]["hours"]
    assert len(hours) == 24
    assert sum(hour["watched_s"] > 0 for hour in hours) in {1, 2}
    assert max(hour["moving"] for hour in hours) > 0.5


def test_the_map_of_what_is_usual_is_a_picture_without_hidden_areas(tmp_path):
    everything = "{{points: [[0, 0], [1, 0], [1, 1], [0, 1]], hide: store}}"
    hidden = f"normality: {{{{enabled: true}}}}\n    masks: {{{{all: {everything}}}}}"
    means = []
    for number, config in enumerate((NORMAL, CONFIG.replace("title: The yard", hidden))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with Site(folder, config) as site:
            NormalityStore(site.folder, "yard").deploy(model().model)
            answer = site.get("/cameras/yard/normality/usual.png")
            picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
            means.append(float(picture[40:100, 5:100].mean()))
    assert means[0] > 20
    assert means[1] < 5


def test_a_new_view_is_accepted_once_the_daemon_takes_it(site):
    board = ViewChannel(site.database)
    taken = []

    def daemon():
        while not taken:
            taken.extend(board.take())

    thread = threading.Thread(target=daemon)
    thread.start()
    answer = site.change("POST", "/cameras/yard/accept-view")
    thread.join()
    board.close()
    assert (answer.json, taken) == ({"taken": True}, ["yard"])


def test_faults_are_told_with_their_pictures_and_other_events_are_not(tmp_path):
    rules = "rules: [{{type: picture, name: sick}}, {{type: presence}}]"
    with Site(tmp_path, CONFIG.replace("rules: [{{type: presence}}]", rules)) as site:
        pictures = {kind: site.store(f"gate/{kind}.jpg", b"x") for kind in ("before", "snapshot")}
        fault = site.happens(0, rule="sick", type="picture", evidence=pictures)
        lost = site.happens(1, rule="camera_lost", type="camera_lost")
        site.happens(2, rule="presence")
        site.outbox.committer.commit([ended(0, rule="sick", type="picture", t_wall=T0 + 60)])
        told = site.get("/cameras/gate/health").json
        assert [event["id"] for event in told["events"]] == [lost, fault]
        assert (told["events"][0]["end"], told["events"][1]["end"]) == (None, T0 + 60)
        assert told["events"][1]["pictures"]["before"]
        assert site.get("/cameras/yard/health").json["events"] == []


def test_a_sink_is_sent_a_test_message_or_says_why_not(learned):
    assert learned.get("/books").json["sinks"] == {"archive": "file", "gone": "webhook"}
    assert learned.change("POST", "/sinks/archive/test").json["ok"]
    [line] = (learned.folder / "told.jsonl").read_text().splitlines()
    assert json.loads(line)["rule"] == "test"
    failed = learned.change("POST", "/sinks/gone/test").json
    assert not failed["ok"]
    assert "refused" in failed["text"].lower()
    assert learned.change("POST", "/sinks/none/test").status == 404


@pytest.mark.parametrize(("language", "said"), [("en", "The link works"), ("zh-CN", "链接有效")])
def test_a_test_message_has_a_link_that_shows_whether_those_of_alerts_work(tmp_path, language, said):
    config = SINKS + CONFIG.replace("console: true", 'console: true, public_url: "https://cams.example"')
    with Site(tmp_path, config) as site:
        assert site.change("POST", "/sinks/archive/test").json["ok"]
        link = json.loads((site.folder / "told.jsonl").read_text())["details"]["link"]
        shown = site.ask(
            "GET", link.removeprefix("https://cams.example"), headers={"Accept-Language": language}
        )
        assert (shown.status, said in shown.body.decode()) == (200, True)


def test_pages_know_where_grafana_is(tmp_path):
    config = CONFIG.replace("console: true", 'console: true, grafana_url: "https://charts.example/grafana/"')
    with Site(tmp_path, config) as site:
        assert site.get("/me").json["grafana_url"] == "https://charts.example/grafana"


@pytest.mark.parametrize("url", ["charts.example", "https://a:b@charts.example", "https://x.example/?a=b"])
def test_an_address_of_grafana_that_cannot_be_is_refused(tmp_path, url):
    with pytest.raises(ConfigError, match=r"http\.grafana_url"):
        Site(tmp_path, CONFIG.replace("console: true", f'console: true, grafana_url: "{url}"'))
