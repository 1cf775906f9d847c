"""Scores of every frame of a dataset's clips: `frame_scores.py DATASET MODEL MOVED`, for `benchmarks.same_alerts`.

Run as a file, with the build to be judged in PYTHONPATH. MOVED is a JSON object of modules, old name to new.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np


def module(name: str, moved: dict[str, str]) -> ModuleType:
    """Return a module by its new name where the build has that, else by its old one."""
    for place in filter(None, (moved.get(name), name)):
        try:
            return import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not place.startswith(error.name):
                raise
    sys.exit(f"no module {name}: add its new place to `moved` in same_alerts.json")


def plain(value: object) -> object:
    """Return arrays as the text of their numbers, exact to the last bit; None for what is no array."""
    if isinstance(value, np.ndarray):
        return [repr(number) for number in value.tolist()]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return None


def main() -> None:
    dataset, model, moved = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    load_dataset = module("surveil.learn.dataset", moved).load_dataset
    evaluate = module("surveil.learn.evaluate", moved).evaluate
    load = module("surveil.normality.modelfile", moved).load
    for clip in evaluate(load_dataset(dataset), load(model)).clips:
        values = {f.name: plain(getattr(clip, f.name)) for f in fields(clip)}
        print(json.dumps({"clip": clip.name, **{k: v for k, v in values.items() if v is not None}}))


if __name__ == "__main__":
    main()
