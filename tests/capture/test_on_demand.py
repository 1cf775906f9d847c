"""What an idle camera keeps encoded is analysed as if it had never waited; where that cannot be, all is decoded."""

from __future__ import annotations

import json
import threading
from itertools import pairwise

import av
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from benchmarks.rehearsal import AsIfLive
from surveil.alerts.arming import Disarmed
from surveil.app.arming import Arming
from surveil.app.camera_runtime import why_full
from surveil.capture.backlog import EncodedBacklog
from surveil.capture.decoder import Coding, PacketDecoder
from surveil.capture.loop import CaptureLoop
from surveil.capture.pace import KeptPacket, Pace
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop, SystemClock
from surveil.config import load
from surveil.lane import Drop, Lost
from surveil.metrics import Metrics
from surveil.pipeline.prepare import pull
from surveil.pipeline.work import Work
from surveil.reasons import DecodeWhy
from surveil.ring import FrameRing
from surveil.types import Frame
from surveil.vision.motion import SETTLE_S, MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.settings import MotionSettings
from tests.capture.viewer import (
    FPS,
    Viewer,
    backlog_of,
    both,
    growing,
    kept,
    pictures,
)
from tests.integration.world import wait_for
from tests.resident import resident_mb
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera


@pytest.mark.parametrize(("codec", "gop"), [("h264", 15), ("hevc", 30), ("h264", 60)])
def test_who_stays_for_a_look_is_seen_from_the_same_frame_on_as_with_every_picture_decoded(clip, codec, gop):
    demand, full = both(clip((10.4, 13.0), codec=codec, gop=gop))
    assert demand.loop.status.decode is DecodeWhy.PROVEN
    assert full.moved
    assert pictures(demand.moved) == pictures(full.moved)
    assert demand.books.dropped[Drop.IDLE] > 20
    assert demand.books.received == full.books.received
    assert demand.is_balanced()
    assert max(demand.ages) <= min(gop / FPS, 1.15) + 0.1
    assert [frame.seq for frame in demand.seen] == sorted({frame.seq for frame in demand.seen})


def test_while_nothing_moves_only_key_frames_are_looked_at(clip):
    idle = [frame for frame in Viewer(clip()).seen if frame.t > 6.0]
    assert [frame.t for frame in idle] == pytest.approx([*range(7, 16), 15.93], abs=0.01)


def test_key_frames_that_a_busy_machine_read_late_are_not_taken_for_far_apart(clip):
    """Before, a group of 1 s was taken for one of 1.5 s, and was looked at between its key frames ever after."""
    idle = [frame for frame in Viewer(clip(), busy_s=1.95, idle_reaction_s=0.9).seen if frame.t > 6.0]
    assert [frame.t for frame in idle] == pytest.approx([*range(7, 16), 15.93], abs=0.01)


def test_where_key_frames_are_far_apart_it_is_looked_in_between(clip):
    seen = [frame.t for frame in Viewer(clip(gop=60), idle_reaction_s=1.0).seen if frame.t > 12.0]
    assert np.diff(seen[:-1]) == pytest.approx(1.0, abs=0.01)  # the end is looked at, too
    seldom = [frame.t for frame in Viewer(clip(gop=60), idle_reaction_s=4.0).seen if frame.t > 11.9]
    assert seldom[:-1] == pytest.approx([12.0], abs=0.01)


def test_a_camera_that_lengthens_its_groups_in_a_quiet_scene_is_looked_at_as_often_as_before(tmp_path):
    """Before, a key frame that was overdue was waited for, and whoever came and went until then was never seen."""
    demand, full = both(growing(tmp_path / "clip.mp4", (11.4, 13.0)))
    assert full.moved
    assert pictures(demand.moved) == pictures(full.moved)
    looks = [frame.t for frame in demand.seen if frame.t > 6.0]
    assert max(np.diff(looks)) <= 1.15 + 1 / FPS + 1e-3
    assert demand.is_balanced()


def test_a_group_that_is_too_large_to_be_kept_is_decoded_to_its_end_and_so_is_all_that_follows(tmp_path):
    """Before, nothing more of it was kept, and nobody was seen up to the next key frame."""
    stuffed = "nal-hrd=cbr:filler=1:vbv-maxrate=8000:vbv-bufsize=8000"
    path = growing(tmp_path / "clip.mp4", (14.2, 14.8), (20.2, 20.8), b="8000k", x264opts=stuffed)
    demand, full = both(path)
    assert [frame.t for frame in full.moved if 14 < frame.t < 15]
    assert pictures(demand.moved) == pictures(full.moved)
    assert (demand.books.dropped[Drop.BEHIND], demand.loop.status.decode) == (0, DecodeWhy.OVERRUN)
    assert demand.is_balanced()


def test_a_longer_group_fades_once_groups_are_short_again():
    pace = Pace(gop_s=1.0, reaction_s=1.0, gop_bytes=0)
    for seq in range(11 * FPS):
        pace.follow(kept(seq, gop=10 * FPS))
    assert (pace.gop_s, pace.gop_bytes) == (pytest.approx(10.0), 10 * FPS * 1000)
    for seq in range(20 * FPS, 40 * FPS):
        pace.follow(kept(seq, gop=FPS))
    assert 1.15 < pace.gop_s < 7.0
    for seq in range(40 * FPS, 180 * FPS):
        pace.follow(kept(seq, gop=FPS))
    assert pace.is_of_keys


def test_key_frames_closer_than_need_be_are_passed_over(clip):
    seen = [frame.t for frame in Viewer(clip(gop=5), idle_reaction_s=1.0).seen if frame.t > 8.0]
    assert np.diff(seen[:-1]) == pytest.approx(1.0, abs=0.01)


def test_what_comes_and_goes_between_two_looks_is_counted_as_not_decoded(clip):
    demand = Viewer(clip((10.2, 10.8)))
    assert not [frame for frame in demand.moved if frame.t > 4.0]
    assert demand.books.dropped[Drop.IDLE] > 100
    assert demand.is_balanced()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"intra_refresh": "1", "x264opts": "keyint=15:intra-refresh=1"}, DecodeWhy.NOT_ALONE),
        ({"bf": "2", "tune": "film"}, DecodeWhy.REORDERED),
        ({"x264opts": "open-gop=1:bframes=0:ref=1"}, DecodeWhy.PROVEN),
    ],
    ids=["intra refresh", "B frames", "open GOP"],
)
def test_a_stream_is_decoded_on_demand_only_where_that_gives_the_same_pictures(clip, options, why):
    demand, full = both(clip((10.4, 13.0), **options))
    assert demand.loop.status.decode is why
    assert pictures(demand.moved) == pictures(full.moved)
    assert (demand.books.dropped[Drop.IDLE] > 0) == (why is DecodeWhy.PROVEN)


def test_the_settings_may_ask_for_every_picture(clip):
    viewer = Viewer(clip(), full=DecodeWhy.SETTING)
    assert (viewer.loop.status.decode, viewer.books.dropped[Drop.IDLE]) == (DecodeWhy.SETTING, 0)


def test_what_was_kept_when_the_camera_was_lost_is_looked_at_before_the_loss(clip):
    demand = Viewer(clip((10.2, 13.0)), cut_s=10.8)
    full = Viewer(clip((10.2, 13.0)), cut_s=10.8, full=DecodeWhy.SETTING)
    assert isinstance(demand.order[-1], Lost)
    assert pictures(demand.moved) == pictures(full.moved)
    assert max(frame.t for frame in demand.moved) > 10.5
    assert demand.is_balanced()


def test_a_camera_whose_key_frames_are_all_damaged_is_analysed_after_a_while_though_it_sleeps(clip):
    """Before, every look was dropped as damaged for as long as that went on: nobody was seen any more."""
    torn = {"torn": lambda number, key: key and number > 8 * FPS, "degraded_after_s": 2.0}
    demand, full = both(clip((13.2, 16.0)), fps=float(FPS), **torn)
    looks = [frame for frame in demand.seen if frame.t > 8.5]
    assert [frame.degraded for frame in looks] == [frame.t > 9.0 for frame in looks]
    assert [frame.t for frame in looks if 11.95 < frame.t < 13.05] == pytest.approx([12.0, 13.0], abs=0.01)
    assert full.moved
    assert pictures(demand.moved) == pictures(full.moved)


def test_what_comes_before_a_damaged_look_is_analysed_as_with_every_picture_decoded(clip):
    """Before, it was passed over, and so was whoever would have been seen by that look."""
    demand, full = both(clip((9.4, 10.6)), torn=lambda number, _: number == 10 * FPS)
    assert [frame for frame in full.moved if 9.4 <= frame.t < 10.0]
    assert pictures(demand.moved) == pictures(full.moved)
    assert pictures(f for f in demand.seen if 9 <= f.t < 10) == pictures(
        f for f in full.seen if 9 <= f.t < 10
    )
    assert demand.books.dropped[Drop.DAMAGED] == full.books.dropped[Drop.DAMAGED] > 0
    assert demand.is_balanced()


def test_a_look_after_a_damaged_one_in_the_same_group_is_damaged_though_nothing_more_was_lost(clip):
    with av.open(str(clip(gop=60))) as film:
        stream = film.streams.video[0]
        packets = [(bytes(packet), packet.is_keyframe) for packet in film.demux(stream) if packet.size]
        decoder = PacketDecoder(Coding.of(stream), StreamSettings(url="rtsp://192.0.2.1/"))
    looked = EncodedBacklog("gate", decoder, Pace(gop_s=4.0, reaction_s=1.0, gop_bytes=0), 5.0)
    looked.awake = False
    damaged = {}
    for number, (data, key) in enumerate(packets[:76]):
        sent = data[: len(data) // 2] + bytes(len(data) // 2) if number == 20 else data
        t = number / FPS
        looked.append(KeptPacket(number, sent, key, t, t, t, 0.0, broken=False))
        if (frame := looked.look()) is not None:
            damaged[round(frame.t)] = frame.damaged
            looked.stay()
    assert damaged == {0: False, 1: False, 2: True, 3: True, 4: False, 5: False}


def test_an_analysis_that_is_held_up_goes_on_at_a_key_frame_and_counts_what_it_gave_up(clip):
    demand = Viewer(clip((10.4, 16.0)), held=(11.5, 15.6))
    assert demand.books.dropped[Drop.BEHIND] > 0
    assert demand.is_balanced()
    # A group of pictures and 2 s.
    assert max(demand.ages) <= 1.0 + 2.0


@pytest.mark.parametrize(("gop", "reaction_s"), [(15, 1.0), (30, 1.0), (30, 2.0)])
def test_an_idle_camera_keeps_no_more_than_two_groups_of_pictures(clip, gop, reaction_s):
    path = clip((10.4, 13.0), gop=gop)
    demand = Viewer(path, idle_reaction_s=reaction_s)
    with av.open(str(path)) as container:
        packets = [(p.is_keyframe, p.size) for p in container.demux(video=0)]
    keys = [i for i, (key, _) in enumerate(packets) if key]
    groups = [sum(size for _, size in packets[a:b]) for a, b in pairwise([*keys, len(packets)])]
    assert min(groups) < max(demand.kept) <= 2 * max(groups)
    assert demand.registry.get_sample_value("surveil_capture_kept_bytes", {"camera": "gate"}) == 0


@pytest.mark.parametrize(("awake", "groups"), [(True, 3), (False, 4)])
def test_what_is_kept_is_bounded_and_its_overrun_is_told(awake, groups):
    assert not backlog_of(45, size=100_000, awake=awake).overrun
    made = backlog_of(100, size=100_000, awake=awake)
    assert made.overrun
    assert (groups - 0.1) * (2 << 20) < made.bytes <= groups * (2 << 20)
    assert made.drop() + made.take_skipped() == 100
    assert made.bytes == 0


def test_what_an_overrun_gave_up_is_counted_though_nobody_looked_again():
    ring = FrameRing()
    ring.add("gate", None, 5.0)
    ring.follow("gate", backlog_of(70, size=100_000))
    ring.follow("gate", backlog_of(1))
    books = ring.books()["gate"]
    assert books.dropped[Drop.BEHIND] > 0
    assert books.dropped[Drop.BEHIND] + books.dropped[Drop.LOST] == books.received == 70


@pytest.mark.parametrize("was_on_demand", [True, False])
def test_a_loss_that_waits_for_the_slot_leaves_what_the_next_connection_keeps(was_on_demand):
    """Before, it was forgotten with the loss, and the camera was not looked at until it was lost once more."""
    ring = FrameRing()
    ring.add("gate", None, 5.0)
    if was_on_demand:
        ring.follow("gate", backlog_of(1))
        ring.kept("gate")
    else:
        ring.put(Frame(camera="gate", seq=0, t=0.0, t_wall=0.0, picture=None))
    slot = ring.poll()
    ring.lose(lost := Lost(camera="gate", t=1.0, t_wall=1.0, cause="reset"))
    ring.follow("gate", backlog := backlog_of(5))
    for item in (lost, backlog, backlog):
        ring.give_back(slot)
        slot = ring.poll()
        assert slot.item is item


def test_what_is_dropped_keeps_nothing_more():
    made = backlog_of(5)
    made.drop()
    made.append(kept(5))
    assert (made.bytes, made.is_ready(0.0)) == (0, False)


def test_a_camera_whose_analysis_begins_again_is_awake_until_its_gate_has_settled():
    gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
    planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=10.0)
    work = Work(camera="gate", gate=gate, planner=planner)
    assert not work.calmed(100.0)
    work.stirred = 100.0
    assert [work.calmed(100.0 + SETTLE_S - 0.1), work.calmed(100.0 + SETTLE_S)] == [False, True]


@pytest.mark.rig
def test_a_camera_on_the_network_is_learned_anew_at_each_connection(clip):
    ring, stop = FrameRing(), Stop()
    gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
    planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=10.0)
    ring.add("gate", Work(camera="gate", gate=gate, planner=planner), 5.0)
    metrics = Metrics(CollectorRegistry())
    metrics.add_camera("gate", ())
    told = []

    def serve():
        while slot := ring.take(stop):
            if not isinstance(slot.item, Frame | Lost):
                pull(ring, slot, slot.item)
            if isinstance(slot.item, Frame) and slot.state.stirred is None:
                slot.state.stirred = slot.item.t
            ring.give_back(slot)

    def idle():
        return ring.books()["gate"].dropped[Drop.IDLE]

    with Camera(clip(gop=5)) as camera:
        stream = StreamSettings(url=camera.url, idle_reaction_s=0.5)
        loop = CaptureLoop(
            "gate", stream, ring.put, ring.lose, metrics, SystemClock(), stop, wants=ring.wants, taker=ring
        )
        decodes = loop.status.decodes
        loop.status.decodes = lambda why, gop_s: (told.append(why), decodes(why, gop_s))
        threads = [threading.Thread(target=loop.run), threading.Thread(target=serve)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: idle() > 5)
            camera("kick")
            wait_for(lambda: len(told) >= 4)
            before = idle()
            wait_for(lambda: idle() > before)
        finally:
            stop.set()
            ring.close()
            for thread in threads:
                thread.join()
    assert told[:4] == [DecodeWhy.LEARNING, DecodeWhy.PROVEN] * 2
    books = ring.books()["gate"]
    assert books.received == books.processed + books.waiting + sum(books.dropped.values())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, None),
        ({"decode": "full"}, DecodeWhy.SETTING),
        ({"motion": {"enabled": False}}, DecodeWhy.SETTING),
        ({"normality": {"enabled": True}}, None),
        ({"rules": [{"type": "presence", "decode": "full"}]}, DecodeWhy.RULE),
    ],
)
def test_what_the_settings_ask_for(tmp_path, settings, why):
    camera = configured(tmp_path, **settings).cameras["gate"]
    assert why_full(camera, {}, 0.0) is why


def configured(folder, schedules=None, **settings):
    path = folder / "config.yaml"
    camera = {"url": "rtsp://192.0.2.1/", **settings}
    path.write_text(json.dumps({"version": 1, "cameras": {"gate": camera}, "schedules": schedules or {}}))
    return load(path)


def test_a_rule_asks_for_every_picture_only_while_it_may_alert(tmp_path):
    rules = [{"type": "presence", "decode": "full", "schedule": "night"}, {"type": "picture"}]
    config = configured(tmp_path, {"night": {"windows": ["22:00-06:00"]}}, rules=rules)
    camera, arming = config.cameras["gate"], Arming()
    off = arming.why_off(camera, config.schedules)
    noon, midnight = 12 * 3600.0, 24 * 3600.0
    assert [why_full(camera, off, t) for t in (noon, midnight)] == [None, DecodeWhy.RULE]
    arming.switches = {("gate", "presence"): Disarmed(since=0.0, until=midnight + 60)}
    assert [why_full(camera, off, t) for t in (midnight, midnight + 60)] == [None, DecodeWhy.RULE]


def test_a_rule_that_is_armed_meanwhile_has_every_picture_decoded_from_the_next_key_frame_on(clip):
    """And no longer once it is disarmed: whoever comes and goes between two looks is seen in between only."""
    asked = iter([None] * 9 + [DecodeWhy.RULE] * 3)
    viewer = Viewer(clip((8.2, 8.8), (10.2, 10.8), (13.2, 13.8)), full=lambda: next(asked, None))
    assert {round(frame.t) for frame in viewer.moved if frame.t > 4.0} <= {10, 11}
    assert [frame for frame in viewer.moved if 10.2 <= frame.t < 10.8]
    assert viewer.loop.status.decode is DecodeWhy.PROVEN
    assert viewer.is_balanced()


def test_a_decoder_that_is_not_needed_for_now_keeps_no_pictures(tmp_path):
    """While packets wait encoded, the stream's own decoder would hold on to some pictures: 5 MB at 720p."""
    path = make_clip(tmp_path / "wide.mp4", size=(1920, 1080), seconds=0.6, gop=30)
    source = AsIfLive(StreamSettings(url=str(path)), ManualClock(), lambda: None)
    source.open()
    before = resident_mb()
    assert sum(len(source.decode(source.read()).shots) for _ in range(8)) >= 6
    decoding = resident_mb() - before
    source.drain()
    assert decoding > 6.0
    assert resident_mb() - before < 0.5 * decoding
    source.close()


def test_a_camera_that_sleeps_keeps_neither_decoder_nor_picture(tmp_path):
    """Between two looks, where each is at a key frame: a decoder holds 5 MB at 720p."""
    path = make_clip(tmp_path / "wide.mp4", size=(1920, 1080), seconds=1.2, gop=1)
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        data = [bytes(packet) for packet in film.demux(stream) if packet.size]
        decoder = PacketDecoder(Coding.of(stream), StreamSettings(url="rtsp://192.0.2.1/"))
    looked = EncodedBacklog("gate", decoder, Pace(gop_s=0.2, reaction_s=0.2, gop_bytes=1000), 5.0)
    looked.awake = False
    kept_mb = []
    for number, packet in enumerate(data):
        looked.append(KeptPacket(number, packet, True, 0.2 * number, 0.0, 0.0, 0.0, False))
        frame = looked.look()
        assert frame is not None
        kept_mb.append(resident_mb())
        del frame
        looked.stay()
        kept_mb.append(resident_mb())
    looks, between = kept_mb[4::2], kept_mb[5::2]
    assert min(looks) - max(between) > 2.0
