"""The Tab key: names from the configuration, without its secrets."""

import os

import pytest

from tests import forked

pytestmark = pytest.mark.rig


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "version: 1\ncameras:\n"
        "  gate: {url: 'rtsp://u:${env:NOT_SET}@192.0.2.7/', rules: [{type: intrusion, name: night}]}\n"
        "  garden: {url: x, rules: [{type: loitering}]}\n  yard: {url: y}\n"
        "sinks: {ops: {type: log}, orders: {type: log}}\n"
        f"state_dir: {tmp_path}\n"
    )
    for name in ("shapes", "shelf", "helmets"):
        (tmp_path / "classifiers" / name).mkdir(parents=True)
    return path


def offered(*words):
    done = forked.run(
        ["-m", "surveil"],
        env={**os.environ, "_SURVEIL_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words)),
             "COMP_WORDS": " ".join(["surveil", *map(str, words)])},
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("check", "-c", "{}", "--probe", "--camera", "ga"), ["gate", "garden"]),
        (("alerts", "retry", "-c", "{}", "--sink", "o"), ["ops", "orders"]),
        (("alerts", "disarm", "-c", "{}", "--rule", "n"), ["night"]),
        (("models", "deploy", "-c", "{}", "sh"), ["shapes", "shelf"]),
        (("evaluate", "set", "-c", "{}", "--model", "sha"), ["shapes"]),
        (("check", "-c", "/nowhere/config.yaml", "--camera", ""), []),
        (("sche",), ["schema"]),
    ],
)
def test_names_are_offered(config, words, found):
    assert offered(*(word.format(config) for word in words)) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell):
    done = forked.run(["-m", "surveil", "--show-completion", shell])
    assert "_SURVEIL_COMPLETE" in done.stdout
