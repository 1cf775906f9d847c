"""H.264 packets become fragments that play, with the times of their capture."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import pytest

from surveil.capture.h264 import shape
from surveil.console.live.parameters import sets_of
from surveil.console.live.reasons import WhyPictures
from surveil.console.live.remux import Fragment, Header, Remuxer
from tests.console.packets import decoded, fragments, later, remuxed, stored
from tests.rig.clips import make_clip


def pixels(frames):
    return [frame.to_ndarray(format="gray").tobytes() for frame in frames]


def original(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.flv"])
def test_the_same_pictures_come_out_whether_units_have_start_codes_or_lengths(tmp_path, name):
    path = make_clip(tmp_path / name, seconds=1.0, gop=5)
    pieces = remuxed(stored(path))
    assert [type(piece) for piece in pieces] == [Header] + [Fragment] * 15
    assert [piece.key for piece in fragments(pieces)] == [i % 5 == 0 for i in range(15)]
    frames = decoded(pieces)
    assert pixels(frames) == pixels(original(path))
    assert [frame.time for frame in frames] == pytest.approx([i / 15 for i in range(15)], abs=0.002)


def test_pictures_that_are_shown_in_another_order_than_decoded(tmp_path):
    options = {"bf": "2", "tune": "film", "x264-params": "b-adapt=0:scenecut=0"}
    path = make_clip(tmp_path / "a.mp4", seconds=1.0, options=options)
    packets = stored(path)
    assert any(packet.pts != packet.dts for packet in packets)
    assert pixels(decoded(remuxed(packets))) == pixels(original(path))


def test_the_header_names_codec_size_and_pixels(tmp_path):
    options = {"x264-params": "sar=4/3"}
    pieces = remuxed(stored(make_clip(tmp_path / "a.ts", size=(480, 270), seconds=0.2, options=options)))
    assert pieces[0].mime.startswith('video/mp4; codecs="avc1.42')
    frames = decoded(pieces)
    assert (frames[0].width, frames[0].height) == (480, 270)
    first = stored(tmp_path / "a.ts")[0]
    found = shape(sets_of(first.parameters.extradata).sequence)
    assert (found.width, found.height, found.aspect) == (480, 270, (4, 3))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_players_turn_what_the_camera_hangs_askew(tmp_path, degrees):
    path = make_clip(tmp_path / "a.ts", seconds=0.2)
    frames = decoded(remuxed(stored(path, rotate=degrees)))
    assert frames[0].rotation % 360 == -degrees % 360


def test_a_picture_is_ready_without_the_next_one(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=0.2))
    remuxer = Remuxer()
    header, first = remuxer.take(packets[0])
    assert len(decoded([header, first])) == 1


def test_the_first_packet_may_have_no_stamp(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=1.0))
    bare = replace(packets[0], pts=None, dts=None)
    frames = decoded(remuxed([bare, *packets[1:]]))
    assert [frame.time for frame in frames] == pytest.approx([i / 15 for i in range(15)], abs=0.002)


def spans(pieces):
    return [(piece.start, piece.start + piece.duration) for piece in fragments(pieces)]


def assert_without_gaps(pieces):
    """What stops a browser for good, or makes it drop pictures."""
    times = spans(pieces)
    assert all(one[1] == pytest.approx(two[0], abs=1e-4) for one, two in pairwise(times))
    assert all(start < end for start, end in times)


def test_media_time_has_no_gap_where_pictures_are_missing_and_finds_its_way_back(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0))
    some = [packet for i, packet in enumerate(packets) if i not in {7, 8, 20}]
    pieces = remuxed(some)
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(29 / 15, abs=0.01)


def test_media_time_does_not_wait_while_the_camera_does(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=1.0))
    ticks = round(Fraction(10) / packets[0].time_base)
    paused = [replace(p, pts=p.pts + ticks, dts=p.dts + ticks) for p in later(packets, 10.0)]
    pieces = remuxed([*packets, *paused])
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(29 / 15, abs=0.01)
    assert fragments(pieces)[15].arrived == pytest.approx(110.0)


@pytest.mark.parametrize("jump_s", [-100, -0.5, 3600])
def test_stamps_that_jump_make_no_gap(tmp_path, jump_s):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0))
    ticks = round(Fraction(jump_s) / packets[0].time_base)
    jumped = [
        replace(p, pts=p.pts + ticks, dts=p.dts + ticks) if i >= 10 else p for i, p in enumerate(packets)
    ]
    pieces = remuxed(jumped)
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(29 / 15, abs=0.07)


def test_one_stray_stamp_leaves_no_trace(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0))
    packets[9] = replace(packets[9], pts=packets[9].pts + 900_000, dts=packets[9].dts + 900_000)
    pieces = remuxed(packets)
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(29 / 15, abs=0.07)


@pytest.mark.parametrize("fps", [1, 4])
def test_a_slow_camera_keeps_its_pace(tmp_path, fps):
    pieces = remuxed(stored(make_clip(tmp_path / "a.ts", seconds=12 / fps, fps=fps, gop=4)))
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(11 / fps, abs=1.1 / fps)
    steps = [two[0] - one[0] for one, two in pairwise(spans(pieces)[-4:])]
    assert steps == pytest.approx([1 / fps] * 3, abs=0.01)


def test_stamps_are_made_up_of_arrival_where_there_are_none(tmp_path):
    packets = [replace(p, pts=None, dts=None) for p in stored(make_clip(tmp_path / "a.ts", seconds=1.0))]
    pieces = remuxed(packets)
    assert_without_gaps(pieces)
    assert spans(pieces)[-1][0] == pytest.approx(14 / 15, abs=0.01)


def test_a_change_of_size_gives_a_new_header_and_time_goes_on(tmp_path):
    small = stored(make_clip(tmp_path / "a.ts", seconds=1.0))
    large = stored(make_clip(tmp_path / "b.ts", size=(480, 270), seconds=1.0), arrived=101.0)
    pieces = remuxed([*small, *large])
    headers = [i for i, piece in enumerate(pieces) if isinstance(piece, Header)]
    assert headers == [0, 16]
    assert_without_gaps(pieces)
    assert (decoded(pieces[16:])[0].width, decoded(pieces[16:])[0].height) == (480, 270)


def test_sets_that_change_in_the_stream_alone_give_a_new_header(tmp_path):
    """Over RTSP the extra data stay those of the session's description."""
    small = stored(make_clip(tmp_path / "a.ts", seconds=0.4))
    large = stored(make_clip(tmp_path / "b.ts", size=(480, 270), seconds=0.4), arrived=101.0)
    pieces = remuxed([*small, *(replace(p, parameters=small[0].parameters) for p in large)])
    assert [isinstance(piece, Header) for piece in pieces].count(True) == 2
    assert decoded(pieces[7:])[0].width == 480


def test_sets_that_are_repeated_give_no_header(tmp_path):
    packets = stored(
        make_clip(tmp_path / "a.ts", seconds=1.0, gop=3, options={"x264-params": "repeat-headers=1"})
    )
    assert [isinstance(piece, Header) for piece in remuxed(packets)].count(True) == 1


def test_nothing_before_the_first_key_frame_of_a_connection_comes_out(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0, gop=10))
    remuxer = Remuxer()
    before = remuxed(packets[:15], remuxer)
    remuxer.restart()
    after = remuxed(packets[15:], remuxer)
    assert [piece.key for piece in after] == [True] + [False] * 9
    assert_without_gaps([*before, *after])


def open_gop(tmp_path):
    options = {"tune": "film", "bf": "2", "x264-params": "open-gop=1:keyint=5:scenecut=0:b-adapt=0"}
    return stored(make_clip(tmp_path / "open.ts", seconds=2.0, gop=5, options=options))


def test_a_stream_that_browsers_cannot_join_says_so(tmp_path):
    """At a key frame that is no IDR a browser gives up with an error, or buffers for ever."""
    packets = open_gop(tmp_path)
    remuxer = Remuxer()
    assert not remuxed(packets[1:], remuxer)
    assert remuxer.why_not is WhyPictures.OPEN_GOP


def test_a_stream_of_open_groups_stops_before_the_picture_at_which_browsers_give_up(tmp_path):
    packets = open_gop(tmp_path)
    bare = next(i for i, packet in enumerate(packets) if packet.key and not packet.entry)
    remuxer = Remuxer()
    assert len(fragments(remuxed([*packets, *packets], remuxer))) == bare + 1
    assert remuxer.why_not is WhyPictures.OPEN_GOP
    remuxer.restart()
    assert fragments(remuxed(packets[:1], remuxer))
    assert remuxer.why_not is None


def test_intra_refresh_goes_on_where_it_was_joined_at_its_start(tmp_path):
    options = {"x264-params": "intra-refresh=1:keyint=5"}
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0, gop=5, options=options))
    assert sum(packet.key and not packet.entry for packet in packets) > 2
    assert len(fragments(remuxed(packets))) == len(packets)
    remuxer = Remuxer()
    assert not remuxed(packets[1:], remuxer)
    assert remuxer.why_not is WhyPictures.OPEN_GOP


@pytest.mark.parametrize(
    ("codec", "name", "why"),
    [("hevc", "a.ts", WhyPictures.H265), ("mjpeg", "a.avi", WhyPictures.MJPEG)],
)
def test_what_browsers_do_not_play_gives_the_reason(tmp_path, codec, name, why):
    remuxer = Remuxer()
    assert not remuxed(stored(make_clip(tmp_path / name, codec, seconds=0.4)), remuxer)
    assert remuxer.why_not is why


def test_colours_that_browsers_do_not_play_are_a_reason(tmp_path):
    packets = stored(make_clip(tmp_path / "a.ts", seconds=0.4, options={"profile": "high422"}))
    odd = [replace(p, data=p.data.replace(p.parameters.extradata[4:8], b"\x67\x7a\0\x1e")) for p in packets]
    remuxer = Remuxer()
    assert not remuxed(odd, remuxer)
    assert remuxer.why_not is WhyPictures.PROFILE


@pytest.mark.parametrize("size", [1, 5, 9])
def test_parameter_sets_that_are_cut_off_are_a_reason_and_no_error(tmp_path, size):
    packet = stored(make_clip(tmp_path / "a.ts", seconds=0.1))[0]
    extradata = packet.parameters.extradata
    cut = replace(packet.parameters, extradata=extradata[: 4 + size])
    bare = replace(
        packet, parameters=cut, data=b"\0\0\1\x67" + extradata[5 : 4 + size] + b"\0\0\1\x65\x88\x84\x21"
    )
    remuxer = Remuxer()
    assert not remuxed([bare], remuxer)
    assert remuxer.why_not in {WhyPictures.PROFILE, WhyPictures.UNKNOWN}


def test_damaged_packets_and_headers_never_raise(tmp_path):
    """What a camera sends is not ours to trust."""
    dice = random.Random(5)
    for name in ("a.ts", "a.mp4"):
        packets = stored(make_clip(tmp_path / name, size=(64, 48), seconds=1.0, gop=5))
        remuxer = Remuxer()
        for _ in range(400):
            one = dice.choice(packets)
            extradata = mangled(one.parameters.extradata, dice)
            parameters = dice.choice([one.parameters, replace(one.parameters, extradata=extradata)])
            pts, dts = (dice.choice([None, 0, -5, 1 << 62, one.dts]) for _ in range(2))
            data = mangled(one.data, dice)
            for piece in remuxer.take(replace(one, data=data, pts=pts, dts=dts, parameters=parameters)):
                assert piece.data


def mangled(data, dice):
    made = bytearray(data)
    for _ in range(dice.choice([0, 1, 3, 30])):
        made[dice.randrange(min(len(made), dice.choice([30, len(made)])))] = dice.randrange(256)
    return bytes(made[: dice.choice([len(made), len(made), dice.randrange(len(made))])])
