"""A picture is turned and stretched before anything looks, and clips say how they are to be shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from surveil.capture.opening import make_source
from surveil.capture.orientation import Orientation, orientation
from surveil.capture.packets import PacketRing, Parameters, StoredPacket, mux
from surveil.capture.picture import ArrayPicture
from surveil.capture.settings import StreamSettings
from surveil.types import Picture
from tests.capture.watch import Watch
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

RNG = np.random.default_rng(5)
BGR = cv2.resize(RNG.integers(0, 255, (6, 8, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
CW = {0: None, 1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(pixels: np.ndarray, turns: int) -> np.ndarray:
    return pixels if turns == 0 else cv2.rotate(pixels, CW[turns])


@pytest.mark.parametrize("turns", range(4))
def test_whatever_is_asked_of_a_turned_picture_is_turned(turns: int) -> None:
    picture = Orientation(turns).apply(ArrayPicture(BGR.copy()))
    wanted = turned(BGR, turns)
    assert (picture.height, picture.width) == wanted.shape[:2]
    assert np.array_equal(picture.bgr(), wanted)
    box = (10, 20, picture.width - 40, picture.height - 30)
    part = wanted[box[1] : box[3], box[0] : box[2], ::-1]
    assert np.array_equal(picture.rgb(box, box[2] - box[0], box[3] - box[1]), part)
    luma = cv2.cvtColor(
        cv2.resize(wanted, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    )
    shown = picture.luma(picture.width // 4, picture.height // 4)
    assert shown.shape == luma.shape
    assert np.abs(shown.astype(int) - luma).mean() < 3


@pytest.mark.parametrize("aspect", [Fraction(4, 3), Fraction(64, 45), Fraction(3, 4), Fraction(2)])
def test_pixels_that_are_not_square_are_made_so(aspect: Fraction) -> None:
    picture = Orientation(0, aspect).apply(ArrayPicture(BGR.copy()))
    assert picture.width / picture.height == pytest.approx(320 * aspect / 240, rel=0.01)
    assert min(picture.width / 320, picture.height / 240) == 1  # nothing of it is lost
    wanted = cv2.resize(BGR, (picture.width, picture.height))
    assert np.array_equal(picture.bgr(), wanted)
    box = (picture.width // 4, picture.height // 4, picture.width // 2, picture.height // 2)
    seen = picture.rgb(box, 60, 60)
    part = cv2.resize(wanted[box[1] : box[3], box[0] : box[2], ::-1], (60, 60), interpolation=cv2.INTER_AREA)
    assert np.abs(seen.astype(int) - part).mean() < 6
    assert picture.rgb((0, 0, 1, 1), 4, 4).shape == (4, 4, 3)
    assert picture.rgb(
        (picture.width - 1, picture.height - 1, picture.width, picture.height), 4, 4
    ).shape == (4, 4, 3)


@pytest.mark.parametrize(
    "aspect", [None, Fraction(0), Fraction(1), Fraction(101, 100), Fraction(1, 100), Fraction(50)]
)
def test_a_shape_of_pixels_that_no_camera_has_is_not_believed(aspect: Fraction | None) -> None:
    assert orientation(0, aspect) == Orientation()
    assert orientation(450, aspect) == Orientation(1)
    assert orientation(-90, aspect) == Orientation(3)


def rotated_copy(clip: Path, path: Path, degrees: int) -> Path:
    """Return a copy of a clip that says how it is to be turned, counter-clockwise as FFmpeg has it."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return path


def first_picture(path: Path, **settings: object) -> Picture:
    source = make_source(StreamSettings(url=str(path), **settings))
    source.open()
    try:
        while (arrival := source.read()) is not None:
            if shots := source.decode(arrival).shots:
                return shots[0].picture
        return source.drain().shots[0].picture
    finally:
        source.close()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("matrix", [0, -90, 90, 180])
def test_the_setting_and_what_the_stream_says_add_up(tmp_path: Path, rotate: int, matrix: int) -> None:
    clip = make_clip(tmp_path / "plain.mp4", seconds=0.2)
    plain = first_picture(clip).bgr()
    seen = first_picture(rotated_copy(clip, tmp_path / "turned.mp4", matrix), rotate=rotate)
    wanted = turned(plain, (rotate - matrix) // 90 % 4)
    assert np.array_equal(seen.bgr(), wanted)


def test_a_squeezed_recording_is_stretched(tmp_path: Path) -> None:
    path = tmp_path / "squeezed.mp4"
    clip = make_clip(path, size=(360, 288), seconds=0.2, options={"x264-params": "sar=16/11"})
    picture = first_picture(clip)
    assert (picture.width, picture.height) == (round(360 * 16 / 11), 288)
    assert picture.bgr().shape == (288, 524, 3)


def test_a_folder_of_images_is_turned_too(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), BGR)
    assert np.array_equal(first_picture(tmp_path, rotate=90).bgr(), turned(BGR, 1))


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_a_clip_says_how_it_is_to_be_shown(tmp_path: Path, rotate: int) -> None:
    clip = make_clip(tmp_path / "camera.avi", "mjpeg", seconds=0.4)
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        codec = stream.codec_context
        parameters = Parameters(
            codec=codec.name,
            extradata=bytes(codec.extradata or b""),
            width=codec.width,
            height=codec.height,
            rotate=rotate,
        )
        packets = [
            StoredPacket(
                data=bytes(p),
                pts=p.pts,
                dts=p.dts,
                time_base=p.time_base,
                key=p.is_keyframe,
                arrived=float(i),
                parameters=parameters,
            )
            for i, p in enumerate(source.demux(stream))
            if p.size
        ]
    mux(packets, tmp_path / "clip.mp4")
    wanted = turned(first_picture(clip).bgr(), rotate // 90)
    assert np.array_equal(first_picture(tmp_path / "clip.mp4").bgr(), wanted)


@pytest.mark.rig
def test_a_camera_on_its_side_is_turned_and_its_clips_too(clips, tmp_path: Path) -> None:
    ring = PacketRing(5.0)
    with Camera(clips["h264"]) as camera, Watch(camera.url, packets=ring, rotate=90) as watch:
        watch.until_frames(20)
    assert (watch.frames[0].picture.width, watch.frames[0].picture.height) == (240, 320)
    assert watch.losses == []
    mux(ring.clip(watch.frames[0].arrived, watch.frames[-1].arrived), tmp_path / "clip.mp4")
    picture = first_picture(tmp_path / "clip.mp4")
    assert (picture.width, picture.height) == (240, 320)
