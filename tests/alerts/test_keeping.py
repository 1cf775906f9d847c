"""Retention, the full disk, privacy, clips, and cameras that are lost."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from surveil.alerts.camerawatch import CameraWatch, CameraWatchSettings, StreamCondition
from surveil.alerts.clips import Clips
from surveil.alerts.disk import CALM_S, DiskWatch
from surveil.alerts.evidence import Evidence, FrameContext
from surveil.alerts.outbox import Outbox
from surveil.alerts.privacy import YuNet, blur, make_hide
from surveil.alerts.retention import Retention
from surveil.alerts.rows import StoredAlert
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.writer import AlertWriter, WriteJob
from surveil.clock import ManualClock
from surveil.errors import Cause, ConfigError, SourceError, StateError
from surveil.metrics import Metrics
from surveil.types import Alert

from .helpers import T0, alert, frame, make_writer
from .servers import tmpfs

DAY = 86_400.0


def world(
    folder: Path, clock: ManualClock, settings: EvidenceSettings
) -> tuple[Outbox, AlertWriter, Retention]:
    outbox = Outbox.open(folder / "outbox.db", ["ops"], clock)
    retention = Retention(folder, {"gate": settings}, outbox)
    evidence = Evidence(folder, settings, retention.make_room)
    writer = make_writer(outbox, folder, evidence, retention=retention, clock=clock)
    return outbox, writer, retention


def take_all(outbox: Outbox) -> None:
    """Let the sink take everything: evidence of what waits is not deleted."""
    while delivery := outbox.queue.next("ops"):
        outbox.queue.delivered("ops", delivery.seq)


def pictures(folder: Path) -> list[str]:
    return sorted(p.name.split("-")[0] for p in folder.rglob("*.jpg"))


def test_evidence_is_deleted_by_running_time_and_not_by_the_wall_clock(tmp_path, clock):
    outbox, writer, retention = world(tmp_path, clock, EvidenceSettings(keep_days=2, clean=False))
    writer.write([WriteJob([alert(0)], FrameContext(frame=frame()))])
    clock.set_wall(T0 + 400 * DAY)
    assert retention.sweep() == 0
    clock.advance(1.5 * DAY)
    writer.write([WriteJob([alert(60)], FrameContext(frame=frame()))])
    clock.advance(1.0 * DAY)
    take_all(outbox)
    assert retention.sweep() == 1
    assert pictures(tmp_path) == ["221420"]
    outbox.close()


def test_evidence_beyond_its_bytes_goes_oldest_first(tmp_path, clock):
    settings = EvidenceSettings(max_bytes=1_000_000, quality=100, clean=True)
    outbox, writer, retention = world(tmp_path, clock, settings)
    for n in range(12):
        clock.advance(1)
        writer.write([WriteJob([alert(n)], FrameContext(frame=noisy(640, 360)))])
    take_all(outbox)
    while retention.sweep():
        pass
    left = pictures(tmp_path)
    assert 0 < sum(p.stat().st_size for p in tmp_path.rglob("*.jpg")) <= 1_000_000
    assert left == sorted(left)[-len(left) :]
    assert "221331" in left
    assert "221320" not in left
    outbox.close()


def noisy(width: int, height: int):
    made = frame(width, height)
    rng = np.random.default_rng(1)
    made.picture._pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
    return made


def test_files_that_the_database_does_not_know_are_taken_in_and_halves_removed(tmp_path, clock):
    folder = tmp_path / "evidence" / "gate" / "2023-11-14"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"x" * 100)
    (folder / ".b.jpg.tmp").write_bytes(b"x")
    outbox, _, retention = world(tmp_path, clock, EvidenceSettings())
    assert retention.adopt() == 1
    assert retention.adopt() == 0
    assert outbox.evidence.bytes_of("gate") == 100
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg"]
    outbox.close()


def test_a_file_that_cannot_be_deleted_ends_nothing_and_the_next_goes_instead(tmp_path, clock):
    outbox, writer, retention = world(tmp_path, clock, EvidenceSettings(max_bytes=1_000_000))
    day = tmp_path / "evidence" / "gate" / "2023-11-14"
    # A folder is refused to any user, as a file of another one is.
    (day / "held.jpg").mkdir(parents=True)
    for name, size in (("held.jpg", 1_500_000), ("a.jpg", 900_000), ("b.jpg", 900_000)):
        clock.advance(1)
        if name != "held.jpg":
            (day / name).write_bytes(b"x")
        outbox.evidence.adopt([StoredAlert(f"evidence/gate/2023-11-14/{name}", "gate", size)])
    with capture_logs() as said:
        writer.tick()
        retention.sweep()
    assert [one["why"] for one in said] == ["Is a directory"]
    assert sorted(path.name for path in day.iterdir()) == ["b.jpg", "held.jpg"]
    assert retention.deleted == 1
    outbox.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB."""
    with tmpfs(tmp_path / "small", "size=4m"):
        yield tmp_path / "small"


@pytest.mark.rig
def test_on_a_full_disk_the_oldest_evidence_makes_room(small_disk, clock):
    settings = EvidenceSettings(quality=100, clean=False)
    outbox, writer, retention = world(small_disk, clock, settings)
    for n in range(30):
        clock.advance(1)
        (new,) = writer.write([WriteJob([alert(n)], FrameContext(frame=noisy(640, 360)))])
        assert (small_disk / new.evidence["snapshot"]).is_file()
    assert retention.deleted > 0
    assert "221349" in pictures(small_disk)
    assert "221320" not in pictures(small_disk)
    for path in small_disk.rglob("*.jpg"):
        assert cv2.imread(str(path)) is not None
    assert not list(small_disk.rglob("*.tmp"))
    outbox.close()


@pytest.mark.rig
def test_when_others_fill_the_disk_alerts_go_on_without_evidence_and_say_so(small_disk, clock):
    outbox, writer, _ = world(small_disk, clock, EvidenceSettings(quality=100, clean=False))
    hog = small_disk / "hog"
    with hog.open("wb") as file:
        free = os.statvfs(small_disk).f_bavail * 4096
        file.write(b"x" * (free - 200_000))
    first = writer.write([WriteJob([alert(0)], FrameContext(frame=noisy(1280, 720)))])
    second = writer.write([WriteJob([alert(1)], FrameContext(frame=noisy(1280, 720)))])
    assert [(a.rule, a.phase) for a in first] == [("intrusion", "start"), ("storage", "start")]
    assert first[0].evidence == {"snapshot": "missing: No space left on device"}
    assert [a.rule for a in second] == ["intrusion"]
    hog.unlink()
    third = writer.write([WriteJob([alert(2)], FrameContext(frame=noisy(1280, 720)))])
    clock.advance(CALM_S)
    assert [(a.rule, a.phase, a.text) for a in writer.tick()] == [
        ("storage", "end", "evidence is stored again")
    ]
    assert (small_disk / third[0].evidence["snapshot"]).is_file()
    assert outbox.queue.counts()["ops"]["pending"] == 5
    assert not list(small_disk.rglob("*.tmp"))
    outbox.close()


def looks(*alerts: Alert) -> list[list[str]]:
    """Look at one alert after the other, each when nothing has failed for long enough; return the phases told."""
    watch = DiskWatch()
    return [[a.phase for a in watch.look([x], n * CALM_S, T0)] for n, x in enumerate(alerts)]


def test_a_full_disk_is_told_once_and_its_end_once():
    bad, good = (alert(0, evidence={"snapshot": s}) for s in ("missing: full", "a.jpg"))
    assert looks(good, bad, bad, good, good) == [[], ["start"], [], ["end"], []]


def test_a_disk_on_which_only_small_pictures_fit_is_told_once():
    watch = DiskWatch()
    bad, good = (alert(0, evidence={"snapshot": s}) for s in ("missing: full", "a.jpg"))
    told = [a.phase for t in range(1000) for a in watch.look([(good, bad)[t % 2]], t, T0)]
    assert told == ["start"]
    assert watch.look([good], 1000, T0) == []
    assert watch.look([], 999 + CALM_S - 1, T0) == []
    (end,) = watch.look([], 999 + CALM_S, T0)
    assert (end.phase, end.reason) == ("end", "gone")


def test_a_clip_that_does_not_fit_is_told_until_one_is_stored():
    fits = alert(0, evidence={"snapshot": "a.jpg"})
    full, masked, good = (
        alert(0, "end", evidence={"clip": s})
        for s in ("missing: No space left on device", "missing: no packets for a clip", "a.mp4")
    )
    told = looks(masked, full, fits, full, masked, good, good)
    assert told == [[], ["start"], [], [], [], ["end"], []]


# Privacy.


def test_a_mask_is_black_in_what_is_stored_and_the_frame_is_not_touched():
    picture = np.full((100, 200, 3), 200, np.uint8)
    hidden = make_hide([((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))])(picture)
    assert (hidden[:, 101:] == 0).all()
    assert (hidden[:, :97] == 200).all()
    assert (picture == 200).all()


def test_nothing_to_hide_costs_nothing():
    assert make_hide([], EvidenceSettings()) is None


def test_a_blurred_face_has_eight_by_eight_colours_at_most():
    picture = np.random.default_rng(2).integers(0, 255, (120, 120, 3), np.uint8)
    done = blur(picture, np.array([(40, 40, 80, 80), (500, 500, 600, 600)], np.float32))
    face = done[30:90, 30:90].reshape(-1, 3)
    assert len(np.unique(face, axis=0)) <= 64
    assert np.array_equal(done[:29], picture[:29])


def test_a_face_model_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ConfigError, match="is not a YuNet model"):
        YuNet(tmp_path / "none.onnx")


# Clips.


class Ring:
    """A packet ring that writes down what it is asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[float, float]] = []
        self.held: list[float] = []
        self.notes: tuple[str, ...] = ()

    def secure(self, since: float) -> Ring.Hold:
        self.held.append(since)
        return Ring.Hold(self, since)

    def mux(self, path: Path, since: float, until: float) -> tuple[str, ...]:
        self.asked.append((since, until))
        path.write_bytes(b"half")
        if self.error:
            raise self.error
        return self.notes

    class Hold:
        def __init__(self, ring: Ring, since: float) -> None:
            self.ring, self.since = ring, since

        def release(self) -> None:
            self.ring.held.remove(self.since)


def clip_world(tmp_path: Path, clock: ManualClock, ring: Ring, **more: object) -> tuple[Outbox, AlertWriter]:
    settings = {"gate": EvidenceSettings(clip=True, pre_s=5, post_s=3, max_clip_s=60)}
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    clips = Clips(tmp_path, settings, {"gate": ring}, **more)
    return outbox, make_writer(outbox, tmp_path, clips=clips, clock=clock)


def test_the_end_alert_waits_for_its_clip_and_names_it(tmp_path, clock):
    ring = Ring()
    outbox, writer = clip_world(tmp_path, clock, ring)
    began = clock.monotonic()
    assert len(writer.write([WriteJob([alert(0)])])) == 1
    assert ring.held == [began - 5]
    clock.advance(10)
    assert writer.write([WriteJob([alert(0, "end")])]) == []
    clock.advance(2)
    assert writer.tick() == []
    clock.advance(2)
    (end,) = writer.tick()
    assert (tmp_path / end.evidence["clip"]).read_bytes() == b"half"
    assert ring.asked == [(began - 5, began + 13)]
    assert ring.held == []
    assert outbox.open_events() == []
    outbox.close()


def test_a_start_that_is_committed_at_the_second_try_holds_its_packets_once(tmp_path, clock):
    ring = Ring()
    outbox, writer = clip_world(tmp_path, clock, ring)
    start = alert(0, details={"much": "x" * 100_000})
    (pages,) = outbox.db.writer.execute("PRAGMA page_count").fetchone()
    outbox.db.writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="full"):
        writer.write([WriteJob([start])])
    outbox.db.writer.execute("PRAGMA max_page_count = 100000")
    assert len(writer.write([WriteJob([start])])) == 1
    assert len(ring.held) == 1
    writer.write([WriteJob([alert(0, "end")])])
    writer.finish()
    assert ring.held == []
    outbox.close()


def test_an_end_whose_clip_the_database_held_up_is_told_later(tmp_path, clock):
    busy = [True]

    def make_room(_size: int) -> bool:
        if busy:
            raise StateError("the database is locked")
        return True

    outbox, writer = clip_world(tmp_path, clock, Ring(), make_room=make_room)
    for n in range(2):
        writer.write([WriteJob([alert(n)])])
        writer.write([WriteJob([alert(n, "end")])])
    clock.advance(60)
    with pytest.raises(StateError):
        writer.tick()
    busy.clear()
    assert [(a.t, a.phase) for a in writer.tick()] == [(0.0, "end"), (1.0, "end")]
    assert outbox.open_events() == []
    outbox.close()


def test_overlapping_events_have_clips_of_their_own(tmp_path, clock):
    ring = Ring()
    outbox, writer = clip_world(tmp_path, clock, ring)
    writer.write([WriteJob([alert(0)])])
    clock.advance(1)
    writer.write([WriteJob([alert(1)])])
    writer.write([WriteJob([alert(0, "end"), alert(1, "end")])])
    first, second = writer.finish()
    assert first.evidence["clip"] != second.evidence["clip"]
    assert len(ring.asked) == 2
    outbox.close()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (SourceError(Cause.NO_VIDEO, "no packets for a clip"), "missing: no packets for a clip"),
        (OSError(28, "No space left on device"), "missing: No space left on device"),
    ],
)
def test_an_end_without_a_clip_says_why_and_nothing_half_written_is_left(tmp_path, clock, error, why):
    outbox, writer = clip_world(tmp_path, clock, Ring(error))
    writer.write([WriteJob([alert(0)])])
    writer.write([WriteJob([alert(0, "end")])])
    end, *_ = writer.finish()
    assert end.evidence == {"clip": why}
    assert not [p for p in tmp_path.rglob("*") if "tmp" in p.name or p.suffix == ".mp4"]
    outbox.close()


def test_a_clip_that_the_disk_does_not_take_is_counted_and_an_alert(tmp_path, clock):
    ring, registry = Ring(OSError(28, "No space left on device")), CollectorRegistry()
    outbox, writer = clip_world(tmp_path, clock, ring, metrics=Metrics(registry))
    told = []
    for n in range(3):
        writer.write([WriteJob([alert(n)])])
        writer.write([WriteJob([alert(n, "end")])])
        clock.advance(CALM_S)
        told.append([(a.rule, a.phase) for a in writer.finish()])
        ring.error = None if n else ring.error
    event_end = ("intrusion", "end")
    assert told == [[event_end, ("storage", "start")], [event_end], [event_end, ("storage", "end")]]
    assert registry.get_sample_value("surveil_evidence_errors_total", {"reason": "disk_full"}) == 2
    outbox.close()


def test_a_camera_with_a_store_mask_has_no_clip_and_says_so(tmp_path, clock):
    outbox, writer = clip_world(tmp_path, clock, Ring(), masked=frozenset({"gate"}))
    writer.write([WriteJob([alert(0)])])
    (end,) = writer.write([WriteJob([alert(0, "end")])])
    assert end.evidence == {
        "clip": "missing: stored pictures of this camera are masked, and packets cannot be"
    }
    outbox.close()


def test_what_is_to_be_said_of_a_clip_stands_beside_it(tmp_path, clock):
    ring = Ring()
    ring.notes = ("only the part after a change", "browsers may refuse it")
    outbox, writer = clip_world(tmp_path, clock, ring)
    writer.write([WriteJob([alert(0)])])
    writer.write([WriteJob([alert(0, "end")])])
    clock.advance(60)
    (end,) = writer.tick()
    assert end.evidence["clip"].endswith(".mp4")
    assert end.evidence["clip_note"] == "only the part after a change; browsers may refuse it"
    outbox.close()


def test_a_clip_is_never_longer_than_it_may_be(tmp_path, clock):
    ring = Ring()
    outbox, writer = clip_world(tmp_path, clock, ring)
    began = clock.monotonic()
    writer.write([WriteJob([alert(0)])])
    clock.advance(600)
    writer.write([WriteJob([alert(0, "end")])])
    writer.tick()
    assert ring.asked == [(began - 5, began + 55)]
    outbox.close()


# Cameras.


def sights(*states: tuple[float, str]) -> list[tuple[str, float]]:
    """Step a watch through (time, state); return (phase, time of the report) of what it told."""
    watch = CameraWatch(CameraWatchSettings(after_s=30, back_after_s=10), {"gate": ("ops",)})
    told = []
    for t, state in states:
        told += [(a.phase, t) for a in watch.step({"gate": StreamCondition(state, "timeout")}, t, T0 + t)]
    return told


def test_a_camera_that_is_lost_for_long_enough_is_an_alert_and_its_return_ends_it():
    assert sights(
        (0, "streaming"),
        (5, "lost"),
        (34, "lost"),
        (35, "connecting"),
        (60, "streaming"),
        (69, "streaming"),
        (70, "degraded"),
    ) == [("start", 35), ("end", 70)]


def test_a_short_loss_is_no_alert_and_a_camera_that_flaps_is_one():
    assert sights((0, "lost"), (20, "streaming"), (30, "streaming"), (32, "lost"), (57, "streaming")) == []
    assert sights(
        (0, "lost"),
        (30, "lost"),
        (40, "streaming"),
        (45, "lost"),
        (100, "streaming"),
        (105, "lost"),
        (200, "lost"),
    ) == [("start", 30)]


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_stepped_while_a_camera_is_lost_leaves_its_end_where_it_was(step_s):
    watch = CameraWatch(CameraWatchSettings(after_s=30, back_after_s=10), {"gate": None})
    told = []
    for t in range(120):
        state, wall = ("lost", T0) if t < 100 else ("streaming", T0 + step_s)
        told += watch.step({"gate": StreamCondition(state)}, t, wall + t)
    start, end = told
    assert end.t_wall - start.t_wall == 110
    assert end.details == {"duration_s": 100}


@pytest.mark.parametrize(("up_s", "down_s"), [(1.3, 4.7), (5.0, 19.0), (6.0, 2.0), (9.0, 1.0)])
def test_a_camera_that_is_reset_every_few_seconds_is_lost(up_s, down_s):
    """Seen once a second, as the daemon looks."""
    period = up_s + down_s
    states = [(t, "streaming" if t % period < up_s else "connecting") for t in range(600)]
    told = sights(*states)
    assert [phase for phase, _ in told] == ["start"]
    assert told[0][1] <= 40 * period / down_s


def test_a_hiccup_now_and_then_is_no_loss():
    states = [(t, "lost" if t % 30 < 4 else "streaming") for t in range(3600)]
    assert sights(*states) == []


def test_the_alert_of_a_camera_that_flaps_says_so():
    watch = CameraWatch(CameraWatchSettings(after_s=10), {"gate": None})
    alerts = [
        a
        for t in range(30)
        for a in watch.step(
            {"gate": StreamCondition("streaming" if t % 5 == 4 else "lost", "reset")}, t, T0 + t
        )
    ]
    assert [a.text for a in alerts] == ["camera gate is lost repeatedly: reset"]


def test_a_stalled_camera_without_a_key_frame_is_lost_and_a_disabled_one_is_not():
    assert sights((0, "waiting_for_keyframe"), (30, "waiting_for_keyframe")) == [("start", 30)]
    assert sights((0, "disabled"), (300, "disabled")) == []


def test_the_alert_says_since_when_and_why():
    watch = CameraWatch(CameraWatchSettings(after_s=30), {"gate": ("ops",)})
    watch.step({"gate": StreamCondition("lost", "timeout")}, 100.0, T0)
    (start,) = watch.step({"gate": StreamCondition("lost", "timeout")}, 130.0, T0 + 30)
    assert (start.text, start.t_wall, start.sinks) == ("camera gate sends no pictures: timeout", T0, ("ops",))
    watch.step({"gate": StreamCondition("streaming")}, 200.0, T0 + 100)
    (end,) = watch.step({"gate": StreamCondition("streaming")}, 210.0, T0 + 110)
    assert (end.event_id, end.reason, end.details) == (start.event_id, "back", {"duration_s": 100.0})
