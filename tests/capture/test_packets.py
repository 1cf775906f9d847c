"""The packet ring: bounded, cut at key frames, and clips that play."""

from dataclasses import replace
from fractions import Fraction

import av
import pytest

from surveil.capture.packets import PacketRing, Parameters, StoredPacket, mux
from surveil.errors import Cause, SourceError
from tests.rig.clips import make_clip

H264 = Parameters(codec="h264", extradata=b"", width=320, height=240)
TICK = Fraction(1, 90_000)


def packet(i, *, key=None, size=100, parameters=H264, arrived=None):
    """Packet `i` of a stream of 10 pictures a second with a key frame every second."""
    is_key = i % 10 == 0 if key is None else key
    at = i / 10 if arrived is None else arrived
    return StoredPacket(
        data=bytes(size),
        pts=i * 9000,
        dts=i * 9000,
        time_base=TICK,
        key=is_key,
        arrived=at,
        parameters=parameters,
    )


def fill(ring, numbers):
    for i in numbers:
        ring.append(packet(i))


def contents(ring):
    """Everything in the ring."""
    return ring.clip(-1, 99)


def test_the_ring_covers_its_seconds_in_whole_groups() -> None:
    ring = PacketRing(3.0)
    fill(ring, range(105))
    assert ring.clip(-1, 99)[0].arrived == 7.0
    assert 3.0 <= contents(ring)[-1].arrived - contents(ring)[0].arrived <= 4.0


def test_the_ring_never_holds_more_bytes_than_allowed() -> None:
    ring = PacketRing(60.0, max_bytes=2500)
    for i in range(200):
        ring.append(packet(i))
        assert sum(len(p.data) for p in contents(ring)) <= 2500 + 1000
    assert ring.cut_short > 0


def test_a_clip_starts_at_the_key_frame_before_its_start() -> None:
    ring = PacketRing(30.0)
    fill(ring, range(100))
    clip = ring.clip(4.35, 6.05)
    assert (clip[0].arrived, clip[0].key, clip[-1].arrived) == (4.0, True, 6.0)


def test_what_is_held_is_not_thrown_away_until_released() -> None:
    ring = PacketRing(2.0)
    fill(ring, range(50))
    hold = ring.secure(3.5)
    fill(ring, range(50, 200))
    assert ring.clip(3.5, 99)[0].arrived == 3.0
    hold.release()
    hold.release()
    fill(ring, range(200, 211))
    assert ring.clip(3.5, 99)[0].arrived >= 17.0


def test_the_byte_limit_is_stronger_than_a_hold() -> None:
    ring = PacketRing(1.0, max_bytes=5000)
    fill(ring, range(10))
    with ring.secure(0.0):
        fill(ring, range(10, 300))
        assert sum(len(p.data) for p in contents(ring)) <= 6000
    assert ring.cut_short > 0


def test_packets_before_the_first_key_frame_are_of_no_use() -> None:
    ring = PacketRing(10.0)
    fill(ring, range(5, 25))
    assert ring.clip(0, 99)[0].arrived == 1.0


def test_a_new_connection_begins_at_its_key_frame() -> None:
    ring = PacketRing(10.0)
    fill(ring, range(15))
    ring.restart()
    fill(ring, range(17, 25))
    assert [p.arrived for p in ring.clip(0, 99)] == [i / 10 for i in [*range(15), *range(20, 25)]]


def test_a_clip_has_one_format() -> None:
    ring = PacketRing(10.0)
    fill(ring, range(10))
    large = Parameters(codec="h264", extradata=b"", width=640, height=480)
    for i in range(10, 20):
        ring.append(packet(i, parameters=large))
    assert {p.parameters for p in ring.clip(0, 99)} == {large}


def stored(path, first_arrival=100.0, drop=()):
    """What a capture stores of a clip on disk."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        parameters = Parameters(
            codec=codec.name, extradata=bytes(codec.extradata or b""), width=codec.width, height=codec.height
        )
        return [
            StoredPacket(
                data=bytes(p),
                pts=p.pts,
                dts=p.dts,
                time_base=p.time_base,
                key=p.is_keyframe,
                arrived=first_arrival + float(p.dts * p.time_base),
                parameters=parameters,
            )
            for i, p in enumerate(container.demux(stream))
            if p.size and i not in drop
        ]


@pytest.mark.parametrize(("codec", "name"), [("h264", "a.ts"), ("hevc", "a.ts"), ("mjpeg", "a.avi")])
def test_a_clip_plays_from_a_key_frame_with_the_right_durations(tmp_path, codec, name) -> None:
    packets = stored(make_clip(tmp_path / name, codec, seconds=3.0, gop=15))
    ring = PacketRing(10.0)
    for one in packets:
        ring.append(one)
    start = packets[20].arrived
    clip = ring.clip(start, 200.0)
    duration = mux(clip, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
        length = container.duration / av.time_base
    assert duration == pytest.approx(len(clip) / 15, abs=0.01)
    assert length == pytest.approx(duration, abs=0.01)
    assert len(frames) == len(clip)
    assert frames[0].key_frame
    assert [float(f.time) for f in frames] == pytest.approx([i / 15 for i in range(len(clip))], abs=0.001)
    assert not any(f.is_corrupt for f in frames)


def test_muxing_twice_gives_the_same_file(tmp_path) -> None:
    """Packets are made anew each time: muxing changes them."""
    packets = stored(make_clip(tmp_path / "a.ts"))
    for name in ("one.mp4", "two.mp4"):
        mux(packets, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.parametrize("rate", [0.0, 1 / 90, 0.4, 0.84, 1.0])
def test_a_clip_of_a_camera_whose_clock_runs_slow_is_as_long_as_it_was(tmp_path, rate) -> None:
    packets = [
        replace(one, pts=round(one.pts * rate), dts=round(one.dts * rate))
        for one in stored(make_clip(tmp_path / "a.ts", seconds=6.0))
    ]
    assert mux(packets, tmp_path / "clip.mp4") == pytest.approx(6.0, abs=0.1)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(6.0, abs=0.1)


def test_an_outage_in_a_clip_lasts_as_long_as_it_did(tmp_path) -> None:
    """Stamps start anew with a connection; the arrival tells how long nothing came."""
    packets = stored(make_clip(tmp_path / "a.ts", seconds=2.0))
    later = stored(tmp_path / "a.ts", first_arrival=packets[-1].arrived + 20.0)
    assert mux([*packets, *later], tmp_path / "clip.mp4") == pytest.approx(2 + 20 + 2, abs=0.2)


def test_parameter_sets_that_came_in_the_sdp_only_are_put_into_the_clip(tmp_path) -> None:
    packets = stored(make_clip(tmp_path / "a.ts", seconds=1.0))
    headers = packets[0].parameters.extradata
    bare = b"".join(
        b"\0\0\1" + unit for unit in units(packets[0].data) if unit not in units(headers)
    )  # fmt: skip
    assert len(bare) < len(packets[0].data)
    first = StoredPacket(
        data=bare,
        pts=packets[0].pts,
        dts=packets[0].dts,
        time_base=packets[0].time_base,
        key=True,
        arrived=0.0,
        parameters=packets[0].parameters,
    )
    mux([first, *packets[1:]], tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 15


@pytest.mark.parametrize("start", [b"\0\0\1", b"\0\0\0\1"], ids=["three bytes", "four bytes"])
def test_parameter_sets_that_are_there_are_not_put_in_twice_whatever_separates_them(tmp_path, start) -> None:
    packets = stored(make_clip(tmp_path / "a.ts", seconds=1.0))
    headers = b"".join(start + unit for unit in units(packets[0].parameters.extradata))
    first = replace(packets[0], parameters=replace(packets[0].parameters, extradata=headers))
    mux([first, *packets[1:]], tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        written = units_of_mp4(bytes(next(container.demux(video=0))))
    assert written == units(packets[0].data)


def test_no_packets_make_no_clip(tmp_path) -> None:
    with pytest.raises(SourceError) as error:
        mux([], tmp_path / "clip.mp4")
    assert error.value.cause is Cause.NO_VIDEO


def units(data):
    """The NAL units of a packet in Annex B form (ITU-T H.264, annex B)."""
    return [unit.rstrip(b"\0") for unit in data.split(b"\0\0\1") if unit.rstrip(b"\0")]


def units_of_mp4(data):
    """The NAL units of a packet as MP4 has them: each behind four bytes of its length (ISO/IEC 14496-15)."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size].rstrip(b"\0"))
        data = data[4 + size :]
    return found


@pytest.mark.parametrize(("codec", "name"), [("h264", "a.ts"), ("hevc", "a.ts"), ("mjpeg", "a.avi")])
def test_a_clip_is_made_of_the_camera_s_packets_to_the_bit(tmp_path, codec, name) -> None:
    packets = stored(make_clip(tmp_path / name, codec, seconds=3.0, gop=15))
    mux(packets, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        written = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert len(written) == len(packets)
    if codec == "mjpeg":
        assert written == [one.data for one in packets]
    elif codec == "hevc":  # `hvc1`: parameter sets are in the header alone
        assert [units_of_mp4(data) for data in written] == [
            [unit for unit in units(one.data) if unit[0] >> 1 & 63 not in (32, 33, 34)] for one in packets
        ]
    else:
        assert [units_of_mp4(data) for data in written] == [units(one.data) for one in packets]


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.mkv"])
def test_a_clip_of_h265_is_tagged_as_apple_wants_it(tmp_path, name) -> None:
    packets = stored(make_clip(tmp_path / name, "hevc", seconds=2.0, gop=15))
    mux(packets, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
        assert container.streams.video[0].codec_context.extradata[0] == 1
        frames = list(container.decode(video=0))
    assert len(frames) == 30
    assert not any(f.is_corrupt for f in frames)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv"])
def test_a_clip_of_h264_plays_whatever_divides_the_units_of_its_source(tmp_path, name) -> None:
    """Files and RTMP have lengths in the place of start codes, and the parameter sets in a header of their own."""
    packets = stored(make_clip(tmp_path / name, "h264", seconds=2.0, gop=15))
    assert packets[0].parameters.extradata[0] == 1
    mux(packets, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 30
    assert not any(f.is_corrupt for f in frames)


def test_a_clip_begins_where_every_player_can_if_the_ring_goes_back_so_far() -> None:
    ring = PacketRing(30.0)
    for i in range(100):
        ring.append(replace(packet(i), entry=i in (20, 70)))
    cut = ring.cut(4.5, 9.0)
    assert (cut.packets[0].arrived, cut.notes) == (2.0, ())


def test_a_clip_that_browsers_may_refuse_says_so() -> None:
    ring = PacketRing(30.0)
    for i in range(100):
        ring.append(replace(packet(i), entry=False))
    cut = ring.cut(4.5, 9.0)
    assert cut.packets[0].arrived == 4.0
    assert "browsers may refuse it, download it" in cut.notes[0]


def test_a_clip_across_a_change_says_what_is_left_out() -> None:
    ring = PacketRing(10.0)
    fill(ring, range(10))
    for i in range(10, 20):
        ring.append(packet(i, parameters=Parameters(codec="h264", extradata=b"", width=640, height=480)))
    assert ring.cut(0, 99).notes == (
        "only the part after the camera changed from h264 320x240 to h264 640x480",
    )
    assert ring.cut(1.0, 99).notes == ()
