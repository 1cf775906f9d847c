"""The configuration: every mistake at once, each with its line and a remedy, and no secret anywhere."""

import re
from pathlib import Path

import pytest

from surveil.config import load, schema
from surveil.config.file import FileSettings
from surveil.config.reference import example, reference
from surveil.errors import ConfigError

HERE = Path(__file__).parent
ROOT = HERE.parent
BAD = sorted((HERE / "bad_configs").glob("*.yaml"))


def messages(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [message.replace(str(path), path.name) for message in caught.value.messages]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_has_exactly_these_messages(path):
    assert messages(path) == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_message_names_the_file(path):
    assert all(message.startswith(path.name) for message in messages(path))


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\xfe binary",
        b"version: 1\n" + b"x-a: y\n" * 200_000,
    ],
)
def test_odd_files_are_errors_and_not_crashes(tmp_path, content):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    assert messages(path)


def test_an_alias_bomb_is_refused(tmp_path):
    levels = ["x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"x-a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("version: 1\n" + "\n".join(levels))
    assert messages(path)


@pytest.mark.parametrize("path", [Path("/nowhere/config.yaml"), Path("/tmp")], ids=["missing", "folder"])
def test_what_cannot_be_read_is_told(path):
    with pytest.raises(ConfigError, match=str(path)):
        load(path)


def test_the_shipped_file_is_made_from_the_settings_and_equals_the_defaults():
    shipped = ROOT / "config.yaml"
    assert shipped.read_text() == example()
    config = load(shipped)
    assert config.redacted() == FileSettings(version=1).model_dump(mode="json")


def test_the_shipped_examples_are_valid(tmp_path, monkeypatch):
    monkeypatch.setenv("GATE_PASSWORD", "x")
    text = (ROOT / "config.yaml").read_text()
    text = re.sub(r"^(cameras|sinks): \{\}\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^#((?:cameras|sinks):.*|  .*)$", r"\1", text, flags=re.MULTILINE)
    path = tmp_path / "examples.yaml"
    path.write_text(text)
    config = load(path)
    assert list(config.cameras) == ["gate", "shop"]
    assert [rule.type for rule in config.cameras["gate"].rules] == ["intrusion", "line_crossing", "loitering"]
    assert config.cameras["shop"].record.roles == ("record",)


def test_the_reference_page_is_made_from_the_settings():
    assert (ROOT / "docs" / "configuration.md").read_text() == reference()


def test_the_schema_describes_every_setting():
    for name, definition in schema()["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert key == "type" or "$ref" in value or value.get("description"), f"{name}.{key}"


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_defaults_reach_every_camera_and_its_own_values_win(tmp_path):
    config = load(
        write(
            tmp_path,
            """
version: 1
defaults: {detect: {fps: 7, max_crops: 2}, transport: udp}
cameras:
  a: {url: rtsp://192.0.2.1/a}
  b: {url: rtsp://192.0.2.1/b, detect: {fps: 3}}
""",
        )
    )
    a, b = config.cameras["a"], config.cameras["b"]
    assert (a.detect.fps, a.detect.max_crops, a.stream.transport) == (7, 2, "udp")
    assert (b.detect.fps, b.detect.max_crops) == (3, 2)


def test_secrets_are_filled_in_encoded_and_never_shown(tmp_path):
    (tmp_path / "token").write_text("t0k3n\n")
    path = write(
        tmp_path,
        """
version: 1
cameras: {a: {url: "rtsp://u:${env:PW}@192.0.2.1/a"}}
http: {token: "${file:token}"}
""",
    )
    config = load(path, {"PW": "p@ss/w:rd"})
    assert config.cameras["a"].url == "rtsp://u:p%40ss%2Fw%3Ard@192.0.2.1/a"
    assert config.http.token.get_secret_value() == "t0k3n"
    shown = repr(config) + str(config.redacted()) + repr(config.cameras["a"].stream)
    for secret in ("p@ss", "p%40ss", "t0k3n"):
        assert secret not in shown
    assert {"p@ss/w:rd", "t0k3n"} <= config.secrets


def test_the_digest_is_of_the_meaning_without_secrets(tmp_path):
    text = 'version: 1\ncameras: {a: {url: "rtsp://u:${env:PW}@h/a"}}\n'
    one = load(write(tmp_path, text), {"PW": "one"}).digest
    assert load(write(tmp_path, "# a comment\n" + text), {"PW": "two"}).digest == one
    assert load(write(tmp_path, text + "model: {threads: 2}\n"), {"PW": "one"}).digest != one


def test_two_cameras_on_one_stream_are_a_warning(tmp_path):
    text = "version: 1\ncameras:\n  a: {url: rtsp://h/x}\n  b: {url: rtsp://h/x}\n"
    assert "reads the same stream" in load(write(tmp_path, text)).warnings[0]
