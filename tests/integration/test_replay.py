"""A recording gives the same alerts on every run, on one thread or on many."""

import json
import random
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.app.assembly import make_pipeline
from surveil.app.evidence_store import EvidenceStore
from surveil.app.replay import START_WALL, Replay, write_lines
from surveil.capture.loop import CaptureLoop
from surveil.clock import Stop, SystemClock
from surveil.config import load
from surveil.errors import SourceError
from surveil.features.base import Shared
from surveil.metrics import Metrics
from tests.integration.world import config_text, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, passing_clip):
    path = tmp_path / "config.yaml"
    path.write_text(config_text(str(passing_clip), tmp_path / "state"))
    return load(path)


def replayed(config, detector, clip, folder):
    folder.mkdir()
    return Replay(config, "yard", detector, folder).run([clip])


def test_two_replays_are_byte_identical(config, detector, passing_clip, replayed_passing, tmp_path):
    again = replayed(config, detector, passing_clip, tmp_path / "again").alerts
    for name, alerts in (("a", replayed_passing[0]), ("b", again)):
        with (tmp_path / f"{name}.jsonl").open("w") as file:
            write_lines(alerts, file)
    first = (tmp_path / "a.jsonl").read_bytes()
    assert first == (tmp_path / "b.jsonl").read_bytes()
    assert first


def test_every_drawn_person_crosses_the_line_once_in_his_direction(passing, replayed_passing):
    truth = replace(passing, lines={"gate": ((0.5, 0.0), (0.5, 1.0))}).crossings("gate")
    alerts = replayed_passing[0]
    crossed = [a for a in alerts if a.rule == "line_crossing" and a.phase == "start"]
    assert [a.direction for a in crossed] == [c.direction for c in truth]
    assert [a.t for a in crossed] == pytest.approx([c.t for c in truth], abs=1.0)


def test_every_start_has_one_end_after_it(replayed_passing):
    alerts = replayed_passing[0]
    assert alerts
    for alert in alerts:
        phases = [a.phase for a in alerts if a.event_id == alert.event_id]
        assert phases == ["start", "end"]


def test_a_recording_that_cannot_be_played_is_named_and_the_others_are_played(
    config, detector, passing_clip, tmp_path
):
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no film\n" * 100)
    (tmp_path / "state").mkdir()
    found = []
    videos = [passing_clip, bad, passing_clip]
    result = Replay(config, "yard", detector, tmp_path / "state").run(videos, on_alerts=found.extend)
    assert [str(failure).partition(":")[0] for failure in result.failures] == [str(bad)]
    with pytest.raises(SourceError, match="bad"):
        result.checked()
    once = replayed(config, detector, passing_clip, tmp_path / "once")
    assert [a.rule for a in result.alerts] == 2 * [a.rule for a in once.alerts]
    assert found == list(result.alerts)
    assert result.seconds == pytest.approx(2 * once.seconds)
    assert len({a.id for a in result.alerts}) == len(result.alerts)


def test_an_error_in_the_analysis_ends_the_replay_with_it(config, detector, passing_clip, tmp_path):
    (tmp_path / "r").mkdir()

    def refuse(alerts):
        raise ZeroDivisionError(f"{len(alerts)} alerts")

    with pytest.raises(ZeroDivisionError, match="1 alerts"):
        Replay(config, "yard", detector, tmp_path / "r").run([passing_clip], on_alerts=refuse)


@pytest.mark.parametrize("ends_by", ["a bad file", "a signal"])
def test_the_command_writes_alerts_as_they_are_found(config, passing_clip, tmp_path, ends_by):
    bad, lines = tmp_path / "bad.mp4", tmp_path / "alerts.jsonl"
    bad.write_text("this is no film\n" * 100)
    videos = [passing_clip, bad] if ends_by == "a bad file" else [passing_clip] * 50
    command = [
        sys.executable,
        "-m",
        "surveil",
        "replay",
        *videos,
        "-c",
        config.path,
        "--alerts",
        lines,
        "--json",
    ]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if ends_by == "a signal":
        wait_for(lambda: lines.exists() and lines.stat().st_size, 60)
        child.terminate()
    out, err = child.communicate(timeout=60)
    summary = json.loads(out)
    assert len(lines.read_text().splitlines()) == summary["alerts"] > 0
    if ends_by == "a signal":
        assert child.returncode == 128 + signal.SIGTERM
    else:
        assert child.returncode == 1
        assert str(bad) in err
        assert [str(bad) in words for words in summary["failed"]] == [True]


def test_a_replay_that_is_ended_keeps_what_was_found(config, detector, passing_clip, tmp_path):
    job, seen = Replay(config, "yard", detector, tmp_path), []

    def see(frame):
        seen.append(frame)
        job.ending = job.ending or any(a.phase == "start" for a in frame.alerts)

    result = job.run([passing_clip, passing_clip], on_seen=see)
    assert {a.phase for a in result.alerts} == {"start", "end"}
    assert result.frames < len(replay_frames(config, detector, passing_clip, tmp_path / "whole"))


def replay_frames(config, detector, clip, folder):
    folder.mkdir()
    seen = []
    Replay(config, "yard", detector, folder).run([clip], on_seen=seen.append)
    return seen


def test_a_bug_while_reading_ends_the_replay_with_it(config, detector, passing_clip, tmp_path):
    """It waited for ever for a frame that could not come."""

    def fails(t):
        if t > 1.0:
            raise RuntimeError("a bug in reading")

    with pytest.raises(RuntimeError, match="a bug in reading"):
        Replay(config, "yard", detector, tmp_path).run([passing_clip], on_decoded=fails)


class Jittering:
    """A clock whose reader is sometimes held up, so that threads meet in ever different order."""

    def __init__(self):
        self._clock, self._random, self._stop = SystemClock(), random.Random(5), Stop()

    def monotonic(self):
        self._clock.sleep(self._random.choice((0, 0, 0.003)), self._stop)
        return self._clock.monotonic()

    def wall(self):
        return self._clock.wall()

    def sleep(self, seconds, stop):
        return self._clock.sleep(seconds, stop)


def test_threads_and_one_thread_give_the_same_alerts(config, detector, replayed_passing, tmp_path):
    alone = replayed_passing[0]
    clock, stop, together = Jittering(), Stop(), []
    metrics = Metrics(CollectorRegistry())
    outbox = Outbox.open(tmp_path / "threads" / "surveil.db", [], clock)
    archive = EvidenceStore(tmp_path / "threads", outbox, config.storm, metrics, clock, clips=False)
    archive.keep(config.cameras["yard"])
    stages = make_pipeline(
        config, detector, archive.writer, Shared(metrics, clock), lossless=True, on_alerts=together.extend
    )
    stream = config.cameras["yard"].stream.model_copy(update={"realtime": False})
    capture = CaptureLoop(
        "yard", stream, stages.ring.put, stages.ring.lose, metrics, clock, stop, start_wall=START_WALL
    )
    beat = lambda: None  # noqa: E731
    threads = {
        "capture": [capture.run],
        "prepare": [lambda: stages.prepare.run(Stop(), beat)] * 2,
        "detect": [lambda: stages.detect.run(beat)],
        "analyse": [lambda: stages.analyse.run(beat)],
        "commit": [lambda: stages.commit.run(beat, stop)],
    }
    running = {name: [threading.Thread(target=run) for run in runs] for name, runs in threads.items()}
    for group in running.values():
        for thread in group:
            thread.start()
    after = {"capture": stages.ring.close, "prepare": stages.detect.inbox.close,
             "detect": stages.analyse.inbox.close, "analyse": stages.commit.inbox.close}  # fmt: skip
    for name, group in running.items():
        for thread in group:
            thread.join()
        after.get(name, lambda: None)()
    books = stages.ring.books()["yard"]
    outbox.close()
    assert books.received == books.processed + books.waiting + sum(books.dropped.values())
    as_text = [[json.dumps(str(alert)) for alert in alerts] for alerts in (alone, together)]
    assert as_text[0] == as_text[1]
