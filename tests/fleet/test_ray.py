"""Ray under a fleet: what it runs comes up by the commands, and again after it was killed.

Needs Ray, which is no part of the usual environment: `.ci/run` puts it beside, for this file alone.
"""

import importlib.util
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

from surveil.fleet.rayprocess import TOKEN
from tests.fleet.authority import Authority
from tests.fleet.judge import Judge
from tests.fleet.machines import config
from tests.integration.world import wait_for
from tests.rig.clips import make_clip

pytestmark = [
    pytest.mark.rig,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is missing"),
]


class Commands:
    """`surveil` in processes of their own, as on two machines. A context manager."""

    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, name, *words):
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", "surveil", *words], stdout=log, stderr=log)
        self.running.append(process)
        return process

    def says(self, name, text):
        return text in (self.folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()


def surveil(*words):
    done = subprocess.run(
        [sys.executable, "-m", "surveil", *words], capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout


def encrypt(path, tls):
    """Let Ray's connections use TLS."""
    whole = json.loads(path.read_text())
    whole["fleet"] |= tls
    path.write_text(json.dumps(whole))


def twin_of(path):
    """Return the configuration of another machine that calls itself as this one."""
    whole, twin = json.loads(path.read_text()), path.parent.with_name("twin")
    shutil.copytree(path.parent / "state", twin / "state", ignore=lambda *_: {"fleet.sock"})
    whole["state_dir"] = str(twin / "state")
    (twin / path.name).write_text(json.dumps(whole))
    return twin / path.name


@contextmanager
def unusable(store):
    """Have something else in the place of the store for a while."""
    store.rename(store.with_name("away"))
    store.touch()
    yield
    store.unlink()
    store.with_name("away").rename(store)


def speaks_tls(fleet):
    """Whether the head shakes hands with a node that has a certificate."""
    context = ssl.create_default_context(cafile=fleet["authority"])
    context.load_cert_chain(fleet["certificate"], fleet["key"])
    host, port = HEAD.split(":")
    with (
        socket.create_connection((host, int(port)), 5) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        return bool(encrypted.cipher())


def in_ray(path, code):
    """Run a line that prints a process id in a process that is connected to the fleet; None: it could not."""
    program = (
        "from pathlib import Path\n"
        "from surveil.cli.fleet import _read, _ray\n"
        f"ray_backend = _ray(*_read(Path({str(path)!r})))\n"
        f"import ray\nray_backend.connect({HEAD!r}, '127.0.0.2')\n{code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False
    )
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None


HEAD = "127.0.0.2:26379"
AGENT = "print(ray.get(ray.get_actor('agent-node1', namespace='surveil').pid.remote()))"
IS_THERE = "ray.get_actor('coordinator', namespace='surveil'); print(1)"
COORDINATOR = "print(ray_backend.ask_coordinator('pid'))"


def test_a_fleet_comes_up_by_its_commands_and_outlives_its_coordinator_and_an_agent(tmp_path):
    clip = make_clip(tmp_path / "yard.mp4", fps=4, seconds=4.0, gop=4)
    (tmp_path / "store").mkdir()
    with Judge(clip, ["gate", "yard"]) as judge, Commands(tmp_path) as commands:
        paths = [config(f"node{i}", tmp_path, judge, "stop", "http://127.0.0.1:9/x", HEAD) for i in range(2)]
        authority = Authority(tmp_path / "tls")
        # On loopback the check takes the head's address for that of every node.
        for path in paths:
            encrypt(path, authority.settings(path.parent.name, "127.0.0.2", "127.0.0.3"))
        for path in paths:
            commands.start(f"daemon-{path.parent.name}", "run", "-c", path)
        head = commands.start("head", "fleet", "start", "-c", paths[0])
        tokens = [path.parent / "state" / TOKEN for path in paths]
        wait_for(tokens[0].exists, 60)
        wait_for(tokens[1].parent.exists, 60)
        tokens[1].touch(0o600)
        tokens[1].write_bytes(tokens[0].read_bytes())
        wait_for(lambda: commands.says("head", "in the fleet"), 120)
        node = commands.start("node", "fleet", "join", HEAD, "--ip", "127.0.0.3", "-c", paths[1])
        wait_for(lambda: commands.says("node", "in the fleet"), 120)
        wait_for(judge.read_once, 60)
        assert speaks_tls(json.loads(paths[1].read_text())["fleet"])
        wait_for(lambda: all(n in surveil("fleet", "status", "-c", paths[0]) for n in ("node0", "node1")), 60)
        assert "bad" not in surveil("fleet", "check", "-c", paths[1])
        began = judge.now()
        for line in (COORDINATOR, AGENT):
            before = in_ray(paths[0], line)
            os.kill(before, signal.SIGKILL)
            wait_for(lambda before=before, line=line: in_ray(paths[0], line) not in (None, before), 60)
        agent, twin = in_ray(paths[0], AGENT), twin_of(paths[1])
        encrypt(twin, authority.settings("twin", "127.0.0.2", "127.0.0.4"))
        assert commands.start("twin", "fleet", "join", HEAD, "--ip", "127.0.0.4", "-c", twin).wait(120) != 0
        assert commands.says("twin", "another machine of the fleet is called node1")
        assert in_ray(paths[0], AGENT) == agent
        with unusable(tmp_path / "store"):
            os.kill(in_ray(paths[0], COORDINATOR), signal.SIGKILL)
            wait_for(lambda: in_ray(paths[0], IS_THERE) is None, 60)
        wait_for(lambda: in_ray(paths[0], COORDINATOR) is not None, 60)
        wait_for(judge.read_once, 60)
        surveil("fleet", "drain", "node1", "-c", paths[0])
        wait_for(lambda: commands.says("daemon-node1", "cameras_removed"), 60)
        wait_for(judge.read_once, 60)
        assert judge.overlap_s(began) == 0
        node.terminate()
        assert node.wait(60) == 0
        head.terminate()
        assert head.wait(60) == 0
