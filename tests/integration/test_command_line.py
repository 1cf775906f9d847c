"""What the operator sees when something is wrong: the place, what, the remedy, and the right exit code."""

import json
import os
import socket
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests import forked
from tests.integration.world import config_text

CONFIG, FAILED = 78, 1


ROOT = Path(__file__).parents[2]


def surveil(*words, cwd=None, **environment):
    return forked.run(["-m", "surveil", *map(str, words)], env={**os.environ, **environment}, cwd=cwd)


@pytest.fixture
def write(tmp_path):
    def made(**changes):
        path = tmp_path / "config.yaml"
        whole = json.loads(config_text("rtsp://127.0.0.1:9/cam", tmp_path / "state"))
        path.write_text(json.dumps({**whole, **changes}, indent=1))
        return path

    return made


def test_help_teaches_and_lists_every_command():
    done = surveil("--help")
    assert done.returncode == 0
    for command in ("run", "check", "replay", "demo", "models", "alerts", "schema"):
        assert command in done.stdout


def test_check_is_good_about_a_good_file(write):
    done = surveil("check", "-c", write(), "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["model"]["provider"]) == (0, "CPUExecutionProvider")
    assert report["cameras"]["yard"]["rules"] == ["intrusion", "line_crossing", "picture"]


def test_a_wrong_file_is_78_with_every_mistake_and_its_line(write, tmp_path):
    path = write(camera={}, model={"nam": "x"}, http={"listen": "nowhere"})
    done = surveil("check", "-c", path)
    lines = done.stderr.splitlines()
    assert done.returncode == CONFIG
    assert all(line.startswith(f"{path}:") for line in lines)
    assert {"camera", "model.nam", "http.listen"} <= {line.split(": ")[1] for line in lines}


@pytest.mark.parametrize("words", [[], ["--probe"]])
def test_a_wrong_file_is_told_to_machines_as_well(write, words):
    path = write(camera={}, model={"nam": "x"}, http={"listen": "nowhere"})
    done = surveil("check", "-c", path, "--json", *words)
    report = json.loads(done.stdout)
    problems = report.pop("problems")
    assert report == {"schema": 1, "ok": False, "exit_code": CONFIG}
    assert {problem["path"] for problem in problems} >= {"camera", "model.nam", "http.listen"}
    told = [f"{p['file']}:{p['line']}: {p['path']}: {p['message']}" for p in problems]
    assert told == done.stderr.splitlines()


def test_a_file_that_is_not_there_is_told_to_machines_as_well(tmp_path):
    done = surveil("check", "-c", tmp_path / "none.yaml", "--json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["file"], problem["line"], problem["path"]) == (str(tmp_path / "none.yaml"), None, "")
    assert "cannot be read" in problem["message"]


def test_a_missing_file_is_78(tmp_path):
    done = surveil("check", "-c", tmp_path / "none.yaml")
    assert done.returncode == CONFIG
    assert "none.yaml" in done.stderr


def test_a_port_in_use_is_78_and_names_the_address(write):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = surveil("run", "-c", write(http={"listen": listen}))
    assert done.returncode == CONFIG
    assert listen in done.stderr
    assert "in use" in done.stderr


@pytest.mark.parametrize("folder", ["/proc/nowhere", "/dev/null/state"])
def test_a_state_directory_that_cannot_be_written_is_told(write, folder):
    done = surveil("run", "-c", write(state_dir=folder))
    assert done.returncode == CONFIG
    assert f"state_dir: {folder} cannot be written" in done.stderr


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("name", "efficientdet-lite1", "did you mean 'efficientdet-lite0'?"),
        ("name", "efficientnet-lite0", "is no detector"),
        ("file", "/nowhere/model.onnx", "/nowhere/model.onnx: the model cannot be read"),
        ("decoder", "yolov9", "did you mean 'yolov8'?"),
        ("labels", "/nowhere/names.txt", "/nowhere/names.txt: the labels cannot be read"),
    ],
)
def test_a_model_that_is_not_there_is_a_mistake_of_the_file(write, command, key, value, text):
    path = write(http={"listen": "nowhere"}, model={key: value})
    line = next(
        n for n, written in enumerate(path.read_text().splitlines(), 1) if f'"{key}": "{value}' in written
    )
    done = surveil(command, "-c", path)
    assert done.returncode == CONFIG
    assert len(done.stderr.splitlines()) == 2  # together with the other one
    assert f"{path}:{line}: model.{key}: " in done.stderr
    assert text in done.stderr


def test_a_model_may_be_added_to_a_file_that_names_it_already(write):
    done = surveil("models", "list", "-c", write(model={"name": "soon"}))
    assert done.returncode == 0


def test_a_gpu_that_is_not_there_is_no_mistake_of_the_file(write):
    """It may be there at the next start."""
    path = write(model={"require_gpu": True})
    done = surveil("check", "-c", path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == FAILED
    assert "a GPU is required" in done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(surveil("check", "-c", path, "--json", CUDA_VISIBLE_DEVICES="").stdout)
    assert (report["ok"], report["exit_code"], len(report["problems"])) == (False, FAILED, 1)


def test_a_file_that_is_no_model_is_told(write, tmp_path):
    file = tmp_path / "cat.onnx"
    file.write_bytes(b"this is a cat, not a model")
    path = write(model={"file": str(file)})
    done = surveil("check", "-c", path)
    assert done.returncode == CONFIG
    assert done.stderr.startswith(f"{path}: model: ")
    assert "cat.onnx cannot be loaded as an ONNX model" in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a video at all", os.urandom(4096)])
def test_a_file_that_is_no_video_is_told(write, tmp_path, content):
    file = tmp_path / "film.mp4"
    file.write_bytes(content)
    done = surveil("replay", file, "-c", write())
    assert done.returncode == FAILED
    assert "film.mp4" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--alerts", "nowhere/x.jsonl"),
        ("--looks", "nowhere/l.jsonl"),
        ("--annotate", "nowhere/a.mp4"),
        ("--annotate", "a.xyz"),
        ("--annotate", "a.wav"),
        ("--state", "film.mp4/state"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_replay(write, tmp_path, option, name):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"whoever played this would complain of it")
    done = surveil("replay", film, "-c", write(), option, tmp_path / name)
    assert done.returncode == FAILED
    assert len(done.stderr.splitlines()) == 1
    assert f"{tmp_path / name} cannot be written" in done.stderr
    assert "; " in done.stderr  # the remedy


def test_a_folder_of_the_demo_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    done = surveil("demo", "--folder", tmp_path / "file" / "demo")
    assert done.returncode == FAILED
    assert len(done.stderr.splitlines()) == 1
    assert "--folder: " in done.stderr


def test_a_clip_that_the_demo_cannot_serve_is_told(tmp_path):
    text, strange, silent = (tmp_path / name for name in ("bad.yaml", "strange.avi", "silent.wav"))
    text.write_text("version: 1")
    with av.open(str(strange), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = np.zeros((48, 64, 3), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with wave.open(str(silent), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    for clip, reason in ((text, "cannot be read as a video"), (strange, "mpeg4"), (silent, "no video")):
        done = surveil("demo", "--clip", clip, "--folder", tmp_path / "demo")
        assert done.returncode == FAILED
        assert len(done.stderr.splitlines()) == 1
        assert str(clip) in done.stderr
        assert reason in done.stderr


def test_the_schema_is_a_json_schema():
    assert json.loads(surveil("schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_models_list_names_the_built_in_ones(write):
    listed = json.loads(surveil("models", "list", "-c", write(), "--json").stdout)
    assert [model["name"] for model in listed["models"]] == [
        "efficientdet-lite0",
        "efficientnet-lite0",
        "blazeface-full-range",
    ]


def test_models_list_says_which_formats_are_experimental(tmp_path):
    """In a folder without a configuration, too."""
    words = ("models", "list")
    formats = json.loads(surveil(*words, "--json", cwd=tmp_path).stdout)["decoders"]
    unproven = {one["decoder"] for one in formats if one["experimental"]}
    assert unproven == set()
    shown = surveil(*words, cwd=tmp_path, COLUMNS="120").stdout.splitlines()
    for one in formats:
        (row,) = (
            line for line in shown if line.startswith(f"│ {one['decoder']} ") and one["families"] in line
        )
        assert ("experimental" in row) == one["experimental"]
    page = (ROOT / "docs/models.md").read_text()
    assert all(f"`{one['decoder']}`" in page for one in formats)


@pytest.mark.parametrize("words", [("bench",), ("models", "list")])
def test_a_configuration_that_was_named_must_be_there(tmp_path, words):
    done = surveil(*words, "-c", tmp_path / "nope.yaml")
    assert done.returncode == CONFIG
    assert "nope.yaml: cannot be read" in done.stderr


def test_a_decoder_is_imported_when_it_is_asked_for():
    program = (
        "import sys; from surveil.detect.decoders import DECODERS; assert 'detr' in DECODERS; DECODERS['yolox']; "
        "print(*sorted(m for m in sys.modules if m.startswith('surveil.detect.decoders.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["surveil.detect.decoders.base", "surveil.detect.decoders.yolox"]
