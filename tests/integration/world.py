"""What the integration tests share: a drawn clip, a webhook, a configuration, a daemon in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from surveil.clock import Stop, SystemClock
from tests import forked

PASSWORD = "s3cret-Pa55"


class Webhook:
    """A receiver on loopback that remembers alerts and their keys; `answer` may be changed at any time."""

    def __init__(self, host="127.0.0.1"):
        self.alerts, self.keys, self.answer = [], [], 204
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if outer.answer < 300:
                    outer.alerts.append(json.loads(body))
                    outer.keys.append(self.headers["idempotency-key"])
                self.send_response(outer.answer)
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://{host}:{self._server.server_address[1]}/alerts"

    def starts(self, rule):
        return [a for a in self.alerts if a["rule"] == rule and a["phase"] == "start"]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Process:
    """`surveil run` as the service manager would start it; with `fork=False` it has a command line of its own.

    `by`: what runs a module, as after `python`.
    """

    def __init__(
        self, config: Path, cwd: Path | None = None, *, fork: bool = True, by=("-m",), **environment: str
    ):
        self.token = ""
        """Of the pages, where the configuration sets one."""
        self.log = config.with_suffix(".log")
        self._file = self.log.open("ab")
        command, whole = [*by, "surveil", "run", "-c", str(config)], {**os.environ, **environment}
        if fork:
            self.child = forked.Child(command, stdout=self._file, stderr=self._file, env=whole, cwd=cwd)
        else:
            self.child = subprocess.Popen(
                [sys.executable, *command], stdout=self._file, stderr=self._file, env=whole, cwd=cwd
            )
        self._ran_before = len(self._told_pages())

    def pages(self):
        """host:port, once the log tells it; the log may begin with that of a process before."""
        return wait_for(lambda: self._told_pages()[self._ran_before :], 60)[0]

    def _told_pages(self):
        return [r["pages"] for r in self.records() if "pages" in r]

    def records(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def get(self, page):
        return fetch(f"{self.pages()}{page}", self.token)

    def end(self, number=signal.SIGTERM):
        """Send a signal to our own child; return its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        code = self.child.wait(15)
        self._file.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end(signal.SIGKILL)


def fetch(url, token=""):
    """Return status and text of a page."""
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(errors="replace")


def wait_for(what, timeout_s=30.0):
    """Return the first true answer of `what`; fail when there is none in time."""
    clock, stop = SystemClock(), Stop()
    end, pause_s = clock.monotonic() + timeout_s, 0.05
    while clock.monotonic() < end:
        if found := what():
            return found
        clock.sleep(pause_s, stop)
        # Most ask for a page, which costs the daemon and the test more than what is waited for.
        pause_s = min(1.3 * pause_s, 0.25)
    raise AssertionError("what was waited for did not come")


def samples(text):
    """Return the exposition as (name, frozenset of labels) → value."""
    from prometheus_client.parser import text_string_to_metric_families

    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def config_text(url, state, webhook=None, rules=None, top=None, **camera):
    """Return a configuration with one camera called yard."""
    made = {
        "version": 1,
        "cameras": {
            "yard": {
                "url": url,
                "zones": {"yard": [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]},
                "lines": {"gate": [[0.5, 0.0], [0.5, 1.0]]},
                "rules": rules
                or [
                    {"type": "intrusion", "zone": "yard", "after_s": 0.5},
                    {"type": "line_crossing", "line": "gate"},
                ],
                **camera,
            }
        },
        "sinks": {"ops": {"type": "webhook", "url": webhook}} if webhook else {},
        "state_dir": str(state),
        "http": {"listen": "127.0.0.1:0"},
        **(top or {}),
    }
    return json.dumps(made)
