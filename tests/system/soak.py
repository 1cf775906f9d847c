"""A day in the life: cameras, sinks, disk, viewers and the daemon itself fail at random, and nothing may be lost.

    python -m tests.system.soak [--hours 24 | --minutes 3] [--cameras 8] [--seed 1] [--report soak.html]

Cameras of the rig stall, hang, reboot, lie about time, send garbage and change size; sinks are away or overloaded; the
configuration is reloaded; the daemon is killed; the disk fills up (as root, on a file system of its own); browsers look
on, one of them a byte a second. Each minute every invariant is checked. At the end all is well again, every camera
must be watched, every alert delivered, the books must balance, and memory and descriptors must be level.

The clock of the machine is left alone: clock steps have tests of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from surveil.alerts.admin import check
from surveil.alerts.camerawatch import RULE as CAMERA_LOST
from surveil.alerts.disk import SYSTEM
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from tests.integration.books import in_database, rows
from tests.integration.world import Process, Webhook, samples, wait_for
from tests.rig.rtsp_camera import Camera
from tests.system import soak_report
from tests.system.soak_report import Report, Sample

SIZE_MB = 160
KILLS_EVERY_S, LEAST_KILLS = 900.0, 3
"""Mean time between kills, but so many at least: within a life, memory and descriptors have to be level."""
WELL_AGAIN_S = 420.0
"""A sink that was refused for good reasons is tried again after minutes."""
CAMERA_FAULTS = {
    "freeze": "thaw", "hang": "unhang", "down": "up", "kick": "", "reset": "", "garbage 300": "", "jump 4000": "",
    "jump -9000": "", "corrupt 0.05": "corrupt 0", "drop 0.05": "drop 0", "delay 2": "delay 0", "skew 600": "skew 0",
    "rate 0.9": "rate 1", "stray 7200": "stray 0", "fps 2": "fps 5",
}  # fmt: skip
"""Command that begins a fault → the one that ends it; empty for what is over at once."""
SINK_ANSWERS = (503, 429, 500, 401)
DELIVERED = """
SELECT a.id FROM alerts a JOIN deliveries d ON d.alert = a.seq WHERE d.sink = '{}' AND d.state = 'delivered'"""
UNDELIVERED = "SELECT count(*) FROM deliveries WHERE sink = '{}' AND state != 'delivered'"
Undo = tuple[Callable[[], object], float]
"""What ends a fault, and after how many seconds."""
NOTHING: Undo = (lambda: None, 0.0)


@dataclass(kw_only=True)
class Soak:
    """The world of one run. Use as a context manager."""

    folder: Path
    cameras: int
    rng: random.Random
    report: Report = field(default_factory=Report)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._clips = [self._clip(n, size) for n, size in enumerate(((640, 360), (480, 272)))]
            self._cameras = [stack.enter_context(Camera(self._clips[0], fps=5)) for _ in range(self.cameras)]
            self._hooks = {name: stack.enter_context(Webhook()) for name in ("ops", "desk")}
            self._disk = stack.enter_context(disk(self.folder / "state"))
            self._stopped = threading.Event()
            stack.callback(self._stopped.set)
            self._config = self.folder / "config.yaml"
            self._linger = 0.4
            self._faulty: set[int] = set()
            self._balloon = self.folder / "state" / "balloon"
            self._write()
            self._start()
            stack.callback(lambda: self.daemon.end(signal.SIGKILL))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _clip(self, number: int, size: tuple[int, int]) -> Path:
        clip = self.folder / f"clip{number}.mp4"
        write_clip(clip, DrawnScene.passing(seed=3 + number, people=2, size=size))
        return clip

    @property
    def state(self) -> Path:
        """The daemon's state directory."""
        return self.folder / "state" / "surveil"

    def _write(self) -> None:
        zone = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]
        rule = {"type": "intrusion", "zone": "yard", "after_s": 0.4, "linger_s": self._linger}
        cameras = {
            f"c{n}": {"url": camera.url, "zones": {"yard": zone}, "rules": [rule]}
            for n, camera in enumerate(self._cameras)
        }
        sinks = {name: {"type": "webhook", "url": hook.url} for name, hook in self._hooks.items()}
        sinks["archive"] = {"type": "file", "path": "alerts.jsonl"}
        http = {"listen": "127.0.0.1:0", "console": True}
        # Every event is to be told of: what a storm of alerts would withhold could not be missed.
        made = {"version": 1, "cameras": cameras, "sinks": sinks, "state_dir": str(self.state), "http": http,
                "storm": {"max_per_hour": 100000}}  # fmt: skip
        self._config.write_text(json.dumps(made))

    def _start(self) -> None:
        self.daemon = Process(self._config, fork=False)
        wait_for(lambda: self.daemon.get("/livez")[0] == 200, 60)
        for look in (self._grid, self._slow_grid, self._events):
            threading.Thread(target=self._viewer, args=(look, self.daemon), daemon=True).start()

    # What goes wrong.

    def run(self, seconds: float) -> None:
        """Let things go wrong for so long, then mend them."""
        end, sampled = time.monotonic() + seconds, 0.0
        pending: list[tuple[float, Callable[[], object]]] = []
        actions = (
            [self._camera_fault] * 12
            + [self._sink_fault] * 4
            + [self._reload] * 2
            + [self._fill, self._switch]
        )
        kills_every_s = min(KILLS_EVERY_S, seconds / LEAST_KILLS)
        killed = time.monotonic() + self.rng.expovariate(1 / kills_every_s)
        while (now := time.monotonic()) < end:
            for item in [item for item in pending if item[0] <= now]:
                pending.remove(item)
                item[1]()
            if now - sampled >= soak_report.EVERY_S:
                self._sample()
                sampled = now
            if now >= killed:
                self._kill()
                killed = now + self.rng.expovariate(1 / kills_every_s)
            undo, lasts_s = self.rng.choice(actions)()
            pending.append((now + lasts_s, undo))
            time.sleep(self.rng.uniform(0.5, 3.0))
        for _, undo in pending:
            undo()

    def _told(self, words: str) -> None:
        self.report.faults.append((self.report.now(), words))

    def _camera_fault(self) -> Undo:
        fault, end = self.rng.choice(list(CAMERA_FAULTS.items()))
        return self._at_camera(fault, end, self.rng.uniform(1, 12))

    def _switch(self) -> Undo:
        before, after = self._clips
        return self._at_camera(f"switch {after}", f"switch {before}", self.rng.uniform(5, 20))

    def _at_camera(self, fault: str, end: str, lasts_s: float) -> Undo:
        """Give a camera that has no fault one."""
        number = self.rng.choice(sorted(set(range(self.cameras)) - self._faulty) or [None])
        if number is None:
            return NOTHING
        self._faulty.add(number)
        camera = self._cameras[number]
        self._told(f"c{number} {fault.split('/', maxsplit=1)[0]}")
        camera(fault)

        def undo() -> None:
            self._faulty.remove(number)
            if end:
                camera(end)

        return undo, lasts_s

    def _sink_fault(self) -> Undo:
        name, answer = self.rng.choice(list(self._hooks)), self.rng.choice(SINK_ANSWERS)
        hook = self._hooks[name]
        self._told(f"{name} answers {answer}")
        hook.answer = answer
        return (lambda: setattr(hook, "answer", 204)), self.rng.uniform(2, 20)

    def _reload(self) -> Undo:
        self._linger = round(self.rng.uniform(0.2, 1.0), 2)
        self._told("reload")
        self._write()
        self.daemon.child.send_signal(signal.SIGHUP)
        return NOTHING

    def _kill(self) -> None:
        self._told("kill -9")
        self.daemon.end(signal.SIGKILL)
        # A start on a full disk is refused, and has tests of its own.
        self._balloon.unlink(missing_ok=True)
        self.report.kills += 1
        self._note(check(self.state / "surveil.db").problems)
        self._start()

    def _fill(self) -> Undo:
        if not self._disk:
            return NOTHING
        self._told("disk full")
        with suppress(OSError), self._balloon.open("wb") as file:
            for _ in range(SIZE_MB):
                file.write(bytes(1 << 20))
        return (lambda: self._balloon.unlink(missing_ok=True)), self.rng.uniform(2, 10)

    # Who looks on.

    def _viewer(self, look: Callable[[str, int], None], daemon: Process) -> None:
        host, _, port = daemon.pages().rpartition(":")
        while not self._stopped.is_set() and daemon.child.poll() is None:
            with suppress(OSError, AssertionError):
                look(host.removeprefix("http://"), int(port))
            self._stopped.wait(1.0)

    def _ask(self, host: str, port: int, path: str) -> socket.socket:
        link = socket.create_connection((host, port), 5)
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        return link

    def _grid(self, host: str, port: int) -> None:
        with self._ask(host, port, "/api/v1/live") as link:
            while not self._stopped.is_set() and link.recv(65536):
                pass

    def _slow_grid(self, host: str, port: int) -> None:
        with self._ask(host, port, "/api/v1/live") as link:
            while link.recv(1) and not self._stopped.wait(1.0):
                pass

    def _events(self, host: str, port: int) -> None:
        for path in ("/api/v1/events", "/metrics", "/console/", "/status"):
            with self._ask(host, port, path) as link:
                while link.recv(65536):
                    pass

    # What must hold.

    def _sample(self) -> None:
        with suppress(OSError):
            status, page = self.daemon.get("/metrics")
            if status == 200:
                found = samples(page)
                self._note(unbalanced(found))
                self.report.samples.append(self._measured(found))

    def _measured(self, found: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> Sample:
        pid = self.daemon.child.pid
        rss = int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]
        streaming = sum(
            value for (name, labels), value in found.items()
            if name == "surveil_camera_state" and ("state", "streaming") in labels
        )  # fmt: skip
        waiting = sum(value for (name, _), value in found.items() if name == "surveil_outbox_pending")
        return Sample(
            at_s=self.report.now(), life=self.report.kills, rss_mb=rss, streaming=int(streaming), pending=int(waiting),
            descriptors=in_use(_open_files(pid)),
        )  # fmt: skip

    def _note(self, problems: object) -> None:
        for problem in list(problems):  # type: ignore[call-overload]
            self.report.problems.append(f"{self.report.now():.0f} s: {problem}")

    def finish(self) -> Report:
        """Wait until all is well again, end the daemon and read its books."""
        wait_for(self._all_well, WELL_AGAIN_S)
        self._sample()
        code = self.daemon.end()
        if code:
            self.report.problems.append(f"ended with exit code {code}")
        database = self.state / "surveil.db"
        self._note(check(database).problems)
        for rule, book in in_database(database).items():
            # The daemon's own alerts, such as of a full disk or a lost camera, come of no signal.
            if book.unexplained or (book.untold and rule[0] != SYSTEM and rule[1] != CAMERA_LOST):
                self.report.problems.append(
                    f"{rule}: {book.unexplained} signals unexplained, {book.untold} events untold"
                )
        for name, hook in self._hooks.items():
            told = {key for (key,) in rows(database, DELIVERED.format(name))}
            self.report.alerts[name] = len(told)
            if lost := told - set(hook.keys):
                self.report.problems.append(f"{name}: {len(lost)} alerts are called delivered and never came")
            if dead := rows(database, UNDELIVERED.format(name))[0][0]:
                self.report.problems.append(f"{name}: {dead} alerts were not delivered")
        return self.report

    def _all_well(self) -> bool:
        found = samples(self.daemon.get("/metrics")[1])
        now = self._measured(found)
        return now.streaming == self.cameras and now.pending == 0


def unbalanced(found: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> Iterator[str]:
    """Yield each camera whose frames are not all accounted for, in one snapshot (invariant 1)."""
    sums: dict[str, float] = {}
    signs = {"received_total": 1, "processed_total": -1, "dropped_total": -1, "waiting": -1}
    for (name, labels), value in found.items():
        sign = signs.get(name.removeprefix("surveil_frames_"), 0)
        if sign:
            camera = dict(labels)["camera"]
            sums[camera] = sums.get(camera, 0.0) + sign * value
    for camera, left in sums.items():
        if left:
            yield f"{camera}: {left:+.0f} frames unaccounted for"


def _open_files(pid: int) -> Counter[str]:
    """Return how many descriptors a process has of each file."""
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found[str(link.readlink())] += 1
    return found


def in_use(files: Counter[str]) -> int:
    """Return the number of descriptors without the spare ones of SQLite.

    POSIX locks belong to a process: to close a file would end those of the other connections. So SQLite keeps the
    descriptor of a closed connection and gives it to the next; there are as many as connections once at the same time.
    A connection that is open has a descriptor of the log, too (database in WAL mode).
    """
    logs = {name: count for name, count in files.items() if name.endswith("-wal")}
    spare = (max(0, files[name.removesuffix("-wal")] - count) for name, count in logs.items())
    return files.total() - sum(spare)


@contextmanager
def disk(place: Path) -> Iterator[bool]:
    """Make `place` a small file system of its own, as root; else a folder."""
    place.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)],
            check=False,
            capture_output=True,
        ).returncode
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def soaked(seconds: float, cameras: int, seed: int) -> Report:
    """Return what a run of so long finds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Soak(folder=Path(folder), cameras=cameras, rng=random.Random(seed)) as soak,
    ):
        soak.run(seconds)
        return soak.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("soak.html"))
    asked = parser.parse_args()
    seconds = asked.hours * 3600 if asked.hours else asked.minutes * 60
    report = soaked(seconds, asked.cameras, asked.seed)
    asked.report.write_text(soak_report.page(report, seed=asked.seed, cameras=asked.cameras))
    print(soak_report.words(report))
    print(f"{asked.report}: plots")
    sys.exit(bool(report.problems))


if __name__ == "__main__":
    main()
