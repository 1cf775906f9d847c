"""FastestDet (one grid of stride 16): objectness, box and classes in planes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surveil.detect.decoders.base import Outputs, best, corners
from surveil.detect.spec import Graph, Preprocess
from surveil.types import Detections, Floats

STRIDE = 16


class FastestDet:
    """Output (n, 5 + classes, rows, columns): objectness, offset before tanh, size before sigmoid, classes.

    A score is objectness^0.6 · class^0.4, as in the project's own example.
    """

    families: ClassVar[str] = "FastestDet"
    proven_with: ClassVar[str] = "FastestDet's own export"
    preprocess: ClassVar[Preprocess] = Preprocess("bgr", "0-1", "stretch")
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        self._classes = (graph.outputs[0].shape[1] or 5) - 5
        self._size = np.array(size, np.float32)

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the only output is a grid of stride 16."""
        shape = graph.outputs[0].shape
        cells = (size[1] // STRIDE, size[0] // STRIDE)
        return len(graph.outputs) == 1 and len(shape) == 4 and shape[2:] == cells and (shape[1] or 0) > 5

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        planes = outputs[0]
        rows, columns = planes.shape[1:]
        flat = planes.reshape(len(planes), -1)
        # No class is surer than 1, so objectness^0.6 bounds the score.
        sure = np.flatnonzero(flat[0] >= float(floors.min(initial=np.inf)) ** (1 / 0.6))
        some = flat[:, sure].T
        table = np.asarray(some[:, :1] ** 0.6 * np.maximum(some[:, 5:], 0) ** 0.4, np.float32)
        picked, classes, scores = best(table, floors)
        some, at = some[picked], sure[picked]
        cell = np.stack([at % columns, at // columns], axis=1)
        centre = (np.tanh(some[:, 1:3]) + cell) / np.array([columns, rows]) * self._size
        size = 1 / (1 + np.exp(-some[:, 3:5])) * self._size
        both = np.asarray(centre, np.float32), np.asarray(size, np.float32)
        return Detections(corners(*both), scores, classes)
