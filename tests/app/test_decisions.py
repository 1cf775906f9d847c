"""What was decided about frames, by the minute: collected, kept for a day, and explained."""

import json
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import typer

from surveil.app.decisions import DATABASE, KEEP_S, DecisionRecorder, explain, recorded
from surveil.cli.why import moment
from surveil.clock import ManualClock
from surveil.config import load
from surveil.engine import Step
from surveil.errors import StateError
from surveil.lane import Lost
from surveil.pipeline.decisions import DecisionLog, Minute
from surveil.types import Detections, GateDecision
from tests.alerts.helpers import alert
from tests.commands import refused, surveil
from tests.integration.world import config_text
from tests.scenes import track

T = 1_700_000_040.0
"""The beginning of a minute."""


def detections(*scores, index=0):
    n = len(scores)
    boxes = np.array([[0, 0, 10, 10]] * n, np.float32).reshape(-1, 4)
    return Detections(boxes, np.array(scores, np.float32), np.array([index] * n, np.int32))


@pytest.fixture
def camera(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(config_text("rtsp://127.0.0.1:9/x", tmp_path / "state"))
    return load(path).cameras["yard"]


def test_frames_become_one_minute_each_and_are_taken_once():
    log = DecisionLog(["person", "car"])
    seen = Step(tracks=(track(1, 0.5, 0.5),), raised={"intrusion": 2})
    seen.outcomes["intrusion", "suppressed", "schedule"] += 2
    log.step("yard", T, GateDecision.CLOSED_STILL, None, Step())
    log.step("yard", T + 1, GateDecision.MOTION, detections(0.3, 0.4), seen)
    log.step(
        "yard",
        T + 59,
        GateDecision.MOTION,
        detections(0.2, index=1),
        Step(alerts=(alert(0), alert(0, "end"))),
    )
    log.step("gate", T, GateDecision.OFF, detections(), Step(), "moved")
    log.lost(Lost(camera="gate", t=1.0, t_wall=T + 2, cause="timeout"), Step())
    assert log.take() == []
    log.step("yard", T + 60, None, None, Step())
    (minute,) = log.take()
    assert minute == Minute(
        camera="yard", start=int(T), frames=3, looked=2, gates={"closed_still": 1, "motion": 2},
        detections={"person": 2, "car": 1}, best={"person": 0.4, "car": 0.2}, tracks={"person": 1},
        raised={"intrusion": 2}, outcomes={"intrusion suppressed schedule": 2}, alerts=1,
    )  # fmt: skip
    log.turn(T + 61)
    (gate,) = log.take()
    assert (gate.camera, gate.lost, gate.held) == ("gate", "timeout", "moved")
    log.drop("yard")
    assert [one.start for one in log.take()] == [int(T) + 60]


def test_what_nobody_takes_is_bounded():
    log = DecisionLog([])
    for n in range(11_000):
        log.step("yard", T + 60 * n, None, None, Step())
    assert len(log.take()) == 10_000


def minute(n=0, **more):
    return Minute(camera="yard", start=int(T) + 60 * n, **more)


def test_minutes_are_kept_for_a_day(tmp_path):
    clock, minutes = ManualClock(wall=T), []
    recorder = DecisionRecorder(tmp_path, lambda: [minutes.pop() for _ in list(minutes)], clock)
    more = {"best": {"person": 0.5}, "gates": Counter(motion=7), "outcomes": Counter({"intrusion opened": 1})}
    minutes += [minute(n, frames=n, **more) for n in range(3)]
    recorder.look()
    assert recorded(tmp_path, "yard", T + 60, T + 180) == [minute(n, frames=n, **more) for n in (1, 2)]
    assert recorded(tmp_path, "gate", 0, 1e12) == []
    assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o640
    clock.advance(KEEP_S + 61)
    minutes.append(minute(2000))
    recorder.look()
    assert [one.start for one in recorded(tmp_path, "yard", 0, 1e12)] == [int(T) + 120, int(T) + 120_000]


def test_a_damaged_file_of_decisions_costs_the_decisions(tmp_path):
    clock, minutes = ManualClock(wall=T), [minute()]
    recorder = DecisionRecorder(tmp_path, lambda: [minutes.pop() for _ in list(minutes)], clock)
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    with pytest.raises(StateError, match="cannot be read"):
        recorded(tmp_path, "yard", 0, 1e12)
    recorder.flush()
    minutes.append(minute(1))
    recorder.flush()
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute(
            "INSERT INTO minutes VALUES ('yard', 0, '{'), ('yard', 1, '{\"x\": 1}'), ('yard', 2, x'ff')"
        )
    assert [one.start for one in recorded(tmp_path, "yard", 0, 1e12)] == [int(T) + 60]


def test_each_stage_that_may_be_the_reason_is_named(camera):
    def said(*minutes):
        return " ".join(explain(minutes, camera))

    assert "disabled" in " ".join(explain([], replace(camera, enabled=False)))
    assert "Nothing was recorded" in said()
    assert "The camera was lost: timeout. No frame was analysed." in said(minute(lost="timeout"))
    still = said(minute(frames=300, gates={"closed_still": 300}))
    assert "300 frames were analysed; the detector ran on 0." in still
    assert "the motion gate was closed (closed_still 300)" in still
    assert "of 300 that `detect.fps` requests" in said(minute(frames=10, looked=10))
    assert "found nothing, at any score" in said(minute(frames=300, looked=300))
    unsure = said(minute(frames=300, looked=300, best={"person": 0.31}))
    assert "person: best score 0.31, below `track.high_score` 0.45: no track was started." in unsure
    assert "not confirmed as a track" in said(minute(frames=300, looked=300, best={"person": 0.5}))
    followed = said(minute(frames=300, looked=300, best={"person": 0.9}, tracks={"person": 1}))
    assert "person: best score 0.90, tracked." in followed
    assert "Rule intrusion: no track met its conditions" in followed
    suppressed = said(
        minute(frames=300, looked=300, raised={"intrusion": 4}, outcomes={"intrusion suppressed schedule": 4})
    )
    assert "Rule intrusion: 4 signals; 4 suppressed: its schedule did not allow alerts." in suppressed
    assert "Rules with zones or lines were paused: moved." in said(
        minute(frames=300, looked=300, held="moved")
    )
    opened = said(
        minute(frames=300, looked=300, raised={"intrusion": 4}, outcomes={"intrusion opened": 1}, alerts=1)
    )
    assert "Rule intrusion: 4 signals; 1 opened." in opened
    assert "1 alerts were committed." in opened


def test_a_time_is_the_last_one_of_that_name():
    now = datetime(2026, 11, 30, 14, 30, tzinfo=UTC).astimezone()
    assert moment(now.strftime("%H:%M"), now) == now
    later = (now.hour + 1) % 24
    assert moment(f"{later:02}:00", now) < now
    assert (
        moment("2026-11-29 14:03", now).timestamp() == datetime(2026, 11, 29, 14, 3).astimezone().timestamp()
    )
    for text in ("25:00", "then", "14", "14:60", "0001-01-01"):
        with pytest.raises(typer.BadParameter, match="is not a time"):
            moment(text, now)


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("now", "text", "meant"),
    [
        ("2026-10-25 09:00", "01:30", "2026-10-24 23:30"),
        ("2026-10-25 09:00", "23:00", "2026-10-24 21:00"),
        ("2026-10-25 09:00", "02:30", "2026-10-25 01:30"),
        ("2026-10-25 01:10", "02:30", "2026-10-25 00:30"),
        ("2026-10-25 09:00", "03:30", "2026-10-25 02:30"),
        ("2026-03-29 08:00", "01:30", "2026-03-29 00:30"),
        ("2026-03-29 08:00", "02:30", "2026-03-28 01:30"),
        ("2026-03-29 08:00", "22:00", "2026-03-28 21:00"),
        ("2026-03-29 22:30", "00:15", "2026-03-29 22:15"),
    ],
)
def test_a_time_is_that_of_its_own_day_where_the_clock_was_changed_since(now, text, meant):
    """Both clocks are in UTC; at 01:00 UTC summer time begins and ends."""
    found = moment(text, datetime.fromisoformat(f"{now}+00:00"))
    assert found.astimezone(UTC) == datetime.fromisoformat(f"{meant}+00:00")


def test_the_command_explains(tmp_path, camera):
    config, state = tmp_path / "config.yaml", tmp_path / "state"
    state.mkdir()
    command = ("why", "yard", "--at", datetime.fromtimestamp(T, UTC).isoformat(), "-c", config)
    assert "no decisions were recorded" in refused(StateError, *command)
    minutes = [minute(frames=300, looked=300, best={"person": 0.31}, gates={"motion": 300})]
    DecisionRecorder(state, lambda: [minutes.pop() for _ in list(minutes)], ManualClock(wall=T)).flush()
    code, text = surveil(*command)
    assert code == 0
    assert "below `track.high_score` 0.45" in text
    code, text = surveil(*command, "--json")
    assert json.loads(text)["minutes"][0]["best"] == {"person": 0.31}
