"""Commands of an operator's shell: the file of the service is found, and secrets of the service are not needed."""

import json
import os

import pytest
from typer.testing import CliRunner

from surveil.alerts.outbox import Outbox
from surveil.cli import common
from surveil.cli.root import app
from surveil.clock import SystemClock
from surveil.config import load
from surveil.errors import ConfigError, ModelError
from tests import forked
from tests.alerts.helpers import alert

FILE = """\
version: 1
defaults: {zones: {yard: [[0, 0], [1, 0], [1, 1]]}, rules: [{type: intrusion, zone: yard}]}
cameras:
  gate: {url: "rtsp://joe:${env:NOT_SET}@192.0.2.7/s"}
  lane: {url: "${env:NOT_SET}"}
  yard: {streams: {detect: "${credential:yard}", record: "rtsp://joe:${file:gone}@192.0.2.7/big"}}
sinks:
  hook: {type: webhook, url: "${env:NOT_SET}", headers: {authorization: "Bearer ${env:NOT_SET}"}}
  home: {type: mqtt, host: broker.example, tls: true, username: surveil, password: "${credential:mqtt}"}
  mail: {type: email, host: mail.example, sender: a@example.org, recipients: [b@example.org],
         username: u, password: "${file:gone}"}
http: {token: "${env:NOT_SET}"}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    for name in ("NOT_SET", "CREDENTIALS_DIRECTORY", "SURVEIL_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "etc" / "config.yaml"
    path.parent.mkdir()
    path.write_text(f"{FILE}state_dir: {tmp_path / 'state'}\n")
    outbox = Outbox.open(tmp_path / "state" / "surveil.db", ["hook", "home", "mail"], SystemClock())
    outbox.committer.commit([alert(0, camera="gate")])
    outbox.close()
    return path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize(
    "words",
    [
        ("alerts", "list", "--sink", "home"),
        ("alerts", "show", alert(0).id),
        ("alerts", "retry"),
        ("alerts", "purge"),
        ("alerts", "check"),
        ("alerts", "disarm", "--camera", "gate"),
        ("alerts", "arm"),
        ("alerts", "armed"),
        ("models", "list"),
        ("models", "classifiers"),
        ("normality", "show", "gate"),
    ],
    ids=" ".join,
)
def test_it_needs_no_secret_of_the_service(config, words):
    done = run(*words, "-c", config)
    assert "NOT_SET" not in done.output
    assert done.exit_code == 0 or isinstance(done.exception, ModelError), done.output
    assert "warning" not in done.output


def test_what_opens_cameras_and_sinks_needs_them_all(config):
    for words in (("check",), ("run",), ("collect", "gate"), ("check", "--probe")):
        done = forked.run(["-m", "surveil", *words, "-c", config])
        assert done.returncode == 78
        assert "cameras.gate.url: the environment variable NOT_SET is not set" in done.stderr
    with pytest.raises(ConfigError) as error:
        load(config)
    assert len(error.value.messages) == 9


def test_other_mistakes_are_still_told(config):
    config.write_text(config.read_text().replace("zone: yard", "zone: yart"))
    done = forked.run(["-m", "surveil", "alerts", "list", "-c", config])
    assert (done.returncode, "did you mean 'yard'?" in done.stderr) == (78, True)


def test_the_file_of_the_service_is_read_where_this_folder_has_none(config, tmp_path, monkeypatch):
    monkeypatch.setattr(common, "SYSTEM_CONFIG", config)
    monkeypatch.chdir(tmp_path)
    assert len(json.loads(run("alerts", "list", "--json").stdout)) == 1
    (tmp_path / "config.yaml").write_text(f"version: 1\nstate_dir: {tmp_path / 'other'}\n")
    assert f"{tmp_path / 'other' / 'surveil.db'}: no outbox found" in str(run("alerts", "list").exception)
    os.environ["SURVEIL_CONFIG"] = str(config)
    try:
        assert len(json.loads(run("alerts", "list", "--json").stdout)) == 1
    finally:
        del os.environ["SURVEIL_CONFIG"]
