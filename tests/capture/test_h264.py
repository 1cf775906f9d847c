"""Missing pictures are told by their numbers, and by nothing else."""

import av
import pytest

from surveil.capture.h264 import SliceHeaders, is_idr, length_size_of, nal_units
from tests.rig.clips import make_clip

STREAMS = {
    "one reference": {},
    "three references": {"preset": "veryfast", "refs": "3"},
    "B-frames": {"preset": "veryfast", "tune": "film", "bf": "3"},
    "open GOP": {"preset": "veryfast", "tune": "film", "bf": "3", "x264-params": "open-gop=1"},
    "intra refresh": {"preset": "veryfast", "x264-params": "intra-refresh=1"},
    "interlaced slices": {"preset": "veryfast", "x264-params": "interlaced=1:slices=4:weightp=0"},
    "high 4:4:4": {"profile": "high444", "qp": "0"},
}


@pytest.fixture(scope="module", params=STREAMS)
def stream(request, tmp_path_factory):
    """Pictures of a stream as RTSP brings them (start codes), and whether something is made from each."""
    path = make_clip(
        tmp_path_factory.mktemp("h264") / "clip.ts", gop=20, seconds=4.0, options=STREAMS[request.param]
    )
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        extradata = bytes(container.streams.video[0].codec_context.extradata or b"")
    return extradata, [bytes(p) for p in packets], [not p.is_disposable for p in packets]


def gaps(extradata, units, left_out=()):
    missing = SliceHeaders(extradata)
    return [i for i, unit in enumerate(units) if i not in left_out and missing.update(unit)]


def test_a_whole_stream_has_no_gap(stream) -> None:
    extradata, units, _ = stream
    assert gaps(extradata, units) == []


@pytest.mark.parametrize("count", [1, 3])
def test_pictures_that_others_are_made_from_are_missed(stream, count) -> None:
    extradata, units, needed = stream
    first = next(i for i in range(5, 15) if all(needed[i : i + count]) or i == 14)
    left_out = range(first, first + count)
    found = gaps(extradata, units, left_out)
    assert len(found) == 1
    assert first + count <= found[0] <= first + count + 3


def test_lengths_in_the_place_of_start_codes_are_understood(tmp_path) -> None:
    path = make_clip(tmp_path / "clip.mp4", gop=20, seconds=2.0)
    with av.open(str(path)) as container:
        units = [bytes(p) for p in container.demux(container.streams.video[0]) if p.size]
        extradata = bytes(container.streams.video[0].codec_context.extradata)
    assert length_size_of(extradata) == 4
    assert gaps(extradata, units) == []
    assert gaps(extradata, units, {7}) == [8]
    assert [i for i, unit in enumerate(units) if is_idr(unit, 4)] == [0, 20]


def test_an_encoder_that_numbers_in_its_own_way_is_let_alone(stream) -> None:
    """Every other picture of a stream: a gap each time, so the numbers mean nothing."""
    extradata, units, _ = stream
    every_third = [unit for i, unit in enumerate(units) if i % 3 == 0 or is_idr(unit)]
    assert len(gaps(extradata, every_third)) <= 6


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\1", b"\0\0\1\x67", b"\0\0\1\x67\x64", b"\0\0\1\x61", b"\0" * 40]
)
def test_what_is_cut_off_is_no_gap(data) -> None:
    for extradata in (b"", b"\1\x64\0\x1f\xff\xe1\0", data):
        missing = SliceHeaders(extradata)
        assert missing.update(data) is False
        assert list(nal_units(data, 4)) is not None
