"""A password planted wherever a configuration may hold one appears on no surface, however cameras and sinks fail."""

import base64
import json
import re
import signal
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import Access, RtspServer
from tests.integration.test_command_line import surveil
from tests.integration.test_reload import File, metrics, reload
from tests.integration.world import Process, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
MARK = "Zq7xK"
"""In every secret, so that a part of one is found as well."""
SECRET = f"{MARK}@/:?#p w%"
WORD = f"{MARK}word"
"""A key that looks like a part of a path: that it is secret only the configuration knows."""
IN_URL = quote(SECRET, safe="")
LOGIN = f"user:{IN_URL}@"


@contextmanager
def unkind(status):
    """A server that refuses and repeats in its answer whatever it was told."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told = json.dumps({"path": self.path, **dict(self.headers)}).encode()
            self.send_response(status, f"no {self.headers.get('authorization', '')}")
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST  # noqa: N815 - as the base class calls it

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def cameras(rtsp, http, silent):
    """Cameras that fail, each in its way, with the secret in login, query and path."""
    return {
        "refused": {"url": f"rtsp://{LOGIN}127.0.0.1:9/cam?token={IN_URL}"},
        "path": {"url": f"rtsp://127.0.0.1:9/user=admin_password={IN_URL}_channel=1"},
        "unauthorized": {"url": f"rtsp://{LOGIN}{rtsp}/cam"},
        "not_found": {"url": f"http://{LOGIN}{http}/video?password={IN_URL}"},
        "silent": {"url": f"rtsp://{LOGIN}{silent}/cam", "open_timeout_s": 1.0},
        "streams": {
            "streams": {"detect": f"rtsp://{LOGIN}127.0.0.1:9/d", "record": f"rtsp://{LOGIN}127.0.0.1:9/r"}
        },
        "from_env": {"url": "rtsp://user:${env:CAM_PW}@127.0.0.1:9/e"},
        "word": {"url": "rtsp://127.0.0.1:9/live/${env:WORD}"},
    }


def sinks(http):
    """Every kind of sink, with the secret wherever it takes one."""
    login = {"username": "user", "password": "${file:secret}"}
    return {
        "log": {"type": "log"},
        "file": {"type": "file", "path": "alerts.jsonl"},
        "webhook": {
            "type": "webhook",
            "url": f"http://{LOGIN}{http}/hook?token={IN_URL}",
            "secret": SECRET,
            "headers": {"x-token": "${file:secret}", "authorization": f"Bearer {MARK}bearer"},
        },
        "alertmanager": {"type": "alertmanager", "url": f"http://{LOGIN}{http}"},
        "grafana": {"type": "grafana", "url": f"http://{http}", "token": "${file:secret}"},
        "mqtt": {"type": "mqtt", "host": "127.0.0.1", "port": 9, "tls": False, **login},
        "email": {
            "type": "email", "host": "127.0.0.1", "port": 9, "sender": "a@yard.example",
            "recipients": ["b@yard.example"], **login,
        },
        "apprise": {"type": "apprise", "url": f"json://{LOGIN}{http}/notify"},
    }  # fmt: skip


def spellings():
    """How the secret looks, in clear and encoded: its mark survives quoting, but not base64."""
    for text in (SECRET, f"user:{SECRET}", f"Bearer {MARK}bearer"):
        yield base64.b64encode(text.encode()).decode().rstrip("=")[:-2]
    yield MARK


def assert_silent(where, text):
    for spelling in spellings():
        at = text.find(spelling)
        assert at < 0, f"{where}: …{text[max(0, at - 200) : at + 60]}…"


def files(folder):
    return {path: path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}


def process(pid):
    """What everybody on the machine may read of a process; its environment is its user's alone."""
    root = Path(f"/proc/{pid}")
    names = [root / "cmdline", root / "comm", *root.glob("task/*/comm")]
    return "\n".join(path.read_bytes().decode("latin-1") for path in names)


@pytest.fixture
def world(tmp_path, passing_clip):
    (tmp_path / "secret").write_text(SECRET + "\n")
    with (
        RtspServer(RtpClip(passing_clip), access=Access("user", "another")) as rtsp,
        unkind(500) as http,
        unkind(404) as gone,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        place = rtsp.url.split("@")[-1].removeprefix("rtsp://").split("/")[0]
        made = cameras(place, gone, f"127.0.0.1:{silent.getsockname()[1]}")
        yield File(
            tmp_path, made, sinks(http),
            camera_lost={"after_s": 0.1}, http={"listen": "127.0.0.1:0", "token": SECRET},
            log={"format": "json", "level": "debug"},
        )  # fmt: skip


def test_the_daemon_tells_no_secret_on_any_surface(world, tmp_path):
    # What is looked for can be found.
    with pytest.raises(AssertionError):
        assert_silent("configuration", world.path.read_text())
    with Process(world.path, fork=False, CAM_PW=SECRET, WORD=WORD) as daemon:
        daemon.token = SECRET
        lost = lambda: metrics(daemon, "surveil_camera_state", state="lost")  # noqa: E731
        wait_for(lambda: sum(lost().values()) == len(world.whole["cameras"]), 60)

        def tried():
            attempts = metrics(daemon, "surveil_delivery_attempts_total")
            return {sink for (_, sink), n in attempts.items() if n}

        wait_for(lambda: tried() == set(world.whole["sinks"]), 60)
        for fmt in ("human", "journal"):
            world.whole["log"]["format"] = fmt
            world.whole["cameras"]["refused"]["url"] += "1"
            world.write()
            assert reload(daemon)["good"]
        world.whole["sinks"]["webhook"]["url"] = f"no-scheme://{LOGIN}host/?token={IN_URL}"
        world.write()
        assert not reload(daemon)["good"]
        for page in ("/", "/metrics", "/livez", "/readyz", "/status", f"/evidence/{MARK[:2]}"):
            assert_silent(page, daemon.get(page)[1])
        assert_silent("process", process(daemon.child.pid))
        daemon.end(signal.SIGTERM)
    assert_silent("log", re.sub(r"\x1b\[[0-9;]*m", "", daemon.log.read_text()))
    for path, text in files(tmp_path / "state").items():
        assert_silent(path, text)
        assert_silent("name", str(path))
    told = tmp_path / "alerts.jsonl"
    assert_silent("alerts.jsonl", told.read_text() if told.exists() else "")


@pytest.mark.parametrize("broken", [False, True])
def test_commands_tell_no_secret(world, tmp_path, broken):
    if broken:
        # The value itself is what is wrong, and a message may quote it.
        world.whole["sinks"]["webhook"]["headers"] = {"x": [SECRET]}
        world.whole["sinks"]["webhook"]["url"] = f"no-scheme://{LOGIN}host"
        world.whole["sinks"]["email"]["password"] = {"is": "${file:secret}"}
        world.whole["cameras"]["from_env"]["url"] = ["${env:CAM_PW}"]
        world.whole["http"]["listen"] = "nowhere"
        world.write()
    for words in (
        ["check"],
        ["check", "--json"],
        ["check", "--probe"],
        ["check", "--probe", "--json"],
        ["alerts", "list"],
    ):
        done = surveil(*words, "-c", world.path, CAM_PW=SECRET, WORD=WORD)
        assert_silent(" ".join(words), done.stdout + done.stderr)
