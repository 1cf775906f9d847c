"""EfficientDet-Lite0 from TFLite to ONNX: any batch size, boxes decoded, the best candidates only.

Network and box coding: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", 2020.

The TFLite graph ends in a non-maximum suppression that takes one picture only. This one ends earlier:
of the 19,206 anchors it hands over those with the best class scores, so that 0.2 MB leaves the model
a picture instead of 7 MB (which on a GPU would cost more than the inference).
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from model_build.tflite_network import NetworkWriter
from model_build.tflite_reader import Operator

SIDE = 320
CANDIDATES = 512
"""Anchors handed over a picture; LiteRT's own suppression returns 100 objects at most."""
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
IDS = 90
COCO_IDS = tuple(i for i in range(1, IDS + 1) if i not in UNUSED)
"""COCO numbers its 80 classes from 1 to 90, with holes."""
SHAPES = 9
"""Anchors a place of the picture."""
FIRST, LAST = "pad_to_bounding_box/ExpandDims1", ("concat", "concat_1")
MEAN, SCALE = 127.0, 1 / 128


def convert(content: bytes) -> onnx.ModelProto:
    """Return the ONNX model of the TFLite file.

    Input `images`: uint8 (n, 320, 320, 3) RGB. Outputs `boxes`: float32 (n, 512, 4), x1 y1 x2 y2 px
    of the input; `logits`: float32 (n, 512, 80), sigmoid gives the score of a class of COCO.
    """
    converter = _Converter(content, LAST)
    converter.preprocess(FIRST, MEAN, SCALE)
    converter.network()
    converter.decode()
    metadata = {"name": "efficientdet-lite0", "surveil.decoder": "candidates", "surveil.channels": "rgb"}
    return converter.write.model(
        {"images": (TensorProto.UINT8, ["n", SIDE, SIDE, 3])},
        {"boxes": ["n", CANDIDATES, 4], "logits": ["n", CANDIDATES, len(COCO_IDS)]},
        metadata,
    )


class _Converter(NetworkWriter):
    """The network with its boxes decoded, without the ids that are no class: they took 3 % of a run."""

    def _parameters(self, tensor: int) -> np.ndarray:
        """Leave out what only those ids are computed from."""
        value = super()._parameters(tensor)
        if value.shape[0] != SHAPES * IDS:
            return value
        by_id = value.reshape(SHAPES, IDS, *value.shape[1:])
        return by_id[:, np.array(COCO_IDS) - 1].reshape(SHAPES * len(COCO_IDS), *value.shape[1:])

    def _columns(self, operator: Operator) -> int:
        columns = super()._columns(operator)
        return len(COCO_IDS) if columns == IDS else columns

    def decode(self) -> None:
        """Raw heads → the best candidates with their boxes in pixels."""
        w = self.write
        w.node("ReduceMax", ["concat", w.constant("last_axis", np.array([2]))], "best", keepdims=0)
        w.nodes("TopK", ["best", w.constant("k", np.array([CANDIDATES]))], ["top", "order"], axis=1, sorted=0)
        w.node("Unsqueeze", ["order", "last_axis"], "order_column")
        w.node("GatherND", ["concat", "order_column"], "logits", batch_dims=1)
        w.node("GatherND", ["concat_1", "order_column"], "codes", batch_dims=1)
        w.node("Gather", [w.constant("anchors", self._anchors()), "order"], "anchor", axis=0)
        w.nodes("Split", ["codes"], ["code_centre", "code_size"], axis=2, num_outputs=2)
        w.nodes("Split", ["anchor"], ["anchor_centre", "anchor_size"], axis=2, num_outputs=2)
        w.node("Mul", ["code_centre", "anchor_size"], "shift")
        w.node("Add", ["shift", "anchor_centre"], "centre")
        w.node("Exp", ["code_size"], "growth")
        w.node("Mul", ["growth", "anchor_size"], "size")
        w.node("Mul", ["size", w.constant("half", np.array(0.5, np.float32))], "reach")
        w.node("Sub", ["centre", "reach"], "top_left")
        w.node("Add", ["centre", "reach"], "bottom_right")
        w.node("Concat", ["top_left", "bottom_right"], "yxyx", axis=2)
        w.node("Gather", ["yxyx", w.constant("xy_order", np.array([1, 0, 3, 2]))], "boxes", axis=2)

    def _anchors(self) -> np.ndarray:
        """float32 (19206, 4): centre y, centre x, height, width in px of the input."""
        columns = [self._value(name) for name in ("truediv_4", "truediv_5", "sub_2", "sub_3")]
        return np.stack([column.reshape(-1) for column in columns], axis=1)

    def _value(self, name: str) -> np.ndarray:
        value = self.source.constant(self.source.by_name(name))
        assert value is not None
        return value
