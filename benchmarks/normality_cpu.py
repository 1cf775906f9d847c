"""CPU of the daemon with learned normality on beside off.

    python -m benchmarks.normality_cpu [--cameras 4] [--busy] [--pairs 7]

Interleaved pairs over loopback RTSP cameras of 720p, analysed at 5 frames a second. With it on, a model that was
learned from the same pictures is in use, and learning goes on. CPU is user + system time between two marks.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.cpu import daemon, scene
from benchmarks.streams import SIZES, cameras, configure, machine, row, write_camera_clip
from surveil.features.normality.store import NormalityStore
from surveil.offline.normality.normality import learn_files


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
    parser.add_argument("--busy", action="store_true", help="somebody walks about all the time")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_camera_clip(clip, scene(SIZES["720p"], busy=given.busy))
        with cameras(clip, given.cameras) as urls:
            off = configure(Path(folder), urls)
            on = with_normality(off, clip)
            ratios = [
                daemon(on, given.cameras, given.window).cpu / daemon(off, given.cameras, given.window).cpu
                for _ in range(given.pairs)
            ]
    name = f"normality on beside off, {given.cameras} {'busy' if given.busy else 'quiet'} 720p cameras"
    print(row(name, "≤ 1.20", ratios, f"python -m benchmarks.normality_cpu --cameras {given.cameras}"))


if __name__ == "__main__":
    main()
