"""What a reload costs the cameras that it does not touch: frames that were overwritten, lost or damaged.

    python -m benchmarks.reload [--cameras 16] [--reloads 6]

Recordings played in real time stand for the cameras: 640×360 at 15 fps, analysed at 5, nothing moves. Window
after window of 5 s the daemon is left alone, or reloads a file in which a zone of one camera is another. 2 minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.streams import machine
from tests.integration.reloading import File, camera, metrics, reload
from tests.integration.world import Process, wait_for
from tests.rig.clips import make_clip, still

EDITED = "cam00"
WINDOW_S, SETTLE_S = 5.0, 12.0
REASONS = ("overwritten", "lost", "damaged")


def others(daemon: Process, name: str, **labels: str) -> float:
    """Return a metric's sum over the cameras that are not edited."""
    return sum(value for key, value in metrics(daemon, name, **labels).items() if EDITED not in key)


def books(daemon: Process) -> tuple[float, float]:
    """Return frames received and frames dropped that were due."""
    dropped = sum(others(daemon, "surveil_frames_dropped_total", reason=reason) for reason in REASONS)
    return others(daemon, "surveil_frames_received_total"), dropped


def window(daemon: Process, act: Callable[[], None]) -> tuple[float, float]:
    """Return what the books say of some seconds that begin with `act`."""
    received, dropped = books(daemon)
    started = time.monotonic()
    act()
    time.sleep(max(0.0, WINDOW_S - (time.monotonic() - started)))
    now_received, now_dropped = books(daemon)
    return now_received - received, now_dropped - dropped


def edit(file: File, daemon: Process, number: int) -> None:
    """Move a corner of the zone and have the daemon follow."""
    file.whole["cameras"][EDITED]["zones"]["yard"] = [[0.1 + number / 1000, 0.3], [0.9, 0.3], [0.9, 0.9]]
    file.write()
    result = reload(daemon)
    assert result["changes"] == {"cameras_changed": [EDITED]}, result


def main() -> None:
    """Print what was received and dropped in each window."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--reloads", type=int, default=6)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = make_clip(folder / "still.mp4", fps=15, seconds=60, gop=30, size=(640, 360), scene=still)
        settings = {"repeat": True, "detect": {"fps": 5, "idle_interval_s": 60}}
        file = File(folder, {f"cam{k:02}": camera(clip, **settings) for k in range(given.cameras)})
        with Process(file.path) as daemon:
            streaming = "surveil_camera_state"
            wait_for(lambda: others(daemon, streaming, state="streaming") == given.cameras - 1, 100)
            time.sleep(SETTLE_S)
            for number in range(given.reloads):
                idle = window(daemon, lambda: None)
                busy = window(daemon, lambda n=number: edit(file, daemon, n))
                print(
                    f"alone: {idle[1]:.0f} of {idle[0]:.0f} frames dropped; reload: {busy[1]:.0f} of {busy[0]:.0f}"
                )
                sys.stdout.flush()
            daemon.end()


if __name__ == "__main__":
    main()
