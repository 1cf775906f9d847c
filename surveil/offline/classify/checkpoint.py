"""Checkpoints of a fine-tuning as plain arrays (no pickle), from which it continues after a crash."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from surveil.errors import ModelError
from surveil.filesystem import read_json, write_atomically

Weights = dict[str, NDArray[np.float32]]
_KINDS = ("best", "now")


@dataclass(slots=True)
class Checkpoint:
    """Mutable; owned by the training."""

    training: str
    """Fingerprint of the data set and of all that decides what is made of it (`prepared.digest`)."""
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
    def new(cls, training: str) -> Checkpoint:
        """Return the state before the first epoch."""
        return cls(training=training)

    def save(self, path: Path) -> None:
        """Write it whole or not at all. Raises OSError."""
        about = {
            "training": self.training, "stage": self.stage, "epoch": self.epoch, "best_loss": self.best_loss,
            "history": self.history,
        }  # fmt: skip
        content = io.BytesIO()
        arrays = {f"best {n}": w for n, w in self.best.items()}
        arrays |= {f"now {n}": w for n, w in self.weights.items()}
        np.savez(
            content, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays
        )
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path, training: str) -> Checkpoint:
        """Read it. Raises ModelError when it is damaged or of another training."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = read_json(arrays["about"].tobytes())
                kinds = [
                    {n.split(" ", 1)[1]: arrays[n] for n in arrays.files if n.startswith(f"{kind} ")}
                    for kind in _KINDS
                ]
            history = [(float(a), float(b), float(c)) for a, b, c in about["history"]]
            progress = (about["training"], about["stage"], about["epoch"], about["best_loss"])
            best, now = kinds
            found = cls(*progress, best, now, history)
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ModelError(f"{path}: the checkpoint cannot be read: {error}") from None
        if found.training != training:
            raise ModelError(
                f"{path}: belongs to another training (data set, classes, preparation, split or seed); use the same "
                f"options, or remove it to start again"
            )
        return found
