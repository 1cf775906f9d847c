"""YOLO exports of the v5, v8 and v10 kinds, as they are commonly exported; boxes in px of the input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from surveil.detect.decoders.base import Outputs, best, cell_count, corners
from surveil.detect.spec import Graph, Preprocess
from surveil.types import Detections, Floats

STRIDES = (8, 16, 32)
_YOLO = Preprocess("rgb", "0-1", "centre", 114)


class YoloAnchors:
    """v5, v7: output (n, 3 · cells, 5 + classes): centre and size in px, objectness, classes."""

    families: ClassVar[str] = "YOLOv5, YOLOv7"
    proven_with: ClassVar[str] = "yolov5 7.0.14"
    preprocess: ClassVar[Preprocess] = _YOLO
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:  # noqa: ARG002
        self._classes = (graph.outputs[0].shape[2] or 5) - 5

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the first output has three rows a cell (v5 adds its raw heads behind, and masks of segments)."""
        shape = graph.outputs[0].shape
        has_masks = any(len(port.shape) == 4 for port in graph.outputs)
        is_table = len(shape) == 3 and shape[1] == 3 * cell_count(size, STRIDES) and (shape[2] or 0) > 5
        return is_table and not has_masks

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        table = outputs[0]
        some = table[table[:, 4] >= floors.min(initial=np.inf)]
        rows, classes, scores = best(some[:, 5:] * some[:, 4:5], floors)
        return Detections(corners(some[rows, :2], some[rows, 2:4]), scores, classes)


class YoloPlanes:
    """v8, v9, v11, v12: output (n, 4 + classes, cells): centre and size in px, classes; one plane each."""

    families: ClassVar[str] = "YOLOv8, YOLOv9, YOLO11, YOLO12"
    proven_with: ClassVar[str] = "ultralytics 8.4.190"
    preprocess: ClassVar[Preprocess] = _YOLO
    suppresses: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:  # noqa: ARG002
        self._classes = (graph.outputs[0].shape[1] or 4) - 4

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the only output has one column a cell."""
        shape = graph.outputs[0].shape
        return (
            len(graph.outputs) == 1
            and len(shape) == 3
            and shape[2] == cell_count(size, STRIDES)
            and (shape[1] or 0) > 4
        )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self._classes

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input."""
        planes = outputs[0]
        sure = np.flatnonzero(planes[4:].max(axis=0) >= floors.min(initial=np.inf))
        some = planes[:, sure].T
        rows, classes, scores = best(some[:, 4:], floors)
        return Detections(corners(some[rows, :2], some[rows, 2:4]), scores, classes)


class YoloEndToEnd:
    """v10 and exports with suppression inside: output (n, k, 6): x1 y1 x2 y2 px, score, class.

    The number of classes is not in the outputs: it comes from the labels, or COCO's 80 are taken.
    """

    families: ClassVar[str] = "YOLOv10, exports with suppression inside"
    proven_with: ClassVar[str] = "ultralytics 8.4.190"
    preprocess: ClassVar[Preprocess] = _YOLO
    suppresses: ClassVar[bool] = False
    limited: ClassVar[bool] = True

    def __init__(self, graph: Graph, size: tuple[int, int]) -> None:
        pass

    @classmethod
    def fits(cls, graph: Graph, size: tuple[int, int]) -> bool:
        """Whether the only output has six columns and few rows."""
        shape = graph.outputs[0].shape
        few = len(shape) == 3 and shape[2] == 6 and (shape[1] or 300) <= 1000
        return len(graph.outputs) == 1 and few and shape[1] != cell_count(size, STRIDES)

    @property
    def classes(self) -> int:
        """Number of classes; 0: the outputs do not say."""
        return 0

    def __call__(self, outputs: Outputs, floors: Floats) -> Detections:
        """Return what is sure enough, in px of the input; classes beyond the labels are left out."""
        table = outputs[0]
        classes = table[:, 5].astype(np.int32)
        known = (classes >= 0) & (classes < len(floors))
        keep = np.flatnonzero(known)
        keep = keep[table[keep, 4] >= floors[classes[keep]]]
        return Detections(
            table[keep, :4].astype(np.float32), table[keep, 4].astype(np.float32), classes[keep]
        )
