"""CPU that a node of a fleet takes for being one: four quiet cameras, leases renewed every 2 s.

    python -m benchmarks.fleet_node [--cameras 4] [--windows 7] [--window 30]

Beside what the same daemon takes for its cameras, in the same window: the agent, and the daemon's threads for leases
and for what cameras learn. Two runs of one daemon differ by 8 % (how often the detector looks), which hides 2 %. The
coordinator and the cameras are other processes. The agent reports over a loopback connection; what Ray's processes take
comes on top. Bar: 1.03 times the daemon without a fleet.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.streams import Program, cameras, configure, machine, row
from surveil.fleet.placer import CameraLoad
from tests.fleet.desk import Desk, Line
from tests.rig.clips import make_clip, still

ROOT = Path(__file__).resolve().parents[1]
FPS, SECONDS = 15, 24.0
_PATIENCE_S, _SETTLES_S = 90.0, 20.0
_THREADS = "lease"
"""The kernel's name of the thread that serves leases, and of the one that it starts for what cameras learn."""


def shares(folder: Path, urls: list[str], windows: int, window_s: float) -> Iterator[tuple[float, float]]:
    """Yield for each window what is for the cameras and what is for the fleet, CPU seconds a second."""
    (folder / "store").mkdir(parents=True)
    loads = {f"c{i}": CameraLoad(name=f"c{i}", cost=0.1) for i in range(len(urls))}
    line = Line(Desk(loads, folder / "store"), "127.0.0.1")
    fleet = {"node": "node0", "store": str(folder / "store")}
    agent = [sys.executable, "-m", "tests.fleet.desk", str(folder / "state"), *map(str, line.address)]
    try:
        with (
            _daemon(configure(folder, urls, fleet=fleet)) as daemon,
            Program(agent, folder / "agent.log", ROOT) as beside,
        ):
            _wait_until_quiet(daemon, len(urls))
            for _ in range(windows):
                before, began = _spent(daemon, beside), time.monotonic()
                time.sleep(window_s)
                after, passed = _spent(daemon, beside), time.monotonic() - began
                cameras_s, fleet_s = ((now - then) / passed for now, then in zip(after, before, strict=True))
                yield cameras_s, fleet_s
    finally:
        line.close()


def _spent(daemon: Program, agent: Program) -> tuple[float, float]:
    """Return the CPU seconds so far for the cameras, and for the fleet."""
    own = sum(_cpu_s(task) for task in Path(f"/proc/{daemon.pid}/task").iterdir() if _name(task) == _THREADS)
    return daemon.cpu_s() - own, agent.cpu_s() + own


def _name(task: Path) -> str:
    return (task / "comm").read_text().strip()


def _cpu_s(task: Path) -> float:
    return int((task / "schedstat").read_text().split()[0]) / 1e9


def _daemon(config: Path) -> Program:
    return Program(
        [sys.executable, "-m", "surveil", "run", "-c", str(config)], config.with_suffix(".log"), ROOT
    )


def _wait_until_quiet(daemon: Program, count: int) -> None:
    """Wait until every camera is decoded on demand, and gates and picture health have settled. Raises TimeoutError."""
    daemon.wait_until_steady(10 * count)
    deadline = time.monotonic() + _PATIENCE_S
    while daemon.series("surveil_decode_mode", 'mode="on_demand"') < count:
        if time.monotonic() > deadline:
            raise TimeoutError("the cameras are not decoded on demand")
        time.sleep(0.5)
    time.sleep(_SETTLES_S)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--windows", type=int, default=7)
    parser.add_argument("--window", type=float, default=30.0, help="seconds")
    args = parser.parse_args()
    print(machine())
    ratios = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = make_clip(
            folder / "still.mp4", fps=FPS, seconds=SECONDS, gop=FPS, size=(1280, 720), scene=still
        )
        urls = stack.enter_context(cameras(clip, args.cameras))
        for alone, fleet in shares(folder / "node", urls, args.windows, args.window):
            ratios.append(1 + fleet / alone)
            print(f"cameras {alone:.4f} cores, fleet {fleet:.4f}: {ratios[-1]:.3f}", flush=True)
    print(
        row(
            f"agent and leases, {args.cameras} quiet cameras",
            "≤ 1.03",
            ratios,
            "python -m benchmarks.fleet_node",
        )
    )


if __name__ == "__main__":
    main()
