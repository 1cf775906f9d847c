"""Recordings as recorders leave them: odd stamps, covers, parts put together."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from surveil.errors import Cause, SourceError
from tests.capture.test_file import capture
from tests.rig.clips import make_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def plain(folder):
    """Four seconds, 320 x 240, 15 pictures a second."""
    return make_clip(folder / "plain.mp4", seconds=4.0)


def packets_of(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.video[0]) if p.size]


def restamped(plain, path, tick, stamps):
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        video = source.streams.video[0]
        stream = out.add_stream_from_template(video)
        stream.time_base = tick
        packets = [p for p in source.demux(video) if p.size]
        for packet, stamp in zip(packets, stamps, strict=True):
            packet.stream, packet.time_base = stream, tick
            packet.pts = packet.dts = stamp
            out.mux(packet)
    return path


def played(path):
    loop, frames, losses = capture(path)
    loop.run_once()
    return frames, losses


@pytest.mark.parametrize(("name", "tick"), [("a.mp4", Fraction(1, 90_000)), ("a.mkv", Fraction(1, 1000))])
def test_stamps_that_only_number_the_pictures_are_no_time(folder, plain, name, tick) -> None:
    frames, _ = played(restamped(plain, folder / name, tick, range(60)))
    assert len(frames) == 60
    assert [b.t - a.t for a, b in pairwise(frames)] == pytest.approx([1 / 15] * 59)  # as the codec says


def test_two_pictures_with_nearly_the_same_stamp_do_not_stretch_time(folder, plain) -> None:
    stamps = [i // 2 * 12_000 + i % 2 for i in range(60)]
    frames, _ = played(restamped(plain, folder / "pairs.mp4", Fraction(1, 90_000), stamps))
    assert frames[-1].t == pytest.approx(stamps[-1] / 90_000, abs=0.2)
    assert all(b.t > a.t for a, b in pairwise(frames))


def beside(plain, path, codec, size, count):
    """Write the film with another video stream before it."""
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        first = out.add_stream(codec, rate=15)
        first.width, first.height = size
        first.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
        video = source.streams.video[0]
        second = out.add_stream_from_template(video)
        grey = np.full((size[1], size[0], 3), 99, np.uint8)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(grey, "rgb24").reformat(format=first.pix_fmt)
            frame.pts = i
            out.mux(first.encode(frame))
        out.mux(first.encode(None))
        for packet in source.demux(video):
            if packet.size:
                packet.stream = second
                out.mux(packet)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "size", "count"),
    [
        ("cover.mkv", "mjpeg", (160, 120), 1),
        ("large_cover.mkv", "mjpeg", (1280, 720), 1),
        ("cover.mp4", "mjpeg", (1280, 720), 1),
        ("cover.mov", "png", (640, 480), 1),
        ("thumbnails.mp4", "libx264", (160, 120), 60),
    ],
)
def test_the_film_is_played_and_not_what_stands_before_it(folder, plain, name, codec, size, count) -> None:
    frames, _ = played(beside(plain, folder / name, codec, size, count))
    assert {(f.picture.width, f.picture.height) for f in frames} == {(320, 240)}
    assert len(frames) == 60


@pytest.mark.parametrize(
    "codecs",
    [
        ("h264", "hevc"),
        ("hevc", "h264"),
        ("hevc", "h264", "hevc"),
        ("mpeg2video", "h264"),
        ("h264", "mpeg2video"),
        ("mpeg2video", "h264", "hevc"),
    ],
)
def test_parts_of_several_codecs_in_one_stream_are_all_played(folder, codecs) -> None:
    whole = folder / f"{'-'.join(codecs)}.ts"
    parts = [make_clip(folder / f"{codec}.ts", codec, seconds=4.0) for codec in codecs]
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, _ = played(whole)
    assert len(frames) >= len(codecs) * 60 - 20 * (len(codecs) - 1)
    assert frames[-1].t == pytest.approx(4.0 * len(codecs), abs=1.5 * len(codecs))
    assert all(b.t > a.t for a, b in pairwise(frames))


def test_a_recording_goes_on_with_another_size(folder) -> None:
    parts = [make_clip(folder / f"{w}.ts", size=(w, h), seconds=2.0) for w, h in ((320, 240), (160, 120))]
    path = folder / "sizes.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, losses = played(path)
    assert [f.picture.width for f in frames] == [320] * 30 + [160] * 30
    assert [(lost.cause, lost.final) for lost in losses] == [("changed", False)]


def test_an_end_that_cannot_be_decoded_is_told(folder, plain) -> None:
    data = bytearray(plain.read_bytes())
    for packet in packets_of(plain)[25:]:
        at = data.index(packet)
        data[at + 4 : at + len(packet)] = bytes(len(packet) - 4)
    path = folder / "zeros.mp4"
    path.write_bytes(data)
    loop, frames, _ = capture(path)
    with pytest.raises(SourceError, match=r"zeros\.mp4: the last \d+ pictures cannot be decoded") as error:
        loop.run_once()
    assert error.value.cause is Cause.DAMAGED
    assert len(frames) >= 24


def test_pixels_that_cannot_be_read_are_told(folder) -> None:
    """Before, FFmpeg's error went through the capture thread, and ended the daemon."""
    path = folder / "rgb4.nut"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("rawvideo", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb4"
        frame = av.VideoFrame(64, 48, "rgb4")
        frame.pts, frame.time_base = 0, Fraction(1, 5)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(SourceError, match="pixels of the format rgb4 cannot be read") as caught:
        played(path)
    assert caught.value.cause is Cause.UNSUPPORTED
