"""Learned normality of a camera that is decoded on demand, beside one that is decoded in full.

    python -m benchmarks.normality_on_demand FOLDER [--clips 12] [--gop 1]

UCSD Ped2's normal clips, with pauses between them in which nobody is there, are played as a live stream in virtual
time, decoded on demand and in full. Printed is what either learned: seconds, thresholds, and how far the tails of what
is usual are apart. The test clips are judged by the model that was learned in full, decoded either way: which anomalies
are told, and when.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import structlog

from benchmarks.on_demand import ped2, still_first
from benchmarks.rehearsal import FPS, Played, Rehearsal, delay_s, differences, encode, play_both
from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.features.normality.model import SceneModel
from surveil.features.normality.modelfile import LoadedModel, fingerprint
from surveil.features.normality.scene import SceneNormality, Scenes
from surveil.models.store import ModelStore, open_detector
from surveil.types import Bytes

BUDGET = 2000.0
"""Alarms a day that so little footage supports."""
QUIET_S = 90.0
"""First, the background is learned, and picture health."""


def scene_of(rehearsal: Rehearsal) -> SceneNormality:
    """Return what learns and judges."""
    (scene,) = rehearsal.shared.get(Scenes).all.values()
    return scene


def played(
    pictures: Iterator[Bytes], clip: Path, gop_s: float, detector: Detector, model: LoadedModel | None
) -> tuple[Played, Played, list[SceneNormality]]:
    """Play pictures on demand and in full; return what came of it, and the scenes."""
    encode(pictures, clip, codec="h264", coding="vbr", gop_s=gop_s, grain=2)
    scenes: list[SceneNormality] = []

    def ready(rehearsal: Rehearsal) -> None:
        scenes.append(scene_of(rehearsal))
        if model is not None:
            scenes[-1].offer(model)

    settings = {"enabled": True, "budget": BUDGET, "learn": "auto" if model is None else "off"}
    both = play_both(
        clip, detector, ready, normality=settings, rules=[{"type": "anomaly"}], idle_reaction_s=gop_s
    )
    return *both, scenes


def tell_learned(models: list[SceneModel]) -> None:
    """Print how far two models are apart."""
    for name, model in zip(("on demand", "in full"), models, strict=True):
        threshold = model.threshold(BUDGET)
        print(
            f"{name}: learned from {model.seen.seconds:.1f} s, {model.seen.moving_s:.1f} s of them with movement; held "
            f"out {model.peaks.seconds:.1f} s; threshold {threshold.value:.3f}, {threshold.seen} alarms in it"
        )
    demand, full = models
    for name, tail in full.tails.items():
        apart = float(np.abs(demand.tails[name].knots - tail.knots).max()) / max(1e-6, float(tail.knots[-1]))
        episodes = f"{demand.tails[name].episodes:.0f} and {tail.episodes:.0f}"
        print(f"    {name}: knots at most {apart:.1%} of the knee apart, episodes {episodes}")


def tell_played(what: str, demand: Played, full: Played) -> None:
    """Print the share that was not decoded, and what differs."""
    print(
        f"{what}: {'/'.join(demand.modes)}, {demand.idle:.0%} of {demand.books.received} pictures not "
        f"decoded; {len(full.alerts)} alerts in full, {len(demand.alerts)} on demand, at most "
        f"{delay_s(demand, full):.2f} s later",
        flush=True,
    )
    for line in differences(demand, full):
        print("   ", line)


def main() -> None:
    """Learn and judge either way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the footage lies")
    parser.add_argument("--clips", type=int, default=12, help="of either part")
    parser.add_argument("--model", type=Path, help="ONNX file of another detector, such as a quicker one")
    parser.add_argument("--gop", type=float, default=1.0, help="s")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as work:
        detector = open_detector(ModelSettings(file=given.model), ModelStore(Path(work) / "models"))
        clip = Path(work) / "clip.mp4"
        normal = still_first(QUIET_S, FPS, ped2(given.folder, "training", given.clips))
        demand, full, scenes = played(normal, clip, given.gop, detector, None)
        tell_played("normal clips", demand, full)
        models = [scene.learning.freeze().fit() for scene in scenes]
        tell_learned(models)
        tests = still_first(QUIET_S / 3, FPS, ped2(given.folder, "testing", given.clips))
        demand, full, _ = played(tests, clip, given.gop, detector, fingerprint(models[1]))
        tell_played("test clips", demand, full)


if __name__ == "__main__":
    main()
