"""A real systemd as PID 1, booted in a second from this machine's own root under a throw-away overlay.

Type=notify, WatchdogSec, DynamicUser, ProtectSystem, credentials and the system call filter are really enforced there;
MemoryMax and TasksMax are not (no writable cgroup). No network but loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from surveil.clock import Stop, SystemClock

REPOSITORY = Path(__file__).parents[2]
TOOLS = ("systemd-nspawn", "nsenter", "mount", "strace")
_BOOT_S = 30.0
_IN_A_NAMESPACE = (
    "unshare", "--mount", "--propagation", "private", "sh", "-c",
    'root=$1; shift; mount --bind / "$root" && mount -o remount,bind,ro "$root" && exec "$@"', "sh",
)  # fmt: skip
"""The overlay wants a path that is not "/" by name, and that without /proc and other mounts. Only the container
sees it, and only to read: what stood in a temporary folder of the machine would one day be deleted with that folder."""


def why_not():
    """Why no systemd can be booted here; empty: it can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing (apt-get install systemd-container util-linux strace)"
    if os.geteuid() != 0:
        return "only root can boot a container"
    allowed = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if allowed.returncode == 0 else "this machine lets nobody make namespaces"


class Container:
    """Use as a context manager; `share` is a folder of the host that is /opt/share inside."""

    def __init__(self, folder):
        self.share = folder / "share"
        self.share.mkdir()
        self.share.chmod(0o755)
        self._root = folder / "root"
        self._root.mkdir()
        self._log = folder / "boot.log"
        self._shim()

    def _shim(self):
        """Write the `surveil` of the container: this checkout and environment, where a service may see them."""
        base = Path(sys.base_prefix)
        packages = next(Path(p) for p in sys.path if p.endswith("site-packages"))
        self._binds = {base: "/opt/python", packages: "/opt/packages", REPOSITORY: "/opt/source"}
        python = Path(sys.executable).resolve().relative_to(base)
        program = self.share / "surveil"
        program.write_text(
            "#!/bin/sh\n"
            # A Python that was built shared would take the system's library otherwise.
            "export PYTHONPATH=/opt/source:/opt/packages PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/python/lib\n"
            f'exec /opt/python/{python} -m surveil "$@"\n'
        )
        program.chmod(0o755)

    def __enter__(self):
        binds = [f"--bind-ro={host}:{inside}" for host, inside in self._binds.items()]
        words = [
            *_IN_A_NAMESPACE,
            str(self._root),
            "systemd-nspawn", f"--directory={self._root}", "--volatile=overlay", "--register=no", "--keep-unit",
            "--private-network", "--console=pipe", "--link-journal=no", f"--machine=surveil{os.getpid()}",
            *binds, f"--bind={self.share}:/opt/share", "--boot", "systemd.unit=basic.target",
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._init = wait(self._booted, _BOOT_S)
        except AssertionError:
            self.__exit__()
            pytest.fail(f"systemd did not boot:\n{self._log.read_text(errors='replace')[-2000:]}")
        return self

    def _booted(self):
        found = subprocess.run(
            ["pgrep", "-P", str(self._nspawn.pid), "-x", "systemd"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        if not found:
            return None
        self._init = found[0]
        return (
            self._init if self("systemctl is-active basic.target", check=False).stdout == "active\n" else None
        )

    def __exit__(self, *_exc):
        self._nspawn.terminate()
        try:
            self._nspawn.wait(15)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()

    def __call__(self, command, *, check=True, timeout_s=90):
        """Run a bash command inside."""
        done = subprocess.run(
            ["nsenter", "-t", self._init, "-a", "/bin/bash", "-c", command],
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{command}:\n{done.stdout}{done.stderr}\n{self.journal()}"
        return done

    def show(self, *properties, unit="surveil"):
        """Properties of a unit, as strings."""
        told = self(f"systemctl show {unit} -p {','.join(properties)}").stdout
        found = dict(line.split("=", 1) for line in told.splitlines())
        return [found[name] for name in properties]

    def journal(self, unit="surveil"):
        return self(f"journalctl -q -u {unit} --no-pager -o cat", check=False).stdout

    def page(self, path, port=9108):
        """A page of a daemon, empty when it does not answer."""
        request = (
            f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
        )
        return self(request, check=False).stdout


def wait(what, timeout_s=30.0, every_s=0.25):
    """Return the first true answer of `what`, which costs processes; fail when there is none in time."""
    clock, stop = SystemClock(), Stop()
    end = clock.monotonic() + timeout_s
    while clock.monotonic() < end:
        if found := what():
            return found
        clock.sleep(every_s, stop)
    raise AssertionError("what was waited for did not come")
