"""BlazeFace, full range, from TFLite to ONNX: any batch size, boxes decoded.

Network and box coding: Bazarevsky, Kartynnik, Vakunov, Raveendran, Grundmann, "BlazeFace: Sub-millisecond Neural
Face Detection on Mobile GPUs", 2019; this is the variant with one grid of 48 x 48 anchors. The six landmarks
that come with a box are dropped.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from model_build.tflite_network import NetworkWriter

SIDE, STRIDE = 192, 4
FIRST, LAST = "input", ("reshaped_regressor_face_4", "reshaped_classifier_face_4")
MEAN, SCALE = 127.5, 1 / 127.5
ANCHORS = (SIDE // STRIDE) ** 2
_CODES = 16
"""Centre and size of the box, then the landmarks, px from the anchor."""


def convert(content: bytes) -> onnx.ModelProto:
    """Return the ONNX model of the TFLite file.

    Input `images`: uint8 (n, 192, 192, 3) RGB. Outputs `boxes`: float32 (n, 2304, 4), x1 y1 x2 y2 px of the
    input; `logits`: float32 (n, 2304, 1), sigmoid gives the score of a face.
    """
    converter = NetworkWriter(content, LAST)
    converter.preprocess(FIRST, MEAN, SCALE)
    converter.network()
    _decode(converter)
    metadata = {"name": "blazeface-full-range", "surveil.decoder": "candidates", "surveil.channels": "rgb"}
    return converter.write.model(
        {"images": (TensorProto.UINT8, ["n", SIDE, SIDE, 3])},
        {"boxes": ["n", ANCHORS, 4], "logits": ["n", ANCHORS, 1]},
        metadata,
    )


def _decode(converter: NetworkWriter) -> None:
    """Write raw heads → corners in pixels."""
    w, (codes, logits) = converter.write, LAST
    corners = np.zeros((_CODES, 4), np.float32)
    corners[[0, 1, 0, 1], [0, 1, 2, 3]] = 1.0
    corners[[2, 3, 2, 3], [0, 1, 2, 3]] = [-0.5, -0.5, 0.5, 0.5]
    w.node("MatMul", [codes, w.constant("corners", corners)], "from_anchor")
    w.node("Add", ["from_anchor", w.constant("anchors", _anchors())], "boxes")
    w.node("Identity", [logits], "logits")


def _anchors() -> np.ndarray:
    """Return float32 (2304, 4): the middle of each cell, twice, px of the input."""
    at = (np.arange(SIDE // STRIDE, dtype=np.float32) + 0.5) * STRIDE
    y, x = np.meshgrid(at, at, indexing="ij")
    return np.stack([x, y, x, y], axis=-1).reshape(-1, 4)
