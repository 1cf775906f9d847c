"""Processes for tests that start in milliseconds: forked from one that has imported everything.

Half of what a command costs is the import of its libraries. One process imports them once, and is forked for every
command: own memory, descriptors, environment, signals and exit code, as if it had been started. What it does not have
is a command line of its own: a test of that starts a process the usual way.

`python -m tests.forked SOCKET` is the server; `run` and `Child` are what tests use.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARIES = (
    "av", "cv2", "numpy", "onnxruntime", "pydantic", "prometheus_client", "scipy", "starlette.applications",
    "structlog", "typer", "typer.testing", "uvicorn", "yaml", "rich.console", "rich.live", "rich.table",
    "rich.progress", "surveil.app.daemon", "surveil.app.replay", "surveil.app.probe.run", "surveil.models.store",
    "surveil.demo.rtsp_server", "tests.rig.clips",
)  # fmt: skip
"""Not `surveil.cli`: its consoles take their width from the environment when they are imported."""


class Child:
    """A forked process; of `subprocess.Popen` it has what tests use. `command`: as after `python`.

    Standard output and error go where those of the tests go unless files are given; standard input is empty.
    """

    def __init__(self, command, *, stdin=None, stdout=None, stderr=None, env=None, cwd=None):
        self.args, self.returncode = command, None
        self._talk = socket.socket(socket.AF_UNIX)
        self._talk.connect(start())
        whole = os.environ if env is None else env
        request = {
            "command": [str(word) for word in command],
            "env": dict(whole),
            "cwd": str(cwd or Path.cwd()),
        }
        data = json.dumps(request).encode()
        with Path(os.devnull).open("rb") as nothing:
            files = [
                nothing if stdin is None else stdin,
                1 if stdout is None else stdout,
                2 if stderr is None else stderr,
            ]
            self._talk.sendall(f"{len(data):08d}".encode())
            socket.send_fds(
                self._talk, [b"."], [file if isinstance(file, int) else file.fileno() for file in files]
            )
            self._talk.sendall(data)
        self._told = b""
        self.pid = self._number(None)

    def poll(self):
        """Return the exit code, or None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout=None):
        """Return the exit code, negative for a signal; raise `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            try:
                self.returncode = self._number(timeout)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            self._talk.close()
        return self.returncode

    def _number(self, timeout):
        """Return what the server says next."""
        self._talk.settimeout(timeout)
        while b"\n" not in self._told:
            more = self._talk.recv(64)
            assert more, f"the server of forked processes has ended; what was run: {self.args}"
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return int(line)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def run(command, *, timeout=60, env=None, cwd=None):
    """Run to the end; return what `subprocess.run` with captured text would."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = Child(command, stdout=out, stderr=err, env=env, cwd=cwd)
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(command, code, out.read().decode(), err.read().decode())


@cache
def start():
    """Start the server of this process of tests, if it does not run yet; return its address."""
    folder = tempfile.TemporaryDirectory(prefix="forked-")
    address = str(Path(folder.name) / "socket")
    # Its standard input ends with this process, however that ends.
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked", address],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout.readline() == b"ready\n"

    def end():
        server.stdin.close()
        server.wait()
        server.stdout.close()
        folder.cleanup()

    atexit.register(end)
    return address


def _serve(address):
    """Fork for every request until standard input ends; return, in the child only, the command."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    listener.settimeout(0.5)
    print("ready", flush=True)
    os.set_blocking(0, False)
    while _lives():
        try:
            talk, _ = listener.accept()
        except TimeoutError:
            continue
        talk.settimeout(None)
        if os.fork() == 0:
            listener.close()
            return _supervise(talk)
        talk.close()
    while _reap(os.WNOHANG):
        pass
    os._exit(0)


def _lives():
    """Whether the tests are still there. Processes that have ended are waited for, so that their CPU time counts."""
    while _reap(os.WNOHANG):
        pass
    try:
        return os.read(0, 1) != b""
    except BlockingIOError:
        return True


def _reap(how):
    try:
        return os.waitpid(-1, how)[0]
    except ChildProcessError:
        return 0


def _supervise(talk):
    """Fork once more and tell how that ends; return, in the child only, the command."""
    length = int(_exactly(talk, 8))
    _, files, _, _ = socket.recv_fds(talk, 1, 3)
    request = json.loads(_exactly(talk, length))
    child = os.fork()
    if child:
        for file in files:
            os.close(file)
        talk.sendall(f"{child}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(OSError):  # who asked has gone
            talk.sendall(f"{code}\n".encode())
        os._exit(0)
    talk.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    # A shell that started the tests in the background had it ignored, and so would the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return request["command"]


def _exactly(talk, size):
    data = b""
    while len(data) < size:
        more = talk.recv(size - len(data))
        if not more:
            os._exit(1)
        data += more
    return data


def main():
    """Serve; in a fork go on as the program that was asked for, and end as Python does."""
    command = _serve(sys.argv[1])
    if command[0] == "-m":
        sys.argv = command[1:]
        sys.modules.pop("__main__", None)
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        assert command[0] == "-c"
        sys.argv = ["-c", *command[2:]]
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
