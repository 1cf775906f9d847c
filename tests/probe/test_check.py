"""`surveil check --probe` over a whole configuration: causes, JSON, exit codes, and no password anywhere."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from surveil.app.probe.report import (
    Budget,
    CameraReport,
    Check,
    HostReport,
    ModelReport,
    ProbeReport,
    SinkReport,
)
from surveil.app.probe.run import probe
from surveil.config import load
from tests import forked
from tests.alerts.helpers import Receiver
from tests.alerts.servers import free_port, make_certificate, mosquitto, needs
from tests.alerts.test_sinks_servers import Listener
from tests.integration.world import Process, wait_for
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

pytestmark = pytest.mark.rig
RULES = [{"type": "presence", "classes": ["person"]}]
PLANTED = "pLaNTed"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", gop=10, seconds=4.0)


@pytest.fixture(scope="module")
def camera(clip):
    with Camera(clip) as camera:
        yield camera


@pytest.fixture
def write(tmp_path):
    def written(urls, **top):
        cameras = {
            name: ({"url": str(one)} if not isinstance(one, dict) else one) | {"rules": RULES}
            for name, one in urls.items()
        }
        whole = {
            "version": 1,
            "cameras": cameras,
            "sinks": {"log": {"type": "log"}},
            "state_dir": str(tmp_path / "state"),
            "http": {"listen": "127.0.0.1:0"},
            **top,
        }
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(whole))
        return path

    return written


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def check(path, *words, **environment):
    return forked.run(
        ["-m", "surveil", "check", "--probe", "-c", path, "--seconds", "0.5", *words],
        timeout=100, env={**os.environ, "COLUMNS": "200", **environment},
    )  # fmt: skip


def test_of_sixteen_cameras_four_are_dead_in_four_ways(write, clip):
    with ExitStack() as stack:
        well = [stack.enter_context(Camera(clip)) for _ in range(2)]
        locked = stack.enter_context(Camera(clip, user="joe", password="right"))
        hung = stack.enter_context(Camera(clip))
        hung("hang")
        urls = {f"c{n:02}": well[n % 2].url for n in range(12)}
        urls |= {
            "refused": f"rtsp://127.0.0.1:{closed_port()}/cam",
            "unauthorized": locked.plain_url.replace("//", "//joe:wrong@"),
            "not_found": well[0].url.replace("/cam", "/other"),
            "timeout": hung.url,
        }
        done = []
        report = probe(load(write(urls)), seconds=1.0, on_done=lambda part, ok: done.append((part, ok)))
    by_name = {camera.name: camera for camera in report.cameras}
    dead = ("refused", "unauthorized", "not_found", "timeout")
    assert {name: by_name[name].detect.cause for name in dead} == {name: name for name in dead}
    assert [camera.name for camera in report.cameras if not camera.ok] == list(dead)
    assert all(c.detect.state == "streaming" and c.detect.gop_frames == 10 for c in report.cameras if c.ok)
    assert report.exit_code == 5
    told = dict(done)
    assert len(done) == len(told) == 16 + 1 + 2
    assert [name for (kind, name), ok in told.items() if kind == "camera" and not ok] != []


SHAPE = {
    "schema": int, "ok": bool, "exit_code": int, "config": str, "digest": str, "seconds": float,
    "warnings": list, "advice": [{"code": str, "about": str, "text": str}],
    "cameras": {
        "gate": {
            "ok": bool, "record": None, "gate_ms": float, "record_sight": None,
            "sight": {"close_px": int, "close_share": float, "whole_px": int, "tiles": int},
            "detect": {
                "url": str, "ok": bool, "state": str, "cause": None, "message": str, "reachable": bool,
                "login": str, "transport": str, "codec": str, "profile": str, "width": int, "height": int,
                "fps": float, "stamp_rate": float, "gop_frames": int, "gop_s": float, "gop_longer_than_s": None,
                "bits_per_second": int, "open_s": float, "first_picture_s": float, "decoder": str,
                "clock_skew_s": float, "lag_s": float, "damage": int, "pictures": int, "watched_s": float,
                "cpu_ms": float,
                "key_cpu_ms": float,
            },
        },
        "off": {"ok": bool, "detect": None, "record": None, "gate_ms": None, "sight": None, "record_sight": None},
    },
    "model": {
        "name": str, "ok": bool, "message": str, "decoder": str, "classes": int, "input": str, "provider": str,
        "wanted": str, "inference_ms": float, "inference_cpu_ms": float, "cpu_inference_ms": None, "agrees": None,
    },
    "sinks": {
        "log": {
            "type": str, "ok": bool, "shown": str, "message": str, "milliseconds": float, "test_sent": bool,
        },
    },
    "offsite": None,
    "host": {
        "ok": bool, "user": str, "state_dir": {"ok": bool, "shown": str, "message": str},
        "listen": {"ok": bool, "shown": str, "message": str}, "cores": int, "memory_available_bytes": int,
        "disk_free_bytes": int, "disk_size_bytes": int, "time_zone": str, "clock_synchronised": bool,
        "gpu": bool,
    },
    "budget": {
        "cameras": {"gate": {"cpu_still": float, "cpu_moving": float, "memory_bytes": int}},
        "cpu_still": float, "cpu_moving": float, "memory_bytes": int,
    },
}  # fmt: skip
"""Scripts read this: a field that goes or changes its type raises `schema`."""


def shape(value, like):
    """Return the types of a document; lists are judged by their first item where the shape names one."""
    if isinstance(value, dict):
        return {
            key: shape(item, like.get(key) if isinstance(like, dict) else None) for key, item in value.items()
        }
    if isinstance(value, list):
        return [shape(value[0], like[0])] if isinstance(like, list) else list
    return None if value is None else type(value)


def test_the_json_has_this_shape_and_the_advice_that_is_due(write, camera, tmp_path):
    urls = {"gate": {"url": camera.url, "detect": {"fps": 2}}, "off": {"url": camera.url, "enabled": False}}
    done = check(write(urls, model={"provider": "cpu"}), "--json", CUDA_VISIBLE_DEVICES="")
    document = json.loads(done.stdout)
    # Not every container lets a program ask.
    document["host"]["clock_synchronised"] = bool(document["host"]["clock_synchronised"])
    # A busy machine may see too few packets in a second to judge the camera's clock.
    detect = document["cameras"]["gate"]["detect"]
    detect["stamp_rate"] = 1.0 if detect["stamp_rate"] is None else detect["stamp_rate"]
    assert shape(document, SHAPE) == SHAPE
    assert (done.returncode, document["exit_code"], document["ok"]) == (0, 0, True)
    assert "fps_high" in {one["code"] for one in document["advice"] if one["about"] == "camera gate"}
    assert not (tmp_path / "state").exists()


WELL = ProbeReport(
    config="config.yaml",
    digest="0",
    seconds=1.0,
    cameras=(CameraReport(name="gate", ok=True),),
    model=ModelReport(name="m", ok=True),
    sinks=(SinkReport(name="ops", type="log", ok=True),),
    host=HostReport(
        user="nvr",
        state_dir=Check(ok=True, shown=""),
        listen=Check(ok=True, shown=""),
        cores=1,
        memory_available_bytes=None,
        disk_free_bytes=None,
        disk_size_bytes=None,
        time_zone="UTC",
        clock_synchronised=None,
        gpu=False,
    ),
    budget=Budget({}, 0.0, 0.0, 0),
)
BAD = {
    3: {"model": replace(WELL.model, ok=False)},
    4: {"host": replace(WELL.host, listen=Check(ok=False, shown=""))},
    5: {"cameras": (CameraReport(name="gate", ok=False),)},
    6: {"sinks": (SinkReport(name="ops", type="log", ok=False),)},
}


def test_eighty_columns_are_enough_for_cameras_that_fail(write, camera):
    dead = f"rtsp://127.0.0.1:{closed_port()}/a/path/that/is/longer/than/any/column/of/a/table/could/ever/be"
    done = check(write({"the-gate-in-the-north": dead, "yard": camera.url}), COLUMNS="80")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["the-gate-in-the-north", "lost"] in lines
    assert any(line[:2] == ["yard", "streaming"] for line in lines)
    said = (
        f"camera the-gate-in-the-north: refused: {dead}: connection refused: no service listens on that port"
    )
    assert said in done.stdout.splitlines()


def test_exit_codes_and_which_of_them_wins():
    assert WELL.exit_code == 0
    assert {code: replace(WELL, **change).exit_code for code, change in BAD.items()} == {c: c for c in BAD}
    together = {}
    for code in sorted(BAD, reverse=True):
        together |= BAD[code]
        assert replace(WELL, **together).exit_code == code


def test_a_model_that_is_missing_is_a_part_that_fails(write, camera):
    done = check(write({"gate": camera.url}, model={"file": "/nowhere/model.onnx"}))
    assert done.returncode == 3
    assert "/nowhere/model.onnx" in done.stdout
    assert "streaming" in done.stdout


def test_a_state_directory_or_port_that_cannot_be_had_is_told(write):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        report = probe(load(write({}, state_dir="/dev/null/state", http={"listen": listen})))
    assert report.exit_code == 4
    assert report.host.state_dir.message.startswith("state_dir: /dev/null/state: /dev/null is not a folder; ")
    assert report.host.listen.message.startswith(f"http.listen: cannot listen on {listen}: ")


def test_only_the_camera_that_is_named_is_opened(write, camera, tmp_path):
    path = write({"gate": camera.url, "yard": tmp_path / "none.mp4"})
    done = check(path, "--camera", "gate", "--json")
    assert (done.returncode, list(json.loads(done.stdout)["cameras"])) == (0, ["gate"])


def test_a_camera_that_is_not_there_is_a_mistake_in_the_command(write):
    done = check(write({"gate": "none.mp4"}), "--camera", "gat")
    assert done.returncode == 2
    assert "did you mean" in done.stderr
    assert "gate" in done.stderr


def test_a_test_message_is_sent_on_request_only(write):
    with Receiver() as hook:
        path = write({}, sinks={"hook": {"type": "webhook", "url": hook.url}})
        assert check(path, "--json").returncode == 0
        assert hook.got == []
        done = check(path, "--json", "--send-test")
        (got,) = hook.got
    assert json.loads(done.stdout)["sinks"]["hook"]["test_sent"] is True
    assert (got.json["rule"], got.json["camera"], got.json["phase"]) == ("test", "system", "start")


def test_the_second_place_is_looked_at_and_gets_a_file_on_request_only(write, tmp_path):
    there = tmp_path / "there"
    path = write({}, offsite={"path": str(there), "same_disk": True})
    missing = check(path, "--json")
    assert (missing.returncode, json.loads(missing.stdout)["offsite"]["ok"]) == (6, False)
    assert f"{there} is not there; mount it" in check(path).stdout
    there.mkdir()
    assert f"second place {there}: " in (shown := check(path)).stdout
    assert shown.returncode == 0
    assert list(there.iterdir()) == []
    done = check(path, "--json", "--send-test")
    assert json.loads(done.stdout)["offsite"]["test_sent"] is True
    assert [file.name for file in there.iterdir()] == ["surveil-test.txt"]


def test_a_second_place_on_this_disk_is_no_second_place(write, tmp_path):
    (tmp_path / "there").mkdir()
    done = check(write({}, offsite={"path": str(tmp_path / "there")}), "--json")
    assert "is it mounted?" in json.loads(done.stdout)["offsite"]["message"]


def test_a_daemon_that_runs_is_recognised_and_not_disturbed(write, clip):
    with Camera(clip) as camera:
        port = free_port()
        path = write({"gate": camera.url}, http={"listen": f"127.0.0.1:{port}"})
        with Process(path) as daemon:
            wait_for(lambda: daemon.get("/readyz")[0] == 200, 60)
            report = probe(load(path), seconds=0.5)
            connects = 'surveil_camera_connects_total{camera="gate"} 1.0'
            assert connects in daemon.get("/metrics")[1]
            assert daemon.end() == 0
    assert report.host.listen == Check(ok=True, shown=f"127.0.0.1:{port} is in use by a running surveil")
    assert report.exit_code == 0


@needs("mosquitto", "openssl")
@pytest.mark.server
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_password_that_is_planted_everywhere_appears_nowhere(write, clip, tmp_path):
    word = f"{PLANTED}@s:w/d"
    quoted = "pLaNTed%40s%3Aw%2Fd"
    certificate = make_certificate(tmp_path / "tls")
    port, dead, ca = free_port(), closed_port(), str(certificate[0])
    away = f"127.0.0.1:{dead}"
    with Camera(clip, user="joe", password=word) as camera, mosquitto(tmp_path, port, *certificate):
        cameras = {
            "good": camera.url,
            "wrong": camera.plain_url.replace("//", f"//joe:{quoted}x@"),
            "dead": f"rtsp://joe:{quoted}@{away}/user=joe_password={PLANTED}_channel=1",
            "token": f"http://{away}/live?access_token={PLANTED}",
            "clips": {"streams": {"detect": camera.url, "record": f"rtsp://joe:{quoted}@{away}/main"}},
        }
        bus = {"type": "mqtt", "host": "127.0.0.1", "port": port, "ca_file": ca, "username": "nvr"}
        mail = {
            "type": "email",
            "host": "127.0.0.1",
            "port": dead,
            "sender": "a@x.example",
            "recipients": ["b@x.example"],
        }
        sinks = {
            "hook": {"type": "webhook", "url": f"http://joe:{quoted}@{away}/{PLANTED}", "secret": PLANTED,
                     "headers": {"Authorization": f"Bearer {PLANTED}"}},
            "bus": {**bus, "password": "s3cret"},
            "bus_wrong": {**bus, "password": PLANTED},
            "graf": {"type": "grafana", "url": f"http://{away}", "token": PLANTED},
            "am": {"type": "alertmanager", "url": f"http://joe:{PLANTED}@{away}"},
            "mail": {**mail, "username": "joe", "password": PLANTED},
            "phone": {"type": "apprise", "url": f"json://joe:{PLANTED}@{away}/"},
        }  # fmt: skip
        http = {"listen": "127.0.0.1:0", "token": PLANTED}
        path = write(cameras, sinks=sinks, http=http, instance="surveil")
        listener = Listener(port, certificate)
        told = [check(path, "--send-test"), check(path, "--json")]
        assert json.loads(listener.wait("surveil/surveil/system/alert"))["rule"] == "test"
        listener.close()
    document = json.loads(told[1].stdout)
    assert {name: one["detect"]["cause"] for name, one in document["cameras"].items()} == {
        "good": None, "wrong": "unauthorized", "dead": "refused", "token": "refused", "clips": None,
    }  # fmt: skip
    assert document["cameras"]["clips"]["record"]["cause"] == "refused"
    assert {name: one["ok"] for name, one in document["sinks"].items()} == {
        "hook": False, "bus": True, "bus_wrong": False, "graf": False, "am": False, "mail": False, "phone": True,
    }  # fmt: skip
    assert document["sinks"]["bus_wrong"]["message"] == f"127.0.0.1:{port}: Not authorized"
    surfaces = "".join(one.stdout + one.stderr for one in told)
    assert PLANTED not in surfaces
    assert "Traceback" not in surfaces
