"""How far a fine-tuning has come, in a file of plain arrays (no pickle), so that it can go on after a crash."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surveil.errors import ModelError
from surveil.models.files import write_whole

Weights = dict[str, NDArray[np.float32]]
_KINDS = ("best", "now")


@dataclass(slots=True)
class Checkpoint:
    """Mutable; owned by the training."""

    dataset: str
    seed: int
    stage: int = 0
    epoch: int = 0
    """Epochs of the stage that are done."""
    best_loss: float = inf
    """On validation."""
    best: Weights = field(default_factory=dict)
    """Of the epoch with that loss."""
    weights: Weights = field(default_factory=dict)
    history: list[tuple[float, float, float]] = field(default_factory=list)

    @classmethod
    def new(cls, dataset: str, seed: int) -> Checkpoint:
        """Return the state before the first epoch."""
        return cls(dataset, seed)

    def save(self, path: Path) -> None:
        """Write it whole or not at all. Raises OSError."""
        about = {
            "dataset": self.dataset, "seed": self.seed, "stage": self.stage, "epoch": self.epoch,
            "best_loss": self.best_loss, "history": self.history,
        }  # fmt: skip
        content = io.BytesIO()
        arrays = {f"best {n}": w for n, w in self.best.items()}
        arrays |= {f"now {n}": w for n, w in self.weights.items()}
        np.savez(
            content, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays
        )
        write_whole(path, content.getvalue())

    @classmethod
    def load(cls, path: Path, dataset: str, seed: int) -> Checkpoint:
        """Read it. Raises ModelError when it is damaged or of another data set or seed."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                kinds = [
                    {n.split(" ", 1)[1]: arrays[n] for n in arrays.files if n.startswith(f"{kind} ")}
                    for kind in _KINDS
                ]
            history = [(float(a), float(b), float(c)) for a, b, c in about["history"]]
            progress = (about["dataset"], about["seed"], about["stage"], about["epoch"], about["best_loss"])
            best, now = kinds
            found = cls(*progress, best, now, history)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise ModelError(f"{path}: the checkpoint cannot be read: {error}") from None
        if (found.dataset, found.seed) != (dataset, seed):
            raise ModelError(f"{path}: is a checkpoint of another data set or seed; remove it to begin anew")
        return found
