"""Fixtures of cameras and of what they play. A folder that uses them imports them into its conftest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

PASSWORD = "p@ss:w/rd"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Clips of 320 x 240 at 15 fps by codec; `large` is 640 x 360, `long_gop` has one key frame in 4 s."""
    forked.start()  # Before anybody counts the files that a test leaves open.
    folder = tmp_path_factory.mktemp("clips")
    return {
        "h264": make_clip(folder / "h264.mp4", gop=10, seconds=4.0),
        "hevc": make_clip(folder / "hevc.mp4", "hevc", gop=10, seconds=4.0),
        "mjpeg": make_clip(folder / "mjpeg.avi", "mjpeg"),
        "large": make_clip(folder / "large.mp4", size=(640, 360), gop=10),
        "long_gop": make_clip(folder / "long_gop.mp4", seconds=4.0, gop=60),
    }


@pytest.fixture(scope="module")
def shared(clips: dict[str, Path]) -> Iterator[Camera]:
    """One camera for the faults that do not outlive their test."""
    with Camera(clips["h264"], user="joe", password=PASSWORD) as camera:
        yield camera


@pytest.fixture
def camera(shared: Camera) -> Iterator[Camera]:
    """The shared camera, well again afterwards."""
    yield shared
    for command in (
        "thaw",
        "unhang",
        "drop 0",
        "corrupt 0",
        "delay 0",
        "skew 0",
        "rate 1",
        "stray 0",
        "kick",
    ):
        shared(command)
