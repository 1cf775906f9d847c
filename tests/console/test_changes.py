"""Verdicts, acknowledgements, switches and dead letters."""

import cv2
import numpy as np
import pytest

from surveil.alerts import rows
from surveil.alerts.arming import ArmingChannel
from surveil.console.access import Role
from surveil.offline.classify.dataset import add, listed, load
from tests.alerts.helpers import T0, alert

EVENT = alert(0).event_id


def judged(site, **body):
    return site.change("PUT", f"/events/{EVENT}/verdict", body)


def with_picture(site):
    jpeg = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()
    site.happens(0, evidence={"clean": site.store("gate/a-clean.jpg", jpeg)})


def manifest(site):
    return "".join(path.read_text() for path in (site.folder / "feedback").rglob("*.jsonl"))


def test_a_verdict_is_kept_and_its_picture_joins_the_data_set_of_the_rule(site):
    with_picture(site)
    answer = judged(site, verdict="false", note="a cat")
    assert (answer.json["verdict"], answer.json["note"], answer.json["judge"]) == ("false", "a cat", "local")
    assert '"false"' in manifest(site)
    assert judged(site, verdict="true").json["verdict"] == "true"
    assert site.get(f"/events/{EVENT}").json["verdict"] == "true"


@pytest.mark.parametrize("verdict", ["unsure", None])
def test_what_nobody_is_sure_of_is_not_trained_on(site, verdict):
    with_picture(site)
    assert judged(site, verdict=verdict).json["verdict"] == verdict
    assert not (site.folder / "feedback").exists()


@pytest.mark.parametrize("verdict", ["unsure", None])
def test_a_verdict_that_is_taken_back_is_not_trained_on(site, verdict):
    with_picture(site)
    judged(site, verdict="true")
    (own,) = (site.folder / "feedback").iterdir()
    add(own, np.zeros((90, 90, 3), np.uint8), "true", camera="gate", t_wall=T0)
    assert judged(site, verdict=verdict).json["verdict"] == verdict
    assert [item.sha256 for item in listed(own)] == [item.sha256 for item in load(own).items]
    assert len(listed(own)) == 1, "the picture that somebody chose stays"


def test_a_verdict_whose_picture_is_gone_can_be_taken_back(site):
    with_picture(site)
    judged(site, verdict="true")
    (site.folder / "evidence" / "gate" / "a-clean.jpg").unlink()
    assert judged(site, verdict=None).json["verdict"] is None


def test_a_verdict_without_a_picture_is_kept_all_the_same(site):
    site.happens(0)
    assert judged(site, verdict="true").json["verdict"] == "true"


def test_a_class_that_means_nothing_is_refused_and_no_verdict_is_kept(site):
    with_picture(site)
    assert judged(site, verdict="false", **{"class": "unicorn"}).status == 422
    assert site.get(f"/events/{EVENT}").json["verdict"] is None


@pytest.mark.parametrize(
    "body",
    [{"verdict": "perhaps"}, {"note": "x" * 1001}, {"colour": 1}, [], b"text", b"7", b"{", b"\xff", b""],
)
def test_a_verdict_of_the_wrong_form_is_refused(site, body):
    site.happens(0)
    assert site.change("PUT", f"/events/{EVENT}/verdict", body).status == 422


def test_an_acknowledgement_keeps_its_first_time_and_the_verdict(site):
    site.happens(0)
    judged(site, verdict="true")
    site.change("POST", f"/events/{EVENT}/acknowledge")
    site.clock.advance(9)
    told = site.change("POST", f"/events/{EVENT}/acknowledge").json
    assert (told["acknowledged"], told["acknowledged_at"], told["verdict"]) == (True, T0, "true")


def armed(answer):
    return {(one["camera"], one["rule"]): one["armed"] for one in answer.json["rules"]}


def test_a_camera_is_disarmed_for_a_while_and_the_daemon_reads_the_same_switch(site):
    answer = site.change("POST", "/arming", {"camera": "yard", "armed": False, "until": T0 + 60})
    told = armed(answer)
    assert (told["yard", "intrusion"], told["gate", "presence"]) == (False, True)
    assert answer.json["rules"][0]["changes_at"] == T0 + 60
    board = ArmingChannel(site.database)
    assert board.read()["yard", "intrusion"].until == T0 + 60
    board.close()
    site.clock.advance(61)
    assert all(armed(site.get("/arming")).values())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"camera": "none", "armed": False}, 404), ({"rule": "none", "armed": False}, 404),
        ({"site": "none", "armed": False}, 404), ({"armed": False, "until": T0 - 1}, 422), ({}, 422),
        ({"armed": "no!"}, 422),
    ],
)  # fmt: skip
def test_a_switch_for_nothing_is_refused(site, body, status):
    assert site.change("POST", "/arming", body).status == status
    assert all(armed(site.get("/arming")).values())


def test_dead_letters_are_told_with_their_reason_and_tried_again(site):
    site.outbox.set_sinks(["ops"])
    site.happens(0)
    with site.outbox.db.lock:
        rows.dead_letter(site.outbox.db.writer, "ops", [1], rows.Dead.REJECTED)
    (letter,) = site.get("/dead-letters").json["letters"]
    assert (letter["sink"], letter["reason"], letter["camera"]) == ("ops", "rejected", "gate")
    assert site.get("/books").json["deliveries"] == {"ops": {"dead": 1}}
    assert site.change("POST", f"/dead-letters/{letter['id']}/retry").json == {"retried": 1}
    assert site.get("/dead-letters").json["letters"] == []
    assert site.change("POST", "/dead-letters/none/retry").status == 404


def test_deliveries_are_those_of_the_cameras_that_the_user_may_see(site):
    """However many dead letters of other cameras are newer."""
    site.outbox.set_sinks(["ops"])
    site.happens(0, camera="yard")
    for n in range(1, 4):
        site.happens(n, camera="gate")
    with site.outbox.db.lock:
        rows.dead_letter(site.outbox.db.writer, "ops", [1, 2, 3], rows.Dead.REJECTED)
    users, now = site.auth.users, site.clock.wall()
    users.add("ada", "correct horse 7", Role.OPERATOR, ["yard"], now)
    token = {"Authorization": f"Bearer {users.make_token('ada', 't', None, 1, now)}"}

    def get(path, **query):
        return site.ask("GET", f"/api/v1{path}", headers=token, **query).json

    assert [one["camera"] for one in get("/dead-letters", limit=1)["letters"]] == ["yard"]
    assert get("/books")["deliveries"] == {"ops": {"dead": 1}}
