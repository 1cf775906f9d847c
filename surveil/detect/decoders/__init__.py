"""The families of models that surveil can read. A new one is one file and one line here."""

from __future__ import annotations

from surveil.detect.decoders.base import Decoder
from surveil.detect.decoders.candidates import Candidates
from surveil.detect.decoders.detr import Detr, DetrFinished, DetrSoftmax, DetrTable, RfDetr
from surveil.detect.decoders.efficientdet import EfficientDet
from surveil.detect.decoders.fastestdet import FastestDet
from surveil.detect.decoders.yolo import YoloAnchors, YoloEndToEnd, YoloPlanes
from surveil.detect.decoders.yolox import Yolox

DECODERS: dict[str, type[Decoder]] = {
    "candidates": Candidates,
    "efficientdet": EfficientDet,
    "yolox": Yolox,
    "fastestdet": FastestDet,
    "yolov5": YoloAnchors,
    "yolov8": YoloPlanes,
    "yolov10": YoloEndToEnd,
    "detr": Detr,
    "detr-softmax": DetrSoftmax,
    "detr-table": DetrTable,
    "rfdetr": RfDetr,
    "detr-finished": DetrFinished,
}
"""Name in the configuration → decoder; those that need no guessing first."""
