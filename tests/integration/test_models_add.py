"""`surveil models add` shows what it chose and why."""

import json
import os

import cv2
import numpy as np
import pytest

from tests import forked
from tests.detect import tiny
from tests.integration.world import config_text

pytestmark = pytest.mark.rig


def surveil(*words, **environment):
    return forked.run(["-m", "surveil", *map(str, words)], env={**os.environ, **environment})


@pytest.fixture
def write(tmp_path):
    def made():
        path = tmp_path / "config.yaml"
        path.write_text(config_text("rtsp://127.0.0.1:9/cam", tmp_path / "state"))
        return path

    return made


def table(**metadata):
    rows = np.full((300, 6), 0.02, np.float32)
    rows[:, 4:] = [0.001, 1]
    rows[0] = [0.5, 0.5, 0.2, 0.5, 0.8, 0]
    return tiny.model({"output0": rows}, metadata={"license": "AGPL-3.0", **metadata})


def test_models_add_shows_what_it_chose_why_and_what_it_finds(write, tmp_path):
    (tmp_path / "m.onnx").write_bytes(table())
    config = write()
    words = ("models", "add", tmp_path / "m.onnx", "-c", config, "--picture", tmp_path / "out.jpg")
    shown = surveil(*words).stdout
    assert "decoder   detr-table (by its boxes in a picture with people)" in shown
    assert "input     64×64 (fixed in the model), rgb, 0-1, stretch" in shown
    assert "licence   AGPL-3.0" in shown
    assert "ms a picture on CPUExecutionProvider" in shown
    assert "people    1 of 3" in shown
    assert cv2.imread(str(tmp_path / "out.jpg")).shape[2] == 3
    (row,) = (
        line
        for line in surveil("models", "list", "-c", config, COLUMNS="150").stdout.splitlines()
        if " m " in line
    )
    assert "AGPL-3.0" in row


def test_models_add_takes_what_the_file_does_not_say(write, tmp_path):
    (tmp_path / "m.onnx").write_bytes(table())
    (tmp_path / "names.txt").write_text("ant\nbee\n")
    words = (
        "--labels",
        tmp_path / "names.txt",
        "--range",
        "imagenet",
        "--placement",
        "centre",
        "--decoder",
        "detr-table",
    )
    done = surveil("models", "add", tmp_path / "m.onnx", "-c", write(), *words, "--json")
    added = json.loads(done.stdout)
    assert (added["labels"], added["decoder_why"], added["people_found"]) == (["ant", "bee"], "named", None)
    assert (added["preprocess"]["range"], added["preprocess"]["placement"]) == ("imagenet", "centre")


def test_a_model_that_knows_people_and_finds_nobody_says_what_to_try(write, tmp_path):
    rows = np.full((300, 6), [0.5, 0.5, 0.2, 0.4, 0.001, 0], np.float32)
    (tmp_path / "m.onnx").write_bytes(tiny.model({"output0": rows}))
    shown = surveil("models", "add", tmp_path / "m.onnx", "-c", write()).stdout
    assert "finds nobody in a picture with 3 people; try --channels, --range, --placement" in shown


def test_a_size_that_no_model_has_is_refused(write, tmp_path):
    done = surveil("models", "add", tmp_path / "m.onnx", "-c", write(), "--size", "100")
    assert (done.returncode, "--size 100: is no multiple of 32" in done.stderr) == (78, True)
