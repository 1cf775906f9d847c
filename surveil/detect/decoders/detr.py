"""Detection transformers (RT-DETR, D-FINE, RF-DETR): one row an object query, no suppression needed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from surveil.detect.decoders.base import Outputs, best, corners, logit, shape_is, sigmoid
from surveil.detect.spec import Graph, Port, Preprocess
from surveil.types import Detections, Floats

BOXES = ("pred_boxes", "boxes")
LOGITS = ("logits", "pred_logits", "labels")
RFDETR = ("dets", "labels")
_MOST_QUERIES = 1000
_COCO_AND_NOTHING = 92
"""Classes of DETR's own weights: COCO's numbers from 0 to 90, and "no object"."""


class Detr:
    """Outputs class logits (n, queries, classes) and boxes (n, queries, 4): centre and size in 0..1."""

    families: ClassVar[str] = "RT-DETR and D-FINE by optimum or transformers"
    proven_with: ClassVar[str] = "optimum 2.1.0"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-1", "stretch")
    suppresses: ClassVar[bool] = False
    limited: ClassVar[bool] = True

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        heads = self.heads(graph)
        if heads is None:
            raise ValueError("not the outputs of a detection transformer")
        self._logits, self._boxes = (graph.outputs.index(port) for port in heads)
        self._width = heads[0].shape[2] or 0
        self._size = np.array(size, np.float32)

    @classmethod
    def heads(cls, graph: Graph) -> tuple[Port, Port] | None:
        """Return the class head and the box head, by name and shape."""
        return _heads(graph, LOGITS, (*BOXES, *RFDETR[:1]))

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:  # noqa: ARG003
        """Whether a pair of outputs has the usual names and shapes."""
        return len(graph.inputs) == 1 and cls.heads(graph) is not None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._width

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        rows, classes, values = best(outputs[self._logits], logit(floors))
        return self._detections(outputs, rows, sigmoid(values), classes)

    def _detections(
        self, outputs: Outputs, rows: NDArray[np.intp], scores: Floats, classes: NDArray[np.int32]
    ) -> Detections:
        boxes = outputs[self._boxes][rows]
        return Detections(corners(boxes[:, :2] * self._size, boxes[:, 2:] * self._size), scores, classes)


class RfDetr(Detr):
    """Outputs `dets` and `labels`, as RF-DETR's own export; its pictures have ImageNet's mean."""

    families: ClassVar[str] = "RF-DETR"
    proven_with: ClassVar[str] = "rfdetr 1.11.2"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "imagenet", "stretch")

    @classmethod
    def heads(cls, graph: Graph) -> tuple[Port, Port] | None:
        """Return the class head and the box head, by name and shape."""
        return _heads(graph, RFDETR[1:], RFDETR[:1])


class DetrSoftmax(Detr):
    """As `Detr`, with one more logit: the last means "no object", and a softmax goes over all."""

    families: ClassVar[str] = "DETR, YOLOS"
    proven_with: ClassVar[str] = "transformers 5.24.0"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "imagenet", "stretch")

    @classmethod
    def heads(cls, graph: Graph) -> tuple[Port, Port] | None:
        """Return the class head and the box head, by name and shape."""
        return _heads(graph, LOGITS, BOXES)

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether there is a class besides "no object"."""
        heads = cls.heads(graph)
        return super().fits(graph, size) and heads is not None and (heads[0].shape[2] or 0) > 1

    @property
    def classes(self) -> int:
        """Number of classes, "no object" not counted."""
        return self._width - 1

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        logits = np.asarray(outputs[self._logits], np.float32)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        rows, classes, scores = best(odds[:, :-1] / odds.sum(axis=1, keepdims=True), floors)
        return self._detections(outputs, rows, scores, classes)


def has_no_object(logits: Floats, classes: int) -> bool:
    """Tell a softmax with "no object" last from sigmoids, by the logits (queries, classes) of a picture.

    `classes`: names that are known, 0 if none. Most queries find nothing: the last logit is then their largest and
    positive, while sigmoids of nothing all are negative.
    """
    if classes and logits.shape[1] in (classes, classes + 1):
        return bool(logits.shape[1] == classes + 1)
    nothing = (logits.argmax(axis=1) == logits.shape[1] - 1) & (logits[:, -1] > 0)
    return logits.shape[1] == _COCO_AND_NOTHING or bool(nothing.mean() > 0.5)


class DetrTable:
    """One output (n, queries, 6): centre and size in 0..1, score, class. Corners in 0..1 are read as well.

    It looks like `yolov10`'s from outside; the values tell. Rows of zeros are nothing.
    """

    families: ClassVar[str] = "RT-DETR by ultralytics, suppression inside with boxes in 0..1"
    proven_with: ClassVar[str] = "ultralytics 8.4.190"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-1", "stretch")
    suppresses: ClassVar[bool] = False
    limited: ClassVar[bool] = True

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:  # noqa: ARG002
        self._size = np.array([*size, *size], np.float32)

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:  # noqa: ARG003
        """Whether the only output has six columns and few rows."""
        shape = graph.outputs[0].shape
        return len(graph.outputs) == 1 and shape_is(shape, None, 6) and (shape[1] or 300) <= _MOST_QUERIES

    @property
    def classes(self) -> int:
        """Number of classes; 0: the outputs do not say."""
        return 0

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input; classes beyond the labels are left out."""
        table = np.asarray(outputs[0], np.float32)
        table = table[table[:, 4] > 0]
        ordered = bool((table[:, 2:4] > table[:, :2]).all())
        classes = table[:, 5].astype(np.int32)
        keep = np.flatnonzero((classes >= 0) & (classes < len(floors)))
        keep = keep[table[keep, 4] >= floors[classes[keep]]]
        boxes = table[keep, :4] * self._size
        if not ordered:
            boxes = corners(boxes[:, :2], boxes[:, 2:])
        return Detections(boxes, table[keep, 4], classes[keep])


class DetrFinished:
    """Outputs `labels` (n, k), `boxes` (n, k, 4) px and `scores` (n, k), as RT-DETR's and D-FINE's own exports.

    Their second input, `orig_target_sizes` (n, 2), is given the size of the model's input.
    """

    families: ClassVar[str] = "RT-DETR, D-FINE"
    proven_with: ClassVar[str] = "pydfine 0.2.1"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-1", "stretch")
    suppresses: ClassVar[bool] = False
    limited: ClassVar[bool] = True

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


def _heads(graph: Graph, of_logits: tuple[str, ...], of_boxes: tuple[str, ...]) -> tuple[Port, Port] | None:
    """Return the class head and the box head, by name and shape."""
    boxes = next((p for n in of_boxes if (p := graph.output(n)) and shape_is(p.shape, None, 4)), None)
    logits = next((p for n in of_logits if (p := graph.output(n)) and len(p.shape) == 3 and p.shape[2]), None)
    if boxes is None or logits is None or (boxes.name == "boxes" and logits.name == "logits"):
        # `boxes` with `logits` are the embedded model's, in pixels.
        return None
    return (logits, boxes) if logits.shape[1] == boxes.shape[1] else None
