"""The long form of the survival tests: `python -m tests.survival --seed 1`, 2,000 damaged files by default.

Prints one JSON object of outcomes; ends with a traceback at the first that is not survived.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from pathlib import Path

import numpy as np
import structlog

from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.detect import tiny
from tests.survival import configurations, databases, models
from tests.survival.worlds import running


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    for name, n in (("databases", 900), ("models", 100), ("descriptions", 500), ("configurations", 500)):
        parser.add_argument(f"--{name}", type=int, default=n)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    file = tiny.model({"output0": np.zeros((5, 84), np.float32)}, metadata={"names": '["cat"]'})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("databases", "models", "running"):
            (folder / part).mkdir()
        found = {
            "databases": databases.run(folder / "databases", asked.seed, asked.databases),
            "models": models.run_normality(folder / "models", asked.seed, asked.models),
            "descriptions": models.run_descriptions(folder / "store", file, asked.seed, asked.descriptions),
        }
        with running(folder / "running", open_detector(ModelSettings(), ModelStore())) as daemon:
            found["configurations"] = configurations.run(daemon, asked.seed, asked.configurations)
    print(json.dumps({"seed": asked.seed, **found}))


if __name__ == "__main__":
    main()
