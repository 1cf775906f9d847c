"""Several daemons at one broker, and names that must not be mistaken for each other."""

from __future__ import annotations

import json
import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.alerts.delivery import Camera, Context, Delivery, InstallationStatus
from surveil.alerts.homeassistant import discovery, unique_id
from surveil.alerts.sinks import make_sink
from surveil.config import load
from surveil.errors import ConfigError

from .clients import Listener, mqtt_settings
from .helpers import alert
from .servers import free_port, mosquitto, needs

GATE = InstallationStatus({"gate": Camera(state="streaming", zones=("yard",), rules=("intrusion",))})
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,5}", fullmatch=True)


def config(tmp_path, text: str = "", camera: str = "gate"):
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\ncameras: {{{camera}: {{url: 'rtsp://127.0.0.1:9/x'}}}}\n{text}")
    return load(path)


def test_a_daemon_is_named_by_its_host_unless_the_file_says_otherwise(tmp_path):
    assert config(tmp_path).instance == socket.gethostname()
    assert config(tmp_path, "instance: nvr-1.example\n").instance == "nvr-1.example"


@pytest.mark.parametrize(("host", "name"), [("", "surveil"), ("_x/y", "xy"), ("a" * 80, "a" * 63)])
def test_a_host_name_that_no_topic_can_hold_is_cut_down(tmp_path, monkeypatch, host, name):
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert config(tmp_path).instance == name


@pytest.mark.parametrize("name", ["a/b", "+", "a b", "-a", "ä", "a" * 64, '"a\\n"'])
def test_a_name_that_no_topic_can_hold_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="the name of this daemon has letters"):
        config(tmp_path, f"instance: {name}\n")


def test_no_camera_takes_the_name_of_the_daemon_itself(tmp_path):
    with pytest.raises(ConfigError, match="the name 'system' belongs to alerts about the daemon"):
        config(tmp_path, camera="system")
    assert "systems" in config(tmp_path, camera="systems").cameras


@needs("mosquitto", "openssl")
@pytest.mark.parametrize("other", [{"prefix": "site-b"}, {}])
def test_two_daemons_of_one_host_do_not_throw_each_other_off(tmp_path, certificate, other):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate):
        first = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path / "a"))
        folder = tmp_path / ("a" if other else "b")
        second = make_sink(mqtt_settings(port, certificate, **other), Context(state_dir=folder))
        for _ in range(3):
            first.maintain(GATE)
            second.maintain(GATE)
        second.close()
        first.close()


@needs("mosquitto", "openssl")
def test_topics_have_the_name_of_the_daemon(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink = make_sink(
            mqtt_settings(port, certificate), Context(state_dir=tmp_path, instance="nvr.example")
        )
        sink.deliver(Delivery(alert(0)))
        sink.maintain(GATE)
        assert json.loads(listener.wait("surveil/nvr.example/gate/alert"))["id"] == alert(0).id
        assert listener.wait("surveil/nvr.example/status") == b"online"
        assert listener.wait("homeassistant/event/surveil_nvr_-2e-example_gate_alert/config")
        listener.close()
        sink.close()


def test_entities_of_names_that_look_alike_are_different_ones():
    cameras = {
        "yard": Camera(zones=("state", "zone", "a_b", "alert"), rules=("x",)),
        "yard_zone": Camera(zones=("b",), rules=("x",)),
        "yard_zone_a": Camera(zones=("b",), rules=("x",)),
        "a-b": Camera(rules=("x",)),
        "a_b": Camera(rules=("x",)),
    }
    said = [
        (topic, json.loads(payload))
        for instance in ("nvr", "nvr_yard", "nvr-yard", "nvr.yard")
        for topic, payload in discovery(
            "ha", "t", instance, InstallationStatus(cameras), switches=True
        ).items()
    ]
    # Five entities of each camera without zones, zones, and the daemon's own, for each of four daemons.
    assert len({one["unique_id"] for _, one in said}) == len(said) == 4 * (5 * 4 + 6 + 1)
    assert len({topic for topic, _ in said}) == len(said)
    assert len({one["device"]["identifiers"][0] for _, one in said}) == 4 * 6


@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, min_size=1, max_size=4))
def test_no_two_lists_of_names_have_the_same_id(one, other):
    assert (unique_id(*one) == unique_id(*other)) == (one == other)
    assert re.fullmatch("[A-Za-z0-9_-]+", unique_id(*one))
