"""Raw heads of EfficientDet: class logits and box codes for every anchor.

Anchors and box coding: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", 2020; the
same boxes as SSD's (Liu et al., 2016) with other sizes and without variances.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surveil.detect.decoders.base import Outputs, best, logit, sigmoid
from surveil.detect.spec import Graph, Port, Preprocess
from surveil.types import Detections, Floats

LEVELS = (3, 4, 5, 6, 7)
OCTAVES = 3
RATIOS = ((1.0, 1.0), (2**0.5, 0.5**0.5), (0.5**0.5, 2**0.5))
"""Width and height of the three shapes."""
ANCHOR_SCALE = {"lite": 3.0, "full": 4.0}
"""Side of the smallest anchor in strides: Lite0 to Lite2 use 3, the others 4."""


class EfficientDet:
    """Outputs class logits (n, anchors, classes) and box codes (n, anchors, 4) as ty tx th tw.

    The size of the anchors is not in the outputs: metadata `surveil.anchor_scale`, else 3 (Lite0 to Lite2).
    """

    families: ClassVar[str] = "EfficientDet-Lite0 to Lite2"
    proven_with: ClassVar[str] = "google/automl's TFLite"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-255", "top_left", 127)
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        heads = _heads(graph, size)
        if heads is None:
            raise ValueError("not the raw heads of an EfficientDet")
        self._logits, self._codes = (graph.outputs.index(port) for port in heads)
        self._classes = heads[0].shape[2] or 0
        scale = graph.metadata.get("surveil.anchor_scale", ANCHOR_SCALE["lite"])
        self._anchors = anchors(size, float(scale))

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether two outputs have one row an anchor of such a network."""
        return _heads(graph, size) is not None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input; only those boxes are decoded."""
        rows, classes, values = best(outputs[self._logits], logit(floors))
        boxes = decode(outputs[self._codes][rows], self._anchors[rows])
        return Detections(boxes, sigmoid(values), classes)


def anchors(size: tuple[int, int], scale: float) -> Floats:
    """Return centre y, centre x, height, width in px, float32 (n, 4), in the order of the heads."""
    levels = []
    for level in LEVELS:
        stride = 2**level
        rows, columns = -(-size[1] // stride), -(-size[0] // stride)
        y, x = np.mgrid[0:rows, 0:columns]
        # A level of 3 rows over 320 px has steps of 106.7 px, not of 128.
        steps = np.array([size[1] / rows, size[0] / columns])
        centre = (np.stack([y, x], axis=-1).reshape(-1, 1, 2) + 0.5) * steps
        shapes = np.array(
            [
                [scale * 2 ** (o / OCTAVES) * steps[0] * h, scale * 2 ** (o / OCTAVES) * steps[1] * w]
                for o in range(OCTAVES)
                for w, h in RATIOS
            ]
        )
        both = np.broadcast_arrays(centre, shapes[None])
        levels.append(np.concatenate(both, axis=-1).reshape(-1, 4))
    return np.concatenate(levels).astype(np.float32)


def decode(codes: Floats, anchor: Floats) -> Floats:
    """Return x1 y1 x2 y2 px of codes ty tx th tw (n, 4) relative to anchors (n, 4)."""
    centre = codes[:, :2] * anchor[:, 2:] + anchor[:, :2]
    half = np.exp(codes[:, 2:]) * anchor[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)[:, [1, 0, 3, 2]].astype(np.float32)


def _heads(graph: Graph, size: tuple[int, int]) -> tuple[Port, Port] | None:
    """Return the class head and the box head."""
    if len(graph.outputs) != 2 or any(len(port.shape) != 3 for port in graph.outputs):
        return None
    rows = sum(-(-size[0] // 2**level) * -(-size[1] // 2**level) for level in LEVELS) * OCTAVES * len(RATIOS)
    if any(port.shape[1] != rows for port in graph.outputs):
        return None
    boxes = [port for port in graph.outputs if port.shape[2] == 4]
    logits = [port for port in graph.outputs if port.shape[2] not in (4, None)]
    return (logits[0], boxes[0]) if boxes and logits else None
