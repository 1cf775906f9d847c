"""Detection transformers (RT-DETR, D-FINE, RF-DETR): one row an object query, no suppression needed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surveil.detect.decoders.base import Outputs, best, corners, logit, shape_is, sigmoid
from surveil.detect.spec import Graph, Port, Preprocess
from surveil.types import Detections, Floats

BOXES = ("pred_boxes", "dets", "boxes")
LOGITS = ("logits", "pred_logits", "labels")


class Detr:
    """Outputs class logits (n, queries, classes) and boxes (n, queries, 4): centre and size in 0..1.

    RF-DETR calls them `labels` and `dets` and wants pictures of ImageNet's mean: set `range: imagenet`.
    """

    families: ClassVar[str] = "DETR, RF-DETR"
    experimental: ClassVar[bool] = True
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-1", "stretch")
    suppresses: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        heads = _heads(graph)
        if heads is None:
            raise ValueError("not the outputs of a detection transformer")
        self._logits, self._boxes = (graph.outputs.index(port) for port in heads)
        self._classes = heads[0].shape[2] or 0
        self._size = np.array(size, np.float32)

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:  # noqa: ARG003
        """Whether a pair of outputs has the usual names and shapes."""
        return len(graph.inputs) == 1 and _heads(graph) is not None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        rows, classes, values = best(outputs[self._logits], logit(floors))
        boxes = outputs[self._boxes][rows]
        return Detections(
            corners(boxes[:, :2] * self._size, boxes[:, 2:] * self._size), sigmoid(values), classes
        )


class DetrFinished:
    """Outputs `labels` (n, k), `boxes` (n, k, 4) px and `scores` (n, k), as RT-DETR's and D-FINE's own exports.

    Their second input, `orig_target_sizes` (n, 2), is given the size of the model's input.
    """

    families: ClassVar[str] = "RT-DETR, D-FINE"
    experimental: ClassVar[bool] = True
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-1", "stretch")
    suppresses: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:  # noqa: ARG002
        names = [port.name for port in graph.outputs]
        self._at = [names.index(name) for name in ("labels", "boxes", "scores")]

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:  # noqa: ARG003
        """Whether the three outputs are there."""
        return {"labels", "boxes", "scores"} <= {port.name for port in graph.outputs}

    @property
    def classes(self) -> int:
        """Number of classes; 0: the outputs do not say."""
        return 0

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input; classes beyond the labels are left out."""
        labels, boxes, scores = (outputs[i] for i in self._at)
        known = np.flatnonzero((labels >= 0) & (labels < len(floors)))
        keep = known[scores[known] >= floors[labels[known]]]
        return Detections(
            boxes[keep].astype(np.float32), scores[keep].astype(np.float32), labels[keep].astype(np.int32)
        )


def _heads(graph: Graph) -> tuple[Port, Port] | None:
    """Return the class head and the box head, by name and shape."""
    boxes = next((p for n in BOXES if (p := graph.output(n)) and shape_is(p.shape, None, 4)), None)
    logits = next((p for n in LOGITS if (p := graph.output(n)) and len(p.shape) == 3 and p.shape[2]), None)
    if boxes is None or logits is None or (boxes.name == "boxes" and logits.name == "logits"):
        # `boxes` with `logits` are the embedded model's, in pixels.
        return None
    return (logits, boxes) if logits.shape[1] == boxes.shape[1] else None
