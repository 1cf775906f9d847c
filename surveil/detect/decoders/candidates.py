"""Boxes in pixels with a logit a class: the embedded EfficientDet, whose graph decodes its boxes itself."""

from __future__ import annotations

from typing import ClassVar

from surveil.detect.decoders.base import Outputs, best, logit, shape_is, sigmoid
from surveil.detect.spec import Graph, Preprocess
from surveil.types import Detections, Floats


class Candidates:
    """Outputs `boxes` (n, k, 4) x1 y1 x2 y2 px and `logits` (n, k, classes)."""

    families: ClassVar[str] = "EfficientDet-Lite0 (built in), cut before its suppression"
    proven_with: ClassVar[str] = "surveil's own build"
    preprocess: ClassVar[Preprocess] = Preprocess("rgb", "0-255", "top_left", 127)
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = True

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:  # noqa: ARG002
        names = [port.name for port in graph.outputs]
        self._boxes, self._logits = names.index("boxes"), names.index("logits")
        self._classes = graph.outputs[self._logits].shape[2] or 0

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:  # noqa: ARG003
        """Whether there are exactly these two outputs."""
        boxes, logits = graph.output("boxes"), graph.output("logits")
        return (
            len(graph.outputs) == 2 and boxes is not None and logits is not None
            and shape_is(boxes.shape, None, 4) and shape_is(logits.shape, boxes.shape[1], None)
            and logits.shape[2] is not None
        )  # fmt: skip

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        rows, classes, values = best(outputs[self._logits], logit(floors))
        return Detections(outputs[self._boxes][rows].astype("float32"), sigmoid(values), classes)
