"""EfficientDet-Lite0 from TFLite to ONNX: any batch size, boxes decoded, the best candidates only.

Network and box coding: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", 2020.

The TFLite graph ends in a non-maximum suppression that takes one picture only. This one ends earlier:
of the 19,206 anchors it hands over those with the best class scores, so that 0.2 MB leaves the model
a picture instead of 7 MB (which on a GPU would cost more than the inference).
"""

from __future__ import annotations

from collections.abc import Sequence

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
FINEST = 8
"""Pixels between two places of the first level, a side."""
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

    def __init__(self, content: bytes, outputs: Sequence[str]) -> None:
        super().__init__(content, outputs)
        self._levels: dict[str, list[str]] = {}
        """Of each head, finest first."""

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

    def _concat(self, operator: Operator) -> None:
        """Leave the levels of a head apart: most anchors are in the first, and nearly all of them are nothing."""
        self._levels[self._set(operator)] = [self._names[i] for i in operator.inputs]

    def decode(self) -> None:
        """Raw heads → the best candidates with their boxes in pixels.

        Those of the first level are chosen before it is put together with the others: 5 MB less are moved about.
        """
        w = self.write
        (fine_logits, *logits), (fine_codes, *codes) = (self._levels[name] for name in LAST)
        anchors, count = self._anchors(), SHAPES * (SIDE // FINEST) ** 2
        order = self._best("fine", fine_logits)
        w.node("GatherND", [fine_logits, order], "fine_logits", batch_dims=1)
        w.node("GatherND", [fine_codes, order], "fine_codes", batch_dims=1)
        w.node("GatherND", [w.constant("fine_anchors", anchors[:count]), order], "fine_anchor")
        w.node("Concat", codes, "coarse_codes", axis=1)
        fine = self._boxes("fine", "fine_anchor")
        coarse = self._boxes("coarse", w.constant("coarse_anchors", anchors[count:]))
        w.node("Concat", ["fine_logits", *logits], "some_logits", axis=1)
        w.node("Concat", [fine, coarse], "some_boxes", axis=1)
        order = self._best("some", "some_logits")
        w.node("GatherND", ["some_logits", order], "logits", batch_dims=1)
        w.node("GatherND", ["some_boxes", order], "yxyx", batch_dims=1)
        w.node("Gather", ["yxyx", w.constant("xy_order", np.array([1, 0, 3, 2]))], "boxes", axis=2)

    def _best(self, which: str, logits: str) -> str:
        """Return the rows of the candidates: int64 (n, 512, 1)."""
        w = self.write
        last, count = w.constant("last_axis", np.array([2])), w.constant("k", np.array([CANDIDATES]))
        w.node("ReduceMax", [logits, last], f"{which}_best", keepdims=0)
        w.nodes("TopK", [f"{which}_best", count], [f"{which}_top", f"{which}_order"], axis=1, sorted=0)
        return w.node("Unsqueeze", [f"{which}_order", last], f"{which}_column")

    def _boxes(self, which: str, anchor: str) -> str:
        """Return the boxes of codes: float32 (n, k, 4), y1 x1 y2 x2 px."""
        w, both = self.write, {"axis": -1, "num_outputs": 2}
        w.nodes("Split", [f"{which}_codes"], [f"{which}_code_centre", f"{which}_code_size"], **both)
        w.nodes("Split", [anchor], [f"{which}_anchor_centre", f"{which}_anchor_size"], **both)
        w.node("Mul", [f"{which}_code_centre", f"{which}_anchor_size"], f"{which}_shift")
        w.node("Add", [f"{which}_shift", f"{which}_anchor_centre"], f"{which}_centre")
        w.node("Exp", [f"{which}_code_size"], f"{which}_growth")
        w.node("Mul", [f"{which}_growth", f"{which}_anchor_size"], f"{which}_size")
        w.node("Mul", [f"{which}_size", w.constant("half", np.array(0.5, np.float32))], f"{which}_reach")
        w.node("Sub", [f"{which}_centre", f"{which}_reach"], f"{which}_top_left")
        w.node("Add", [f"{which}_centre", f"{which}_reach"], f"{which}_bottom_right")
        return w.node("Concat", [f"{which}_top_left", f"{which}_bottom_right"], f"{which}_boxes", axis=2)

    def _anchors(self) -> np.ndarray:
        """float32 (19206, 4): centre y, centre x, height, width in px of the input."""
        columns = [self._value(name) for name in ("truediv_4", "truediv_5", "sub_2", "sub_3")]
        return np.stack([column.reshape(-1) for column in columns], axis=1)

    def _value(self, name: str) -> np.ndarray:
        value = self.source.constant(self.source.by_name(name))
        assert value is not None
        return value
