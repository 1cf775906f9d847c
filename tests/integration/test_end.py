"""The end of the daemon when something does not want to end."""

import json
import os

import numpy as np
import pytest

from surveil.errors import EXIT_UNCLEAN
from tests.detect import tiny
from tests.integration.world import Process, samples, wait_for
from tests.rig.clips import make_clip

pytestmark = pytest.mark.slow


def written(folder, url, **more):
    path = folder / "config.yaml"
    whole = {
        "version": 1,
        "cameras": {"yard": {"url": str(url), "repeat": True, "rules": [{"type": "presence"}]}},
        "state_dir": str(folder / "state"),
        "http": {"listen": "127.0.0.1:0"},
        **more,
    }
    path.write_text(json.dumps(whole))
    return path


def test_a_run_of_the_model_that_would_take_years_is_cut_short_and_the_end_is_clean(tmp_path):
    make_clip(tmp_path / "white.mp4", scene=lambda _n, w, h: np.full((h, w, 3), 255, np.uint8))
    logits = np.full((4, 1), -9, np.float32)
    boxes = np.tile(np.array([10, 5, 20, 30], np.float32), (4, 1))
    (tmp_path / "m.onnx").write_bytes(tiny.model({"boxes": boxes, "logits": logits}, endless_above=200.0))
    (tmp_path / "labels.txt").write_text("person\n")
    model = {"file": str(tmp_path / "m.onnx"), "labels": str(tmp_path / "labels.txt")}
    with Process(written(tmp_path, tmp_path / "white.mp4", model=model)) as daemon:
        yard = frozenset({("camera", "yard"), ("reason", "overwritten")})
        wait_for(lambda: samples(daemon.get("/metrics")[1])["surveil_frames_dropped_total", yard] > 0)
        assert daemon.end() == 0
        told = [record["event"] for record in daemon.records()]
    assert "dropping pending frames: inference did not finish before shutdown" in told
    assert daemon.records()[-1]["clean"] is True


def test_a_thread_that_does_not_end_is_left_behind_and_the_exit_code_says_so(tmp_path):
    # Opening a pipe that nobody writes to never returns, whatever a thread is asked for.
    os.mkfifo(tmp_path / "pipe.mp4")
    with Process(written(tmp_path, tmp_path / "pipe.mp4")) as daemon:
        wait_for(lambda: daemon.get("/livez")[0] == 200)
        assert daemon.end() == EXIT_UNCLEAN
        [left] = [r["threads"] for r in daemon.records() if r["event"] == "threads did not end in time"]
    assert left == ["capture-yard"]
    assert daemon.records()[-1]["clean"] is False
