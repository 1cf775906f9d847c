"""What the outbox knows of events keeps their video, even where the index of recordings does not know of them."""

from contextlib import closing, contextmanager

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.history import History
from surveil.alerts.outbox import Outbox
from surveil.app.parts import Recordings, State
from surveil.clock import ManualClock, Stop
from surveil.config.load import load
from surveil.metrics import Metrics
from surveil.recording.index import DATABASE
from surveil.recording.recorder import PastEvents
from surveil.threads import ThreadGroup
from tests.alerts.helpers import alert
from tests.recording.world import CONTINUOUS, EVENTS, world

pytestmark = pytest.mark.slow
OUTBOX = "surveil.db"
CONFIG = """
version: 1
state_dir: {folder}
cameras: {{yard: {{url: rtsp://192.0.2.1/a, record: {{mode: events, pre_s: 5, post_s: 5, min_free_bytes: 0}}}}}}
"""


def commit(folder, *alerts):
    with closing(Outbox.open(folder / OUTBOX, [], ManualClock())) as outbox:
        outbox.committer.commit(alerts)


def known(folder):
    return PastEvents(of=History(folder / OUTBOX).spans)


def lose_index(folder):
    (folder / DATABASE).write_bytes(b"no database" * 1000)
    for suffix in ("-wal", "-shm"):
        (folder / (DATABASE + suffix)).unlink(missing_ok=True)


def swept(recorder, clock, seconds):
    """What is left after so long."""
    recorder.step()
    clock.advance(seconds)
    recorder.sweep()
    return recorder._index.all()


@pytest.fixture
def untold(tmp_path, clip):
    """Two minutes of video and an event in the second one, of which the recorder was not told; when it began."""
    with world(tmp_path, clip, EVENTS) as here:
        here.send(60)
        event = here.clock.wall()
        here.send(60)
    return event


@contextmanager
def started(folder, *, ahead_s=0.0):
    """The recorder of a daemon that has started, and its clock."""
    (folder / "config.yaml").write_text(CONFIG.format(folder=folder))
    config, clock = load(folder / "config.yaml"), ManualClock()
    clock.set_wall(clock.wall() + 120 + ahead_s)
    state = State(config, clock)
    recordings = Recordings(state, Metrics(CollectorRegistry()), clock, ThreadGroup(Stop()))
    recordings.follow(config.cameras["yard"])
    state.end_open_events()
    yield recordings._recorder, clock
    recordings._recorder._index.close()
    state.close()


def test_an_event_that_ended_before_the_recorder_was_told_keeps_its_video(tmp_path, untold):
    commit(
        tmp_path, alert(camera="yard", t_wall=untold), alert(camera="yard", phase="end", t_wall=untold + 20)
    )
    with started(tmp_path) as (recorder, clock):
        first, *_, last = swept(recorder, clock, 100_000)
        assert first.start <= untold - 5 < first.end
        assert last.start <= untold + 25 < last.end


@pytest.mark.parametrize("ahead_s", [0.0, -600.0])
def test_an_event_that_a_crash_left_open_keeps_its_video(tmp_path, untold, ahead_s):
    commit(tmp_path, alert(camera="yard", t_wall=untold))
    with started(tmp_path, ahead_s=ahead_s) as (recorder, clock):
        first, *_, last = swept(recorder, clock, 100_000)
        assert first.start <= untold - 5 < first.end
        assert last.end > untold + 57


def test_a_camera_that_was_lost_keeps_nothing(tmp_path, untold):
    lost = {"camera": "yard", "rule": CAMERA_LOST, "type": CAMERA_LOST, "t_wall": untold}
    commit(tmp_path, alert(**lost), alert(phase="end", **lost))
    with started(tmp_path) as (recorder, clock):
        assert not swept(recorder, clock, 100_000)


def test_an_event_that_goes_on_when_recording_begins_keeps_what_follows(tmp_path, clip):
    with world(tmp_path, clip, EVENTS, past=known(tmp_path)) as here:
        commit(tmp_path, alert(camera="yard", t_wall=here.clock.wall() - 3600))
        here.send(120)
        before = here.end()
        assert len(swept(here.recorder, here.clock, 3600)) == len(before)


def test_a_lost_index_costs_no_event_its_video(tmp_path, clip):
    """Not even one that the outbox has forgotten."""
    with world(tmp_path, clip, EVENTS) as here:
        here.send(20)
        here.recorder.committed([alert(camera="yard", t_wall=here.clock.wall())])
        here.send(60)
        here.recorder.committed([alert(camera="yard", phase="end", t_wall=here.clock.wall())])
        here.send(60)
        here.end()
        kept = swept(here.recorder, here.clock, 3600)
    lose_index(tmp_path)
    with world(tmp_path, clip, EVENTS) as again:
        assert [one.path for one in swept(again.recorder, again.clock, 3600)] == [one.path for one in kept]


def test_after_a_lost_index_the_video_of_events_still_goes_last(tmp_path, clip):
    with world(tmp_path, clip) as here:
        event = here.clock.wall() + 30
        here.send(150)
        first, second, third = [one.path for one in here.end()]
    commit(tmp_path, alert(camera="yard", t_wall=event), alert(camera="yard", phase="end", t_wall=event + 5))
    lose_index(tmp_path)
    with world(tmp_path, clip, CONTINUOUS, past=known(tmp_path)) as again:
        again.recorder.step()
        assert [one.path for one in again.index.expendable("yard", 9)] == [second, third, first]


def test_nothing_goes_while_the_outbox_cannot_be_read(tmp_path, untold, clip):
    commit(
        tmp_path, alert(camera="yard", t_wall=untold), alert(camera="yard", phase="end", t_wall=untold + 20)
    )
    with world(tmp_path, clip, EVENTS, past=known(tmp_path)) as here:
        before = here.segments()
        (tmp_path / OUTBOX).rename(tmp_path / "away")
        here.clock.advance(3600)
        here.recorder.step()
        assert here.segments() == before
        (tmp_path / "away").rename(tmp_path / OUTBOX)
        here.recorder.step()
        assert 2 <= len(here.segments()) < len(before)
