"""Holds a converted model to numbers that another runtime made from the same weights.

`reference.json` was written once: EfficientDet by LiteRT from the TFLite file, EfficientNet by PyTorch
from the checkpoint with its publisher's own model class (see `reference.md`).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from model_build.sources import BuildError

REFERENCE = Path(__file__).with_name("reference.json")
TOLERANCE = 1e-3
"""Largest difference of a raw value; the values are of order 10."""


def synthetic(side: int) -> np.ndarray:
    """Return a picture that everyone can make: uint8 (1, side, side, 3), edges at many scales."""
    y, x = np.mgrid[0:side, 0:side]
    planes = [(x * 3 + y) ^ (x * y // 16), (x // 8 * 37 + y // 8 * 91), (x * x + y * y) // 64]
    return (np.stack(planes, axis=-1) & 255).astype(np.uint8)[None]


def check(name: str, model: onnx.ModelProto) -> None:
    """Raise `BuildError` unless the model gives the stored values for the synthetic picture."""
    reference = json.loads(REFERENCE.read_text())[name]
    tensors = reference["tensors"]
    parts = {tensor: expected.get("of", [tensor]) for tensor, expected in tensors.items()}
    found = _run(model, synthetic(reference["side"]), [name for names in parts.values() for name in names])
    for tensor, expected in tensors.items():
        got = np.concatenate([found[name].reshape(-1) for name in parts[tensor]])[expected["at"]]
        worst = float(np.abs(got - np.array(expected["values"])).max())
        if not worst <= TOLERANCE:
            msg = f"{name}: {tensor} differs from the reference by {worst:.2g}, allowed is {TOLERANCE}"
            raise BuildError(msg)


def _run(model: onnx.ModelProto, images: np.ndarray, tensors: list[str]) -> dict[str, np.ndarray]:
    """Run a copy of the model that hands out `tensors`, inner ones included."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_tensor_value_info(t, onnx.TensorProto.FLOAT, None) for t in tensors)
    values = ReferenceEvaluator(copy).run(None, {"images": images})
    return dict(zip(tensors, values, strict=True))
