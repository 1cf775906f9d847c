"""YOLOX (Ge et al., 2021): one row a cell of three grids, objectness before classes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surveil.detect.decoders.base import Outputs, best, cell_count, corners, grid
from surveil.detect.spec import Graph, Preprocess
from surveil.types import Detections, Floats

STRIDES = (8, 16, 32)


class Yolox:
    """Output (n, cells, 5 + classes): offset in the cell, log size, objectness, classes; or boxes in px.

    The two exports look alike from outside. Raw centres are offsets of a few cells, decoded ones spread over
    the input, so the values tell.
    """

    families: ClassVar[str] = "YOLOX"
    proven_with: ClassVar[str] = "yolox 0.3.0"
    preprocess: ClassVar[Preprocess] = Preprocess("bgr", "0-255", "top_left", 114)
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        self._classes = (graph.outputs[0].shape[2] or 5) - 5
        self._cells, self._strides = grid(size, STRIDES)
        self._size = size

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the only output has one row a cell."""
        shape = graph.outputs[0].shape
        return (
            len(graph.outputs) == 1
            and len(shape) == 3
            and shape[1] == cell_count(size, STRIDES)
            and (shape[2] or 0) > 5
        )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input. Objectness goes first: it rules out nearly all rows."""
        table = outputs[0]
        sure = np.flatnonzero(table[:, 4] >= floors.min(initial=np.inf))
        some = table[sure]
        rows, classes, scores = best(some[:, 5:] * some[:, 4:5], floors)
        at, some = sure[rows], some[rows]
        if self._decoded(table):
            return Detections(corners(some[:, :2], some[:, 2:4]), scores, classes)
        centre = (some[:, :2] + self._cells[at]) * self._strides[at]
        return Detections(corners(centre, np.exp(some[:, 2:4]) * self._strides[at]), scores, classes)

    def _decoded(self, table: Floats) -> bool:
        """Tell whether the export decodes its boxes: the last cell's centre is then near the far corner."""
        last = table[-1, :2]
        return bool((last > np.array(self._size) / 2).all())
