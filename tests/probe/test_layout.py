"""Pictures with a camera's layout: what is drawn, what is hidden, what the commands write."""

from __future__ import annotations

import json
import os
import stat

import cv2
import numpy as np
import pytest

from surveil.app.layout import save, snapshot
from surveil.capture.picture import ArrayPicture
from surveil.config import load
from surveil.errors import StateError
from tests import forked
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

LAYOUT = {
    "zones": {"door": [[0.2, 0.2], [0.5, 0.2], [0.5, 0.6]]},
    "lines": {"kerb": [[0.1, 0.85], [0.9, 0.85]]},
    "masks": {"neighbour": {"points": [[0.6, 0.0], [1.0, 0.0], [1.0, 0.3], [0.6, 0.3]], "hide": "both"}},
}
BLACK, GREY = 0, 120


@pytest.fixture
def written(tmp_path):
    def write(**camera):
        path = tmp_path / "config.yaml"
        whole = {
            "version": 1,
            "state_dir": str(tmp_path / "state"),
            "cameras": {"gate": {**LAYOUT, **camera}},
        }
        path.write_text(json.dumps(whole))
        return path

    return write


def gate(path):
    return load(path).cameras["gate"]


def picture(width=640, height=360):
    return ArrayPicture(np.full((height, width, 3), GREY, np.uint8))


def test_a_plain_snapshot_hides_what_may_not_be_stored_and_changes_nothing_else(written):
    pixels = snapshot(picture(), gate(written(url="rtsp://192.0.2.1/a")), plain=True)
    assert np.unique(pixels[:100, 400:]).tolist() == [BLACK]
    assert np.unique(pixels[:, :370]).tolist() == [GREY]


@pytest.mark.parametrize("size", [(320, 180), (640, 360), (1920, 1080)])
def test_zones_lines_and_a_grid_of_tenths_are_drawn_at_their_places(written, size):
    camera = gate(written(url="rtsp://192.0.2.1/a"))
    drawn = snapshot(picture(*size), camera)
    bare = snapshot(picture(*size), camera, plain=True)
    changed = (drawn != bare).any(axis=2)
    width, height = size
    for x, y in ((0.35, 0.2), (0.5, 0.4), (0.5, 0.85), (0.3, 0.95), (0.95, 0.4)):
        assert changed[
            round(y * height) - 2 : round(y * height) + 3, round(x * width) - 2 : round(x * width) + 3
        ].any()
    assert changed.mean() < 0.4


def test_a_snapshot_is_a_private_jpeg_and_a_missing_folder_is_an_error(tmp_path):
    save(tmp_path / "a.jpg", picture().bgr())
    assert stat.S_IMODE((tmp_path / "a.jpg").stat().st_mode) == 0o640
    assert cv2.imread(str(tmp_path / "a.jpg")).shape == (360, 640, 3)
    with pytest.raises(StateError, match=r"b\.jpg cannot be written"):
        save(tmp_path / "missing" / "b.jpg", picture().bgr())


@pytest.mark.rig
def test_the_commands_write_pictures_of_a_real_camera(written, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", gop=10, seconds=4.0)
    with Camera(clip) as camera:
        path = written(url=camera.url)
        alone = forked.run(
            [
                "-m",
                "surveil",
                "cameras",
                "snapshot",
                "gate",
                "-c",
                str(path),
                "--output",
                str(tmp_path / "one.jpg"),
            ],
            env=dict(os.environ),
        )
        words = ["check", "--probe", "--seconds", "0.5", "--pictures", str(tmp_path / "all")]
        forked.run(["-m", "surveil", *words, "-c", str(path)], env=dict(os.environ))
    assert alone.returncode == 0, alone.stderr
    one, other = cv2.imread(str(tmp_path / "one.jpg")), cv2.imread(str(tmp_path / "all" / "gate.jpg"))
    assert one.shape == other.shape
    assert np.median(one[: one.shape[0] // 5, -one.shape[1] // 4 :]) == BLACK  # but for the grid


@pytest.mark.rig
def test_a_camera_that_sends_nothing_says_why(written, tmp_path):
    path = written(url="rtsp://user:s3cr3t@127.0.0.1:9/a")
    done = forked.run(["-m", "surveil", "cameras", "snapshot", "gate", "-c", str(path)], env=dict(os.environ))
    assert done.returncode == 1
    assert "camera gate sent no picture" in done.stderr
    assert "s3cr3t" not in done.stderr
