"""Recorded detections give exactly these alerts, again and again, at any frame rate nearly the same."""

import json

import pytest

from tests.golden.record import HERE, SCENES, replay


def recording(name):
    return json.loads((HERE / f"{name}.detections.json").read_text())


def alerts(name):
    return [json.loads(line) for line in (HERE / f"{name}.alerts.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", SCENES)
def test_a_recording_gives_the_alerts_that_were_reviewed(name):
    assert replay(recording(name)) == alerts(name)


@pytest.mark.parametrize("name", SCENES)
def test_every_event_begins_once_and_ends_once_with_the_same_id(name):
    told = [(alert["event_id"], alert["phase"]) for alert in alerts(name)]
    assert len(set(told)) == len(told)
    assert {i for i, phase in told if phase == "start"} == {i for i, phase in told if phase == "end"}
    assert all(told.index((i, "start")) < told.index((i, "end")) for i, _ in told)


@pytest.mark.parametrize("name", SCENES)
def test_the_story_in_short(name):
    story = [(a["rule"], a["key"], a["t"]) for a in alerts(name) if a["phase"] == "start"]
    assert {rule for rule, _, _ in story} == {
        "intrusion", "line_crossing", "to_street", "loitering", "crowding", "presence", "running", "wrong_way",
    }  # fmt: skip
    assert [key for rule, key, _ in story if rule == "line_crossing"] == ["door/right", "door/right"]
    assert len([1 for rule, _, _ in story if rule == "presence"]) == 1


@pytest.mark.parametrize("step", [2])
def test_half_the_frames_tell_the_same_events(step):
    whole = {(a["rule"], a["key"]) for a in alerts("yard")}
    half = {(a["rule"], a["key"]) for a in replay(recording("yard")[::step])}
    assert half == whole
