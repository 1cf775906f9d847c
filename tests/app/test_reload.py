"""A reload ends in a refusal with a line, whatever the file or a library makes of it: the daemon watches on."""

import json
import os
from pathlib import Path

import pytest

from surveil.app.daemon import Daemon
from surveil.app.reload import Reloader
from surveil.config import load
from surveil.detect.settings import ModelSettings
from surveil.errors import ConfigError
from surveil.models.store import ModelStore, open_detector
from tests.commands import refused
from tests.integration.world import config_text

HEAD = "version: 1\ncameras: {}\n"
NASTY = {
    "NUL in a reference": HEAD + 'state_dir: "${file:\\0}"\n',
    "NUL in a path": HEAD + 'state_dir: "/tmp/a\\0b"\n',
    "NUL in a key": 'version: 1\ncameras: {"a\\0": {url: "rtsp://h/x"}}\n',
    "half a character": 'version: 1\ncameras: {a: {url: "rtsp://\\ud800/x"}}\n',
    "half a character in a reference": 'version: 1\ncameras: {a: {url: "${env:\\udfff}"}}\n',
    "a path too long": HEAD + f"state_dir: {'a' * 300}\nmodel: {{name: people}}\n",
    "bytes in the environment": 'version: 1\ncameras: {a: {url: "rtsp://u:${env:BYTES}@h/x"}}\n',
}


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return open_detector(ModelSettings(), ModelStore(tmp_path_factory.mktemp("models")))


@pytest.fixture
def daemon(tmp_path, detector):
    path = tmp_path / "config.yaml"
    path.write_text(config_text("rtsp://127.0.0.1:9/x", tmp_path / "state"))
    made = Daemon(load(path), detector)
    made.start()
    yield made
    assert made.end()


@pytest.fixture(autouse=True)
def bytes_in_the_environment(monkeypatch):
    monkeypatch.setenv("BYTES", "\udcff")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_file_that_no_library_can_digest_is_mistakes_with_places(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, needs_model=True)
    assert all(message.startswith(str(path)) for message in caught.value.messages)
    "\n".join(caught.value.messages).encode()
    assert "fault of surveil" not in str(caught.value)
    for way in ((), ("--json",)):
        assert str(path) in refused(ConfigError, "check", "-c", path, *way)


@pytest.mark.parametrize(
    "section",
    [
        {"http": {"token": "${file:pipe}"}},
        {"sinks": {"hook": {"type": "webhook", "url": "https://h/", "ca_file": "pipe"}}},
        {"cameras": {"a": {"url": "rtsps://h/x", "tls": {"verify": "ca", "ca_file": "pipe"}}}},
        {"model": {"file": "pipe"}},
        {"model": {"labels": "pipe"}},
    ],
    ids=["secret", "authorities", "camera's authorities", "model", "labels"],
)
def test_nobody_waits_for_a_pipe_in_the_place_of_a_file(tmp_path, section):
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "config.yaml"
    whole = {"version": 1, "cameras": {"a": {"url": "rtsp://h/x"}}, **section}
    path.write_text(json.dumps(whole).replace('"pipe"', json.dumps(str(tmp_path / "pipe"))))
    with pytest.raises(ConfigError, match=r"(?i)is not a regular file"):
        load(path, needs_model=True)
    with pytest.raises(ConfigError, match="cannot be read: is not a regular file"):
        load(tmp_path / "pipe")


def test_a_configuration_may_come_by_a_pipe_that_the_program_was_given():
    reading, writing = os.pipe()
    os.write(writing, b"version: 1\ncameras: {a: {url: 'rtsp://h/x'}}\n")
    os.close(writing)
    assert list(load(Path(f"/dev/fd/{reading}")).cameras) == ["a"]
    os.close(reading)


@pytest.mark.slow
def test_such_a_file_is_refused_and_the_daemon_goes_on(daemon):
    before = daemon.config
    for text in NASTY.values():
        daemon.config.path.write_text(text)
        result = daemon.reloader.reload()
        assert not result.good
        assert result.messages
    assert daemon.config is before
    assert not daemon.stop
    daemon.config.path.write_text(json.dumps({"version": 1, "state_dir": str(before.state_dir)}))
    assert daemon.reloader.reload().good
    assert not daemon.config.cameras


@pytest.mark.rig
@pytest.mark.parametrize(
    "error", [ValueError("odd"), PermissionError(13, "no"), RecursionError(), KeyError("x")]
)
def test_an_exception_that_nobody_foresaw_is_a_refusal(daemon, error):
    def fails():
        raise error

    reloader = Reloader(
        daemon.config, fails, daemon.cameras, daemon.couriers, daemon.evidence, daemon.metrics, daemon.clock
    )
    result = reloader.reload()
    assert not result.good
    assert result.messages[0].startswith(f"the file cannot be followed: {type(error).__name__}")
    assert reloader.config is daemon.config


@pytest.mark.rig
def test_a_step_that_fails_is_told_and_the_other_steps_are_taken(daemon, monkeypatch):
    whole = json.loads(daemon.config.path.read_text())
    whole["cameras"] = {"other": {"url": "rtsp://127.0.0.1:9/y"}}
    whole["camera_lost"] = {"after_s": 77}
    daemon.config.path.write_text(json.dumps(whole))

    def refuses(*_args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(daemon._group, "start", refuses)
    result = daemon.reloader.reload()
    assert not result.good
    assert "can't start new thread" in result.messages[0]
    assert daemon.config.camera_lost.after_s == 77
    assert daemon.registry.get_sample_value("surveil_config_restart_required") == 1
    assert not daemon.stop
