"""What the recorder writes, where one file ends, and why something is missing between two."""

import os
from dataclasses import replace

import pytest

from surveil.alerts.evidence import FOLDER as EVIDENCE
from surveil.capture.settings import RECORDINGS, RecordSettings
from surveil.reasons import Reason
from surveil.recording.boxes import extent
from surveil.recording.files import open_index, verify
from surveil.recording.index import DATABASE
from surveil.recording.reasons import Gap
from surveil.recording.tap import RecordTap
from tests.alerts.helpers import alert
from tests.capture.test_packets import stored
from tests.recording.world import CONTINUOUS, EVENTS, locked, world
from tests.rig.clips import make_clip

pytestmark = pytest.mark.slow


def test_every_picture_is_recorded_once_in_files_of_a_minute(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(150)
        first, second, third = here.end()
        assert [round(one.seconds) for one in (first, second, third)] == [60, 60, 30]
        assert sum(len(here.frames(one)) for one in (first, second, third)) == 150 * 15
        for before, after in ((first, second), (second, third)):
            assert after.gap == Gap.NONE
            assert after.start == pytest.approx(before.end, abs=0.01)
        here.assert_sound()
        assert here.value("surveil_recording_bytes_total") == sum(one.bytes for one in here.segments())
        assert here.value("surveil_recording_seconds_total") == pytest.approx(150)


@pytest.mark.parametrize(
    ("codec", "name"), [("hevc", "a.ts"), ("mjpeg", "a.avi"), ("h264", "a.mp4"), ("hevc", "a.mkv")]
)
def test_other_codecs_and_framings_are_recorded_too(tmp_path, codec, name):
    with world(tmp_path, make_clip(tmp_path / name, codec, seconds=2.0, gop=15)) as here:
        here.send(6)
        [only] = here.end()
        assert (only.codec, len(here.frames(only))) == (codec, 90)
        assert extent(tmp_path / only.path).fragments <= 7
        here.assert_sound()


def test_pictures_that_are_shown_in_another_order_than_they_come_keep_it(tmp_path):
    options = {"bf": "2", "tune": "psnr", "x264-params": "scenecut=0:b-adapt=0:rc-lookahead=10"}
    with world(tmp_path, make_clip(tmp_path / "a.ts", seconds=4.0, gop=15, options=options)) as here:
        sources = iter(here.packets)

        def as_sent(packet):
            source = next(sources)
            return replace(source, arrived=packet.arrived)

        assert any(one.pts != one.dts for one in here.packets)
        here.send(4, change=as_sent)
        [only] = here.end()
        times = [frame.time for frame in here.frames(only)]
        assert len(times) == 60
        assert times == pytest.approx([times[0] + i / 15 for i in range(60)], abs=0.01)


def test_files_are_private_and_lie_by_camera_and_day(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(3)
        [only] = here.end()
        assert only.path == f"{RECORDINGS}/yard/2023-11-14/2023-11-14T221320.000Z.mp4"
        assert (tmp_path / only.path).stat().st_mode & 0o777 == 0o640
        assert (tmp_path / DATABASE).stat().st_mode & 0o777 == 0o640


def test_what_was_written_plays_while_the_file_is_still_open(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(10)
        [only] = here.segments()
        assert only.state == "open"
        assert 8 <= extent(tmp_path / only.path).seconds <= 10


@pytest.mark.parametrize("torn", [1, 400, 20_000])
def test_after_a_crash_at_most_the_open_fragment_is_lost(tmp_path, clip, torn):
    """The tail of the file is as a write leaves it that was interrupted."""
    with world(tmp_path, clip) as here:
        here.send(20)
        [only] = here.segments()
        whole = extent(tmp_path / only.path)
    file = tmp_path / only.path
    with file.open("ab") as opened:  # a fragment that began
        opened.write(file.read_bytes()[-torn:])
    with world(tmp_path, clip) as again:
        [found] = again.segments()
        assert (found.state, found.seconds, found.bytes) == ("cut", whole.seconds, whole.bytes)
        assert len(again.frames(found)) == round(whole.seconds * 15)
        again.assert_sound()
        again.clock.advance(60)
        again.send(3)
        assert again.end()[-1].gap == Gap.KILLED


def test_a_clean_end_is_told_from_a_crash(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(3)
        here.end()
    with world(tmp_path, clip) as again:
        again.clock.advance(60)
        again.send(3)
        assert [one.gap for one in again.end()] == ["", Gap.STOPPED]
        assert again.value("surveil_recording_gaps_total", reason="stopped") == 1


def test_a_lost_connection_is_a_gap(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(4)
        here.tap.restart()
        here.clock.advance(30)
        here.send(4)
        before, after = here.end()
        assert after.gap == Gap.CAMERA
        assert after.start - before.end == pytest.approx(30, abs=0.1)


def test_a_camera_that_pauses_is_a_gap(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(4)
        here.clock.advance(20)
        here.send(4)
        before, after = here.end()
        assert after.gap == Gap.PAUSED
        assert after.start - before.end == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("step", [-3600.0, 7200.0])
def test_a_step_of_the_clock_begins_a_new_file_and_loses_nothing(tmp_path, clip, step):
    with world(tmp_path, clip) as here:
        here.send(4)
        here.clock.set_wall(here.clock.wall() + step)
        here.send(4)
        files = sorted(here.end(), key=lambda one: one.id)
        assert [one.gap for one in files] == ["", Gap.CLOCK]
        assert files[1].start - files[0].end == pytest.approx(step, abs=0.1)
        assert sum(len(here.frames(one)) for one in files) == 8 * 15


def test_other_parameter_sets_begin_a_new_file_without_a_gap(tmp_path, clip):
    """Within a connection, and even where only the stream itself says so."""
    larger = stored(make_clip(tmp_path / "b.ts", size=(480, 272), seconds=4.0, gop=30))
    with world(tmp_path, clip) as here:
        here.send(4)
        described, here.packets = here.packets[0].parameters, larger
        here.send(4, change=lambda packet: replace(packet, parameters=described))
        before, after = here.end()
        assert after.gap == Gap.NONE
        assert {frame.width for frame in here.frames(before)} == {320}
        assert {frame.width for frame in here.frames(after)} == {480}


def test_files_begin_where_every_player_can_unless_no_such_place_comes(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(100, change=lambda packet: replace(packet, entry=False))
        assert len(here.segments()) == 1
        here.send(120, change=lambda packet: replace(packet, entry=False))
        here.send(40)
        assert [round(one.seconds) for one in here.end()] == [180, 60, 20]


@pytest.mark.parametrize("rate", [0.0, 0.4, 0.9])
def test_a_recording_of_a_camera_whose_stamps_run_slow_is_as_long_as_it_was(tmp_path, clip, rate):
    def slow(packet):
        return replace(packet, pts=round(packet.pts * rate), dts=round(packet.dts * rate))

    with world(tmp_path, clip) as here:
        here.send(58, change=slow)
        assert sum(one.seconds for one in here.end()) == pytest.approx(58, abs=2.0)


def test_a_recording_of_a_camera_whose_stamps_run_fast_comes_back_to_the_clock(tmp_path, clip):
    def fast(packet):
        return replace(packet, pts=packet.pts * 2, dts=packet.dts * 2)

    with world(tmp_path, clip) as here:
        here.send(58, change=fast)
        assert sum(one.seconds for one in here.end()) == pytest.approx(58, abs=2.0)


def test_packets_without_stamps_are_placed_by_their_arrival(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(10, change=lambda packet: replace(packet, pts=None, dts=None))
        [only] = here.end()
        assert only.seconds == pytest.approx(10, abs=0.1)
        assert len(here.frames(only)) == 150


def test_what_comes_before_the_first_key_frame_is_not_recorded(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.sent = 10
        here.send(4)
        [only] = here.end()
        assert len(here.frames(only)) == 40


def test_a_queue_that_is_full_drops_up_to_a_key_frame_and_counts():
    packets = stored_small()
    tap = RecordTap(most_bytes=sum(len(one.data) for one in packets[:20]))
    for one in packets[:40]:
        tap.append(one)
    assert tap.dropped == 20
    assert len(list(tap.take())) == 20
    for one in packets[40:]:
        tap.append(one)
    taken = list(tap.take())
    assert tap.dropped == 25
    assert taken[0] is Gap.OVERLOAD
    assert taken[1].key


def stored_small():
    from fractions import Fraction

    from surveil.capture.packets import Parameters, StoredPacket

    its = Parameters(codec="h264", extradata=b"", width=64, height=48)
    return [
        StoredPacket(
            data=bytes(100),
            pts=i,
            dts=i,
            time_base=Fraction(1, 15),
            key=i % 15 == 0,
            arrived=i / 15,
            parameters=its,
        )
        for i in range(60)
    ]


@pytest.fixture
def disk(monkeypatch, tmp_path):
    """What the system says of the disk: as full as the test wants it."""
    real, full = os.statvfs, {"of": lambda: False}

    def statvfs(path):
        found = list(real(path))
        found[4] = 0 if full["of"]() else found[2]
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return full


def test_a_disk_without_room_stops_the_recording_and_nothing_else(tmp_path, clip, disk):
    with world(tmp_path, clip) as here:
        disk["of"] = lambda: True
        here.send(4)
        assert not here.segments()
        disk["of"] = lambda: False
        here.clock.advance(10)
        here.send(6)
        here.end()
        assert here.value("surveil_recording_active") == 0
        assert len(here.segments()) == 1


def replace_settings(**changes):
    return RecordSettings(**{"mode": "continuous", "min_free_bytes": 0, **changes})


def test_a_write_that_fails_takes_back_what_it_cut_off(tmp_path, clip):
    """A limit on the size of files is the disk that refuses."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with world(tmp_path, clip) as here:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
            here.send(20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        here.send(10)
        files = here.end()
        assert len(files) > 1
        assert {one.gap for one in files[1:]} == {Gap.DISK}
        assert all(here.frames(one) for one in files)
        here.assert_sound()


def test_what_mp4_cannot_hold_is_a_gap_of_one_camera(tmp_path, clip):
    with world(tmp_path, clip) as here:
        odd = replace(here.packets[0].parameters, codec="vp7")
        here.send(2, change=lambda packet: replace(packet, parameters=odd))
        assert here.segments() == []
        here.clock.advance(10)
        here.send(6)
        assert [round(one.seconds) for one in here.end()] == [6]
        assert not list((tmp_path / RECORDINGS).rglob("*.tmp"))


def test_a_lost_index_is_made_anew_from_the_files(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(70)
        before = here.end()
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    (tmp_path / f"{DATABASE}-wal").unlink(missing_ok=True)
    index = open_index(tmp_path, 5.0)
    found = index.all()
    assert [(one.path, one.bytes, one.start) for one in found] == [
        (o.path, o.bytes, pytest.approx(o.start, abs=1e-3)) for o in before
    ]
    assert [one.seconds for one in found] == [pytest.approx(one.seconds, abs=0.1) for one in before]
    assert {one.created_s for one in found} == {5.0}
    assert {one.gap for one in found} == {Gap.NONE}
    assert not verify(index, tmp_path)
    index.close()


def test_a_lost_index_leaves_gaps_without_their_reason(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(65)
        here.tap.restart()
        here.clock.advance(30)
        here.send(4)
        here.end()
    (tmp_path / DATABASE).unlink()
    with world(tmp_path, clip) as again:
        assert [one.gap for one in again.segments()] == [Gap.NONE, Gap.NONE, Gap.UNKNOWN]


def test_an_index_that_is_wrong_is_told(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(130)
        short, gone, longer = here.end()
        with (tmp_path / short.path).open("r+b") as file:
            file.truncate(short.bytes - 10)
        (tmp_path / gone.path).unlink()
        with (tmp_path / longer.path).open("ab") as file:
            file.write(b"more")
        assert [fault.path for fault in verify(here.index, tmp_path)] == [short.path, gone.path, longer.path]


def sweep(here, seconds=0.0):
    here.clock.advance(seconds)
    here.recorder.sweep()
    return here.segments()


def test_the_oldest_goes_when_it_is_too_old_whatever_the_clock_says(tmp_path, clip):
    with world(tmp_path, clip, replace_settings(keep_days=1.0)) as here:
        here.send(130)
        assert len(here.end()) == 3
        here.clock.set_wall(here.clock.wall() + 30 * 86_400)
        assert len(sweep(here)) == 3
        assert len(sweep(here, 86_400 - 30)) == 1
        assert not sweep(here, 200)
        assert not list((tmp_path / RECORDINGS).rglob("*.mp4"))


def test_what_is_too_much_goes_the_oldest_first_and_what_belongs_to_an_event_last(tmp_path, clip):
    with world(tmp_path, clip, replace_settings(max_bytes=10_000_000)) as here:
        here.send(250)
        first, *rest = here.end()
        here.recorder.committed([alert(camera="yard", phase="start", t_wall=first.start + 10)])
        here.recorder.committed([alert(camera="yard", phase="end", t_wall=first.start + 20)])
        here.recorder.step()
        kept = first.bytes + rest[-1].bytes + rest[-2].bytes
        here.recorder._settings["yard"] = replace_settings().model_copy(update={"max_bytes": kept})
        assert [one.id for one in sweep(here)] == [first.id, rest[-2].id, rest[-1].id]
        here.recorder._settings["yard"] = replace_settings().model_copy(update={"max_bytes": first.bytes - 1})
        assert not sweep(here)


def test_only_what_events_need_stays_where_only_events_are_recorded(tmp_path, clip):
    with world(tmp_path, clip, EVENTS) as here:
        here.send(60)
        event = here.clock.wall()
        here.recorder.committed([alert(camera="yard", phase="start", t_wall=event)])
        here.send(60)
        here.recorder.committed([alert(camera="yard", phase="end", t_wall=event + 60)])
        here.send(120)
        here.end()
        kept = sweep(here, 200)
        assert kept[0].start <= event - 5.0 < kept[0].end
        assert kept[-1].start <= event + 65.0 < kept[-1].end
        assert sum(one.seconds for one in kept) <= 70 + 2 * 16


def test_an_event_that_goes_on_keeps_what_it_has(tmp_path, clip):
    with world(tmp_path, clip, EVENTS) as here:
        event = here.clock.wall()
        here.recorder.committed([alert(camera="yard", phase="start", t_wall=event + 1)])
        here.send(120)
        before = here.end()
        assert sweep(here, 3600) == before


def test_a_message_of_a_moment_keeps_its_surroundings_and_nothing_else(tmp_path, clip):
    """A digest of withheld alerts begins and has no end."""
    with world(tmp_path, clip, EVENTS) as here:
        here.send(60)
        digest = here.clock.wall()
        here.recorder.committed([alert(camera="yard", t_wall=digest, reason=Reason.INSTANT)])
        here.send(120)
        here.end()
        kept = sweep(here, 200)
        assert kept[0].start <= digest - 5.0 < kept[0].end
        assert kept[-1].start <= digest + 5.0 < kept[-1].end
        assert sum(one.seconds for one in kept) <= 10 + 2 * 16


def test_the_size_of_a_camera_costs_an_open_event_nothing(tmp_path, clip):
    with world(tmp_path, clip, replace_settings(pre_s=0.0)) as here:
        here.send(65)
        here.recorder.committed([alert(camera="yard", t_wall=here.clock.wall())])
        here.send(185)
        _, *event = here.end()
        here.recorder._settings["yard"] = replace_settings().model_copy(update={"max_bytes": 1})
        assert sweep(here) == event
        here.recorder.committed([alert(camera="yard", phase="end", t_wall=here.clock.wall())])
        here.recorder.step()
        assert not sweep(here)


def test_a_full_disk_takes_the_video_of_an_open_event_last(tmp_path, clip):
    """The oldest file is of an event that goes on, the newest of one that has ended."""
    with world(tmp_path, clip, replace_settings(pre_s=0.0, post_s=0.0)) as here:
        here.recorder.committed([alert(1, camera="yard", t_wall=here.clock.wall() + 1)])
        here.send(10)
        here.recorder.drop("yard")
        here.tap = here.recorder.follow("hall", CONTINUOUS)
        here.send(70)
        here.recorder.committed([alert(2, camera="hall", phase="end", t_wall=here.clock.wall() - 1)])
        here.send(1)
        opened, free, ended = sorted(here.end(), key=lambda one: one.id)
        assert [one.id for one in here.index.expendable(None, 9)] == [free.id, ended.id, opened.id]
        assert [one.id for one in here.index.expendable("yard", 9)] == []


def test_what_a_crash_left_open_is_kept_whatever_the_clock_says_at_the_start(tmp_path, clip):
    """After a power cut the clock of a board without a battery is behind."""
    with world(tmp_path, clip, EVENTS) as here:
        here.send(10)
        here.recorder.committed([alert(camera="yard", t_wall=here.clock.wall())])
        here.send(60)
    with world(tmp_path, clip, EVENTS, ahead_s=-600.0) as again:
        before = again.segments()
        assert round(sum(one.seconds for one in before)) in range(67, 71)
        assert sweep(again, 400) == before


def test_an_event_that_the_index_did_not_take_is_told_again(tmp_path, clip):
    with world(tmp_path, clip, EVENTS) as here:
        here.send(20)
        with locked(here):
            here.recorder.committed([alert(camera="yard", t_wall=here.clock.wall())])
            here.recorder._guarded(here.recorder.step)
        here.send(60)
        before = here.end()
        assert sweep(here, 3600) == before


def test_nothing_is_deleted_before_the_index_knows_of_an_event(tmp_path, clip):
    with world(tmp_path, clip, EVENTS) as here:
        here.send(20)
        event = here.clock.wall()
        before = here.end()
        with locked(here):
            here.recorder.committed([alert(camera="yard", t_wall=event)])
            here.clock.advance(3600)
            here.recorder._guarded(here.recorder.step)
        here.recorder.step()
        assert here.segments() == before
        assert all((tmp_path / one.path).exists() for one in before)


def test_recordings_leave_the_evidence_alone(tmp_path, clip, disk):
    """They go when the disk is full; nothing beside them does."""
    other = tmp_path / EVIDENCE / "yard" / "a.jpg"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x")
    with world(tmp_path, clip) as here:
        here.send(70)
        here.end()
        disk["of"] = lambda: any((tmp_path / RECORDINGS).rglob("*.mp4"))
        assert here.recorder._keeping.make_room(CONTINUOUS)
        assert not here.segments()
        assert other.exists()


def test_a_camera_that_is_recorded_no_more_ends_its_file_and_its_series(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(4)
        here.recorder.drop("yard")
        here.recorder.step()
        assert [one.state for one in here.segments()] == ["whole"]
        assert here.value("surveil_recording_active") is None
