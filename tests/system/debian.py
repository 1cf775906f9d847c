"""docs/install.md to the letter on a fresh Debian, booted with systemd, with a drawn camera that wants a login.

    python -m tests.system.debian bookworm|trixie [--work FOLDER] [--ca FILE]

Root, mmdebstrap and systemd-container are needed, and the network: the root shares that of this machine, so the ports
9108, 9090 and 9093 must be free. Every indented block of the page is run as it stands, but for these: the address of
the repository is a clone of the committed tree, the address of the camera is the drawn one's, the configuration
block is written to its file, what follows a log for ever does not, and the lines for a GPU, Grafana and the package
are left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from tests.rig.rtsp_camera import Camera

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("--extra cuda", "surveil.deb")
PASSWORD = "the password"


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield (heading, block) of every indented block."""
    heading, lines = "", []
    for line in [*page.splitlines(), "end"]:
        if line.startswith("    "):
            lines.append(line)
        elif line.strip() and lines:
            yield heading, textwrap.dedent("\n".join(lines)) + "\n"
            lines = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


class Machine:
    """A booted Debian; `share` is /opt/share inside. Use as a context manager."""

    def __init__(self, suite: str, work: Path) -> None:
        self.root, self.share, self._log = work / f"{suite}.root", work / "share", work / f"{suite}.boot.log"
        if not self.root.exists():
            packages = "--include=systemd,systemd-sysv,dbus"
            run("mmdebstrap", "--quiet", "--variant=minbase", packages, suite, str(self.root))
        self.share.mkdir(exist_ok=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")

    def __enter__(self) -> Self:
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", f"--directory={self.root}", "--register=no", "--keep-unit", "--resolv-conf=off",
             "--console=pipe", "--link-journal=no", f"--bind={self.share}:/opt/share", "--boot"],
            stdin=subprocess.DEVNULL, stdout=self._log.open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.until("it boots", self._booted, 60)
        return self

    def _booted(self) -> bool:
        words = ["pgrep", "-P", str(self._nspawn.pid), "-x", "systemd"]
        found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
        self._init = found[0] if found else ""
        state = "systemctl is-system-running | grep -Eq 'running|degraded'"
        return bool(found) and self(state, check=False) == 0

    def __exit__(self, *_exc: object) -> None:
        self._nspawn.terminate()
        self._nspawn.wait(60)

    def __call__(self, script: str, *, check: bool = True) -> int:
        """Run a script in root's shell: it goes on in the folder and with the exports of the one before."""
        whole = (
            "cd; [ ! -e /run/shell ] || . /run/shell\nset -e\n" + script +
            "\nset +e; { export -p; printf 'cd %q\\n' \"$PWD\"; } > /run/shell"
        )  # fmt: skip
        # What a login gives, and nothing of this machine.
        clean = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            **EXTRA,
        }
        words = [
            "nsenter",
            "-t",
            self._init,
            "-a",
            "/usr/bin/env",
            "-i",
            *(f"{k}={v}" for k, v in clean.items()),
        ]
        done = subprocess.run([*words, "/bin/bash", "-c", whole], check=False)
        if check and done.returncode:
            self("journalctl -q -u surveil --no-pager -n 40", check=False)
            sys.exit(f"failed with exit code {done.returncode}:\n{script}")
        return done.returncode

    def until(self, what: str, done: object, timeout_s: float = 120.0) -> None:
        """Wait for something; exits when it does not come."""
        end = time.monotonic() + timeout_s
        while not (done() if callable(done) else self(str(done), check=False) == 0):
            if time.monotonic() > end:
                sys.exit(f"{what}: did not come within {timeout_s:.0f} s")
            time.sleep(1)


EXTRA: dict[str, str] = {}


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def options(description: str) -> argparse.ArgumentParser:
    """Return the options of a test on a machine of this kind."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("suite", choices=["bookworm", "trixie"])
    parser.add_argument(
        "--work", type=Path, help="Where roots are made and stay; by default a temporary folder."
    )
    parser.add_argument(
        "--ca", type=Path, help="Certificates for git and pip, where this network has its own."
    )
    return parser


@contextmanager
def machine_for(asked: argparse.Namespace, *, anew: bool = False) -> Iterator[tuple[Machine, Path]]:
    """Yield a machine that is not booted yet, and the folder of its root. `anew`: without what a run before left."""
    if os.geteuid() != 0:
        sys.exit("be root")
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        if anew:
            shutil.rmtree(work / f"{asked.suite}.root", ignore_errors=True)
        machine = Machine(asked.suite, work)
        if asked.ca:
            shutil.copy(asked.ca, machine.share / "ca.crt")
            EXTRA.update(dict.fromkeys(("PIP_CERT", "GIT_SSL_CAINFO"), "/opt/share/ca.crt"))
        write_clip(work / "clip.mp4", DrawnScene.passing(seed=3, people=2, size=(640, 360)))
        yield machine, work


def main() -> None:
    asked = options(__doc__.splitlines()[0]).parse_args()
    with machine_for(asked) as (machine, work):
        shutil.rmtree(machine.share / "surveil.git", ignore_errors=True)
        run("git", "clone", "--quiet", "--bare", str(ROOT), str(machine.share / "surveil.git"))
        run("chown", "-R", "0:0", str(machine.share / "surveil.git"))
        with Camera(work / "clip.mp4", user="user", password=PASSWORD) as camera, machine:
            follow(machine, camera.port)
    print(f"{asked.suite}: docs/install.md works to the letter")


def follow(machine: Machine, port: int) -> None:
    """Run the page."""
    for heading, block in blocks((ROOT / "docs" / "install.md").read_text()):
        if any(word in block for word in LEFT_OUT):
            continue
        print(f"== {heading}\n{block}", flush=True)
        if block.startswith("version: 1"):
            config = block.replace("192.0.2.7/stream2", f"127.0.0.1:{port}/cam")
            (machine.share / "config.yaml").write_text(config)
            machine("cat /opt/share/config.yaml > /etc/surveil/config.yaml")
            continue
        script = block.replace("<address of this repository>", "/opt/share/surveil.git")
        machine(re.sub(r"(journalctl .*) -f\b", r"\1 --no-pager", script))
        if "enable --now surveil" in block:
            machine.until("an alert", "test -s /var/lib/surveil/alerts.jsonl")
    machine("curl -sf http://127.0.0.1:9108/readyz && curl -sf http://127.0.0.1:9108/metrics > /run/metrics")
    query = "http://127.0.0.1:9090/api/v1/query?query=up==1"
    up = f'curl -sgf "{query}" | grep -q 127.0.0.1:9108'
    machine.until("Prometheus scrapes surveil", up)
    machine.until("Alertmanager is ready", "curl -sf http://127.0.0.1:9093/-/ready")
    machine("surveil --version && surveil alerts check && man -w surveil-alerts 2>/dev/null || true")


if __name__ == "__main__":
    main()
