"""CPU of the daemon with learned normality on beside off: `python -m benchmarks.normality_cpu`.

Interleaved pairs on four quiet 720p cameras over loopback RTSP, analysed at 5 frames a second. With it on, a
model that was learned from the same pictures is in use, and learning goes on. Printed: CPU seconds per second
of both, the median ratio and its 90 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.cpu import SIZES, config, interval, measure, serve
from surveil.demo.clip import write_clip
from surveil.demo.scene import Scene
from surveil.learn.deploy import NormalityStore
from surveil.learn.normality import learn_files


def with_normality(path: Path, clip: Path) -> Path:
    """Write the same configuration with normality on for every camera, and a model for each."""
    whole = json.loads(path.read_text())
    for name, camera in whole["cameras"].items():
        camera["normality"] = {"enabled": True, "budget": 10_000}
        camera["rules"].append({"type": "anomaly"})
        NormalityStore(Path(whole["state_dir"]), name).deploy(learn_files(name, [clip]).model)
    path = path.with_name("on.yaml")
    path.write_text(json.dumps(whole))
    return path


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--window", type=float, default=15.0)
    parser.add_argument("--warm", type=float, default=8.0)
    parser.add_argument("--busy", action="store_true", help="somebody walks about all the time")
    given = parser.parse_args()
    kind = Scene.default if given.busy else Scene.still
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clip = folder / "clip.mp4"
        write_clip(clip, kind(size=SIZES["720p"], seconds=20.0))
        servers = [serve(clip) for _ in range(given.cameras)]
        for server in servers:
            stack.callback(server.wait, 10)
            stack.callback(server.terminate)
        off = config([server.stdout.readline().strip() for server in servers], folder)
        on = with_normality(off, clip)
        runs = [[sys.executable, "-m", "surveil", "run", "-c", str(path)] for path in (on, off)]
        pairs = [[measure(argv, given.warm, given.window)[0] for argv in runs] for _ in range(given.pairs)]
    ratios = [a / b for a, b in pairs]
    low, high = interval(ratios)
    a, b = np.median(pairs, axis=0)
    print(
        f"{given.cameras} cameras, 720p, {'busy' if given.busy else 'quiet'}: on {a:.4f}, off {b:.4f} CPU s/s,"
    )
    print(f"ratio {np.median(ratios):.2f} ({low:.2f} to {high:.2f}, 90 %), {given.pairs} pairs")


if __name__ == "__main__":
    main()
