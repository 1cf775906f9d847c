"""The data-protection sheet says what the configuration does, and no secret."""

from __future__ import annotations

import json

import pytest

from surveil.alerts.sinks import SINKS
from surveil.app.privacy_sheet import as_markdown, privacy_sheet
from surveil.config import load

AREA = [[0.6, 0.0], [1.0, 0.0], [1.0, 0.3]]
SINK = {
    "log": ({}, "", "no"),
    "file": ({"path": "a.jsonl"}, "", "no"),
    "webhook": (
        {"url": "https://user:s3cr3tpw@hook.example:8443/t0kenpath", "picture": "multipart"},
        "hook.example:8443", "yes",
    ),
    "mqtt": ({"host": "broker.example", "username": "u", "password": "s3cr3tpw"}, "broker.example", "yes"),
    "alertmanager": (
        {"url": "http://127.0.0.1:9093", "picture_base_url": "https://nvr.example"}, "127.0.0.1:9093", "link",
    ),
    "email": (
        {"host": "mail.example", "sender": "a@b.example", "recipients": ["c@d.example"], "picture": False},
        "mail.example", "no",
    ),
    "apprise": ({"url": "ntfy://ntfy.example/s3cr3tpw"}, "ntfy", "yes"),
    "grafana": ({"url": "https://grafana.example", "token": "s3cr3tpw"}, "grafana.example", "no"),
}  # fmt: skip


def sheet_of(tmp_path, cameras, sinks=None, **top):
    path = tmp_path / "config.yaml"
    whole = {
        "version": 1,
        "state_dir": str(tmp_path / "state"),
        "cameras": cameras,
        "sinks": sinks or {},
        **top,
    }
    path.write_text(json.dumps(whole))
    return privacy_sheet(load(path))


def test_every_kind_of_sink_says_where_it_sends_and_whether_pictures_go_along(tmp_path):
    assert SINK.keys() == SINKS.keys()
    made = {kind: {"type": kind, **settings} for kind, (settings, _, _) in SINK.items()}
    sheet = sheet_of(tmp_path, {"gate": {"url": "rtsp://u:s3cr3tpw@192.0.2.1/a"}}, made)
    assert {one.type: (one.destination, one.pictures) for one in sheet.recipients} == {
        kind: (destination, pictures) for kind, (_, destination, pictures) in SINK.items()
    }
    page = as_markdown(sheet)
    assert not any(secret in page for secret in ("s3cr3tpw", "t0kenpath", "192.0.2.1"))


@pytest.mark.parametrize(
    ("camera", "question"),
    [
        ({"evidence": {"keep_days": 30}}, "kept for 30 days"),
        ({"evidence": {"keep_days": 2}}, None),
        ({"evidence": {"snapshot": False, "clean": False}}, None),
    ],
)
def test_long_retention_must_be_justified(tmp_path, camera, question):
    masks = {"street": {"points": AREA, "hide": "both"}}
    sheet = sheet_of(tmp_path, {"gate": {"url": "rtsp://192.0.2.1/a", "masks": masks, **camera}})
    assert [q for q in sheet.questions if question and question in q] == list(sheet.questions)
    assert bool(sheet.questions) is bool(question)


def test_a_camera_says_what_it_detects_hides_and_stores(tmp_path):
    rules = [{"type": "intrusion", "zone": "yard", "classes": ["person", "car"]}]
    camera = {
        "url": "rtsp://192.0.2.1/a", "zones": {"yard": AREA}, "rules": rules,
        "evidence": {"clip": True, "keep_days": 3},
        "counting": {"enabled": True}, "normality": {"enabled": True}, "title": "North gate",
    }  # fmt: skip
    (gate,) = sheet_of(tmp_path, {"gate": camera}).cameras
    assert gate.detects[0] == "intrusion (person, car) in yard"
    assert gate.stores == ("pictures", "clips", "counts", "learned normality")
    assert (gate.hidden, gate.faces_blurred, gate.title) == (0, False, "North gate")


def test_pages_on_the_network_are_a_question(tmp_path):
    sheet = sheet_of(tmp_path, {}, http={"listen": "0.0.0.0:9108", "token": "x" * 20})
    assert "the network, a token" in sheet.access
    assert any("who holds the token" in question for question in sheet.questions)


def test_the_sheet_says_which_video_is_recorded_and_asks_why(tmp_path):
    hidden = {"masks": {"a": {"points": AREA, "hide": "store"}}}
    cameras = {
        "gate": {"url": "a.mp4", "record": {"mode": "continuous", "keep_days": 14}},
        "yard": {"url": "b.mp4", "record": {"mode": "events", "keep_days": 2}},
        "hall": {"url": "c.mp4", "record": {"mode": "continuous"}, **hidden},
    }
    sheet = sheet_of(tmp_path, cameras)
    kept = {
        one.name: (one.video_days, "all video" in one.stores, "video of events" in one.stores)
        for one in sheet.cameras
    }
    assert kept == {"gate": (14, True, False), "yard": (2, False, True), "hall": (0, False, False)}
    assert [long for what, _, long in sheet.stored if what.startswith("recordings")] == ["14 days, 2 days"]
    asked = [question for question in sheet.questions if "video" in question or "recorded" in question]
    assert [question.split(":")[0] for question in asked] == ["gate", "gate"]


def test_the_sheet_says_where_copies_lie_and_asks_who_deletes_them(tmp_path):
    sheet = sheet_of(tmp_path, {"gate": {"url": "a.mp4"}}, offsite={"path": "/mnt/nas"})
    assert ("copies of evidence and recordings", "/mnt/nas", "until you delete them there") in sheet.stored
    assert any("copies lie in /mnt/nas" in question for question in sheet.questions)
    assert not any("copies" in what for what, _, _ in sheet_of(tmp_path, {"gate": {"url": "a.mp4"}}).stored)


def test_the_sheet_says_what_lies_in_the_folder_that_the_nodes_of_a_fleet_share(tmp_path):
    stored = sheet_of(tmp_path, {"gate": {"url": "a.mp4"}}, fleet={"store": "/srv/shared"}).stored
    assert [what.split(":")[0] for what, where, _ in stored if where == "/srv/shared"] == [
        "copies for the nodes of the fleet"
    ]
