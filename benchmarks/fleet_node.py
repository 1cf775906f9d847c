"""CPU that a node of a fleet takes beside a daemon alone: four quiet cameras, leases renewed every 2 s.

    python -m benchmarks.fleet_node [--cameras 4] [--pairs 7] [--window 30]

Interleaved: the daemon alone, then the daemon and its agent. The coordinator and the cameras are other processes. The
agent reports over a loopback connection; what Ray's processes take comes on top. Bar: 1.03 times the daemon alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.streams import Program, cameras, configure, machine, row
from surveil.fleet.placer import CameraLoad
from tests.fleet.desk import Desk, Line
from tests.rig.clips import make_clip, still

ROOT = Path(__file__).resolve().parents[1]
FPS, SECONDS = 15, 24.0
_PATIENCE_S, _SETTLES_S = 90.0, 20.0


def alone(folder: Path, urls: list[str], window_s: float) -> float:
    """Return CPU seconds a second of a daemon without a fleet."""
    folder.mkdir()
    with _daemon(configure(folder, urls)) as daemon:
        _wait_until_quiet(daemon, len(urls))
        return _cpu([daemon], window_s)


def as_a_node(folder: Path, urls: list[str], window_s: float) -> float:
    """Return CPU seconds a second of a daemon and its agent."""
    (folder / "store").mkdir(parents=True)
    loads = {f"c{i}": CameraLoad(name=f"c{i}", cost=0.1) for i in range(len(urls))}
    line = Line(Desk(loads, folder / "store"))
    fleet = {"node": "node0", "store": str(folder / "store")}
    agent = [sys.executable, "-m", "tests.fleet.desk", str(folder / "state"), str(line.port)]
    try:
        with (
            _daemon(configure(folder, urls, fleet=fleet)) as daemon,
            Program(agent, folder / "agent.log", ROOT) as beside,
        ):
            _wait_until_quiet(daemon, len(urls))
            return _cpu([daemon, beside], window_s)
    finally:
        line.close()


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


def _cpu(programs: list[Program], window_s: float) -> float:
    began, before = time.monotonic(), sum(one.cpu_s() for one in programs)
    time.sleep(window_s)
    return (sum(one.cpu_s() for one in programs) - before) / (time.monotonic() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=7)
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
        for i in range(args.pairs):
            before = alone(folder / f"alone{i}", urls, args.window)
            after = as_a_node(folder / f"node{i}", urls, args.window)
            ratios.append(after / before)
            print(f"alone {before:.4f} cores, node {after:.4f}: {ratios[-1]:.3f}", flush=True)
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
