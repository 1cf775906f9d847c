"""The families of models that surveil can read. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from surveil.detect.decoders.base import Decoder


class _Decoders(Mapping[str, type[Decoder]]):
    """Decoders by name. One is imported when it is asked for: a daemon uses one of them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places`: module of this package and class, as `module:Class`."""
        self._places = places

    def __getitem__(self, name: str) -> type[Decoder]:
        module, _, kind = self._places[name].partition(":")
        found: type[Decoder] = getattr(import_module(f"{__name__}.{module}"), kind)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


DECODERS: Mapping[str, type[Decoder]] = _Decoders({
    "candidates": "candidates:Candidates",
    "efficientdet": "efficientdet:EfficientDet",
    "yolox": "yolox:Yolox",
    "fastestdet": "fastestdet:FastestDet",
    "yolov5": "yolo:YoloAnchors",
    "yolov8": "yolo:YoloPlanes",
    "yolov10": "yolo:YoloEndToEnd",
    "detr": "detr:Detr",
    "detr-softmax": "detr:DetrSoftmax",
    "detr-table": "detr:DetrTable",
    "rfdetr": "detr:RfDetr",
    "detr-finished": "detr:DetrFinished",
})  # fmt: skip
"""Name in the configuration → decoder; those that need no guessing first."""
