"""Decoding on demand where the stream, the network or the analysis does not keep to what was learned."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import pytest

from surveil.capture.avsource import AvSource
from surveil.capture.backlog import EncodedBacklog
from surveil.capture.decoder import Coding, PacketDecoder
from surveil.capture.pace import KeptPacket, Pace
from surveil.capture.settings import StreamSettings
from surveil.lane import Drop
from surveil.reasons import DecodeWhy
from tests.capture.viewer import FPS, SIZE, Cut, Viewer, both, pictures, scene
from tests.rig.clips import make_clip


@pytest.mark.parametrize(("gop", "reaction_s"), [(15, 4.0), (5, 2.0)])
def test_a_wake_goes_back_to_the_look_before_however_long_ago_that_was(clip, gop, reaction_s):
    """Before, what had waited for longer than a group and 1.5 s was given up, though the analysis was never late."""
    demand, full = both(clip((10.4, 14.5), gop=gop), idle_reaction_s=reaction_s)
    assert full.moved
    assert pictures(demand.moved) == pictures(full.moved)
    assert (demand.books.dropped[Drop.BEHIND], demand.loop.status.decode) == (0, DecodeWhy.PROVEN)
    assert demand.is_balanced()


class Stalled(Cut):
    """A camera whose network holds the packets of 2.5 s up, and then brings them at once."""

    def read(self):
        self._work()
        arrival = AvSource.read(self)
        if arrival is not None and arrival.stamp is not None:
            moment = 12.8 if 10.3 <= arrival.stamp < 12.8 else arrival.stamp
            self._clock.advance(max(0.0, self._began + moment - self._clock.monotonic()))
        return arrival


def test_who_came_while_the_network_was_stalled_is_seen_from_the_first_frame_on(clip):
    """Before, the burst counted as an analysis that is late: 2 s of a visit were given up."""
    demand = Viewer(clip((10.4, 14.5)), camera=Stalled)
    moved = [frame.t for frame in demand.moved if frame.t > 6]
    assert moved[0] == pytest.approx(10.4, abs=0.01)
    assert demand.books.dropped[Drop.BEHIND] == 0
    assert demand.is_balanced()


@pytest.mark.parametrize(
    ("size", "fps", "gop", "reaction_s"),
    [(200_000, 25, 1, 1.0), (60_000, 25, 25, 4.0), (170_000, 25, 5, 1.15)],
)
def test_what_comes_between_two_looks_has_room_however_short_groups_are(size, fps, gop, reaction_s):
    """Before, room was for three groups: a camera of 12 Mbit/s at looks 4 s apart was decoded in full ever after."""
    pace = Pace(gop_s=gop / fps, reaction_s=reaction_s, gop_bytes=size * gop)
    between_looks = size * fps * 1.15 * reaction_s
    assert 2 * between_looks < pace.most_bytes <= 32 << 20


def test_room_for_short_groups_has_an_end_and_that_for_one_long_group_stays():
    def room(gop_s, gop_bytes):
        return Pace(gop_s=gop_s, reaction_s=4.0, gop_bytes=gop_bytes).most_bytes

    assert room(0.04, 2 << 20) == 32 << 20
    assert room(30.0, 20 << 20) == 60 << 20
    assert room(0.0, 0) == 4 << 20


def test_a_camera_whose_backlog_is_full_is_opened_anew_where_no_key_frame_comes(tmp_path):
    """Before, all that came up to the next key frame was given up, however far off that was."""
    options = {"forced-idr": "1", "b": "8000k"}
    options["x264opts"] = "nal-hrd=cbr:filler=1:vbv-maxrate=8000:vbv-bufsize=8000"
    film = {"seconds": 30, "gop": 5000, "scene": scene((9.2, 30.0)), "keys": [FPS * n for n in range(9)]}
    path = make_clip(tmp_path / "clip.mp4", "h264", SIZE, options=options, **film)
    demand = Viewer(path, held=(10.0, 16.0), keyframe_timeout_s=6.0)
    assert [lost.cause for lost in demand.lost] == ["damaged"]
    assert demand.clock.monotonic() - max(frame.arrived for frame in demand.seen) < 8.0
    assert demand.books.dropped[Drop.BEHIND] > 0
    assert demand.is_balanced()


def asleep(path):
    """Return a backlog that is asleep, and the packets of a film."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        packets = [
            KeptPacket(n, bytes(p), p.is_keyframe, n / FPS, n / FPS, n / FPS, 0.0, broken=False)
            for n, p in enumerate(p for p in film.demux(stream) if p.size)
        ]
        decoder = PacketDecoder(Coding.of(stream), StreamSettings(url="rtsp://192.0.2.1/"))
    backlog = EncodedBacklog("gate", decoder, Pace(gop_s=1.0, reaction_s=1.0, gop_bytes=0), 5.0)
    backlog.awake = False
    return backlog, packets


@pytest.fixture(scope="module")
def silent(clip):
    """Return a packet that a decoder that was flushed makes no picture of, and does not complain about."""
    _, packets = asleep(clip((0.0, 16.0), intra_refresh="1", x264opts="keyint=15:intra-refresh=1"))
    return next(packet.data for packet in packets[1:] if packet.key)


@pytest.mark.parametrize("awake", [False, True])
def test_packets_that_give_no_picture_are_told_though_the_decoder_does_not_complain(clip, silent, awake):
    """Before, nobody looked at such a camera ever again, and it was not opened anew."""
    backlog, packets = asleep(clip())
    backlog.awake = awake
    for packet in packets[:45]:
        backlog.append(packet._replace(data=silent))
        assert backlog.look() is None
        assert list(backlog.frames(calm=False)) == []
    # A look must give a picture; while it is awake, the decoder may owe some.
    assert (backlog.drought.s, backlog.drought.complains) == (pytest.approx(44 / FPS), not awake)
    backlog.append(packets[45])
    assert len(list(backlog.frames(calm=False))) == 1
    assert (backlog.drought.s, backlog.drought.complains) == (0.0, False)


def test_what_comes_before_a_look_that_gives_no_picture_is_analysed(clip):
    """Before, it was passed over, and so was a visitor of up to two groups of pictures."""
    demand, full = both(
        clip((9.2, 10.8)), sent=lambda number, _, data: data[:40] if number == 10 * FPS else data
    )
    assert [frame for frame in full.moved if 9.2 <= frame.t < 10.0]
    assert pictures(demand.moved) == pictures(full.moved)
    assert demand.is_balanced()


def joined(path, *parts):
    """Make a stream that goes on with other options: (seconds, options) of each part. A square walks from 12 s on."""
    tick, number = Fraction(1, FPS), 0
    with av.open(str(path), "w", format="mpegts") as film:
        stream = film.add_mux_stream("h264", width=SIZE[0], height=SIZE[1], time_base=tick)
        for seconds, options in parts:
            encoder = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *SIZE, "yuv420p"
            encoder.time_base, encoder.framerate, encoder.gop_size = tick, FPS, FPS
            encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"} | options
            frames = []
            for n in range(number, number + seconds * FPS):
                frames.append(av.VideoFrame.from_ndarray(scene((12.2, 16.0))(n, *SIZE), format="rgb24"))
                frames[-1].pts, frames[-1].time_base = n, tick
            packets = (packet for frame in [*frames, None] for packet in encoder.encode(frame))
            for n, packet in enumerate(packets, number):
                packet.pts, packet.dts, packet.stream = packet.pts + 5, n, stream
                film.mux(packet)
            number += seconds * FPS
    return path


PLAIN = (7, {})


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"bf": "2", "tune": "film", "b-adapt": "0"}, DecodeWhy.REORDERED),
        ({"intra-refresh": "1", "x264opts": "keyint=15:intra-refresh=1"}, DecodeWhy.NOT_ALONE),
    ],
    ids=["B frames", "intra refresh"],
)
def test_a_stream_that_goes_on_with_what_cannot_be_decoded_on_demand_is_decoded_in_full(
    tmp_path, options, why
):
    """Before, what had been proven once was never asked again: B frames vanished, and refreshes showed nothing."""
    demand, full = both(joined(tmp_path / "clip.ts", PLAIN, (9, options)))
    assert demand.books.dropped[Drop.IDLE] > 0
    assert demand.loop.status.decode is why
    # A decoder that begins with intra refresh shows nothing for the first second.
    assert max(b.t - a.t for a, b in pairwise(demand.seen)) < 2.5
    assert max(b.t - a.t for a, b in pairwise(demand.seen) if a.t > 9.0) < 0.3
    came = [min(frame.t for frame in viewer.moved if frame.t > 9.0) for viewer in (demand, full)]
    assert came[0] == pytest.approx(came[1], abs=0.2)
    assert demand.is_balanced()


def test_b_frames_that_begin_while_all_is_decoded_are_counted(tmp_path):
    """Before, every picture that was sent before the one that it follows vanished."""
    backlog, packets = asleep(
        joined(tmp_path / "clip.ts", PLAIN, (2, {"bf": "2", "tune": "film", "b-adapt": "0"}))
    )
    backlog.awake = True
    taken = []
    for packet in packets:
        backlog.append(packet)
        taken += [frame.seq for frame in backlog.frames(calm=False)]
    backlog.end()
    taken += [frame.seq for frame in backlog.frames(calm=False)]
    assert taken == sorted(set(taken))
    assert len(taken) < len(packets)
    assert len(taken) + backlog.take_skipped() == len(packets)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", {"tune": "film", "x264opts": "bframes=2:b-adapt=0:scenecut=0"}),
        ("hevc", {"x265-params": "bframes=2:b-adapt=0:scenecut=0:open-gop=0:log-level=none"}),
    ],
)
@pytest.mark.parametrize("fps", [5.0, FPS])
def test_a_decoder_that_holds_pictures_back_gives_each_once_and_in_order(tmp_path, codec, options, fps):
    """Before, what it held was numbered after packets that came later, and one picture was taken twice."""
    film = {"seconds": 16.0, "scene": scene((10.4, 13.0)), "keys": range(0, 16 * FPS, FPS), "no_b": True}
    forced = {"forced-idr": "1"}
    path = make_clip(tmp_path / "clip.mp4", codec, SIZE, options=options | forced, **film)
    demand, full = both(path, fps=fps)
    assert demand.loop.status.decode is DecodeWhy.PROVEN
    assert full.moved
    # A stream's own decoder gives two at once now and then, and the newer one overwrites the other.
    assert set(pictures(f for f in full.moved if f.t > 6)) <= set(pictures(demand.moved))
    assert [frame.seq for frame in demand.seen] == sorted({frame.seq for frame in demand.seen})
    assert all(a.t < b.t for a, b in pairwise(demand.seen))
    assert demand.books.received == full.books.received == 16 * FPS
    assert demand.is_balanced()


@pytest.mark.parametrize("cost_s", [0.05, 0.1])
def test_what_is_kept_is_analysed_though_newer_frames_that_are_decoded_already_wait(clip, cost_s):
    """Before, the first of these counted as analysed, and all that was kept as too early: a second of a visit."""
    asked = iter([None] * 11)
    film = clip((10.4, 14.5))
    demand = Viewer(film, cost_s=cost_s, full=lambda: next(asked, DecodeWhy.RULE))
    full = Viewer(film, cost_s=cost_s, full=DecodeWhy.SETTING)
    moved = [[frame.t for frame in viewer.moved if 6 < frame.t < 11] for viewer in (demand, full)]
    assert demand.loop.status.decode is DecodeWhy.RULE
    assert moved[0] == moved[1]
    assert demand.is_balanced()


def test_what_packets_without_a_picture_leave_behind_does_not_grow(clip):
    backlog, packets = asleep(clip((0.0, 16.0)))
    backlog.awake = True
    owed = []
    for packet in packets:
        backlog.append(packet._replace(data=packet.data[:3]) if packet.seq % 5 == 4 else packet)
        list(backlog.frames(calm=False))
        owed.append(len(backlog._fed))
    assert max(owed) <= 17
    assert backlog.drop() == 0


def taken(backlog):
    """Take all there is; return the numbers of the pictures."""
    numbers = []
    while backlog.is_ready(0.0):
        numbers += [frame.seq for frame in backlog.frames(calm=True)]
        while (frame := backlog.look()) is not None:
            numbers.append(frame.seq)
            backlog.stay()
    return numbers


def test_a_camera_that_ends_when_it_may_fall_asleep_is_looked_at_for_a_last_time(clip):
    """Before, all that came after its last key frame was lost."""
    backlog, packets = asleep(clip())
    backlog.awake = True
    for packet in packets[:30]:
        backlog.append(packet)
    backlog.end()
    assert taken(backlog) == [0, 15, 29]
    assert backlog.drop() == 0


@pytest.mark.parametrize("awake", [False, True])
@pytest.mark.parametrize("taken_before", [False, True])
def test_a_backlog_that_ended_keeps_nothing_more(clip, awake, taken_before):
    """Before, the last group and a decoder were kept for as long as the connection lasted."""
    backlog, packets = asleep(clip())
    backlog.awake = awake
    for packet in packets[:31]:
        backlog.append(packet)
    if taken_before:
        list(backlog.frames(calm=False))
        while backlog.look() is not None:
            backlog.stay()
    backlog.end()
    taken(backlog)
    assert (backlog.bytes, backlog._decoder._context) == (0, None)
    assert not backlog.is_ready(100.0)
    assert backlog.drop() == 0
