"""What a decoder is, and the steps that several of them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from surveil.detect.spec import Graph, Preprocess
from surveil.types import Detections, Floats

Outputs = Sequence[NDArray[Any]]
"""All outputs of one picture, in the graph's order, without the batch dimension."""


class Decoder(Protocol):
    """Reads the outputs of one family of models. Made once for a model, then used for every picture."""

    families: ClassVar[str]
    """Models whose exports it reads, for people."""
    proven_with: ClassVar[str]
    """Exporter, and its version, whose models gave the same boxes here as in their own runtime; empty: none yet."""
    preprocess: ClassVar[Preprocess]
    """How the family's pictures are usually prepared."""
    suppresses: ClassVar[bool]
    """Whether the model hands out several boxes an object, so that suppression is needed."""

    limited: ClassVar[bool]
    """Whether the graph hands out a fixed number of boxes, one a row of its outputs, and leaves out the others."""

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        """Prepare for a graph with an input of `size` (width, height) px."""

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the graph's outputs are of this family."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is at least as sure as `floors` (by class, float32 (classes,)) says, in px of the input."""


def shape_is(shape: Sequence[int | None], *expected: int | None) -> bool:
    """Return whether a shape, batch dimension first, can be (batch, *expected); None fits anything."""
    return len(shape) == len(expected) + 1 and all(
        want is None or got is None or got == want for got, want in zip(shape[1:], expected, strict=True)
    )


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(−x)) as float32."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(x, np.float32))), np.float32)


def logit(score: Floats) -> Floats:
    """Return the inverse of `sigmoid`, finite for 0 and 1."""
    p = np.clip(score, 1e-7, 1 - 1e-7).astype(np.float64)
    return np.asarray(np.log(p / (1 - p)), np.float32)


def best(scores: Floats, floors: Floats) -> tuple[NDArray[np.intp], NDArray[np.int32], Floats]:
    """Return rows, classes and values of a table (rows, classes) whose best class reaches its floor."""
    rows = np.flatnonzero((scores >= floors.min(initial=np.inf)).any(axis=1))
    few = scores[rows]
    classes = few.argmax(axis=1) if few.size else np.zeros(len(rows), np.intp)
    values = few[np.arange(len(rows)), classes]
    keep = values >= floors[classes]
    return rows[keep], classes[keep].astype(np.int32), np.asarray(values[keep], np.float32)


def corners(centre: Floats, size: Floats) -> Floats:
    """Return x1 y1 x2 y2, float32 (n, 4), of centres and sizes (n, 2)."""
    half = size / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def grid(size: tuple[int, int], strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Return cells (n, 2) as column, row and their stride (n, 1), finest level first, row by row."""
    cells, steps = [], []
    for stride in strides:
        rows, columns = np.mgrid[0 : size[1] // stride, 0 : size[0] // stride]
        level = np.stack([columns.ravel(), rows.ravel()], axis=1)
        cells.append(level)
        steps.append(np.full((len(level), 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)


def cell_count(size: tuple[int, int], strides: Sequence[int]) -> int:
    """Return how many cells `grid` has."""
    return sum((size[0] // s) * (size[1] // s) for s in strides)
