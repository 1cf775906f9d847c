"""A stand-in for YuNet, built with onnx: same inputs and outputs, but a "face" is a bright square.

The real model belongs to whoever uses it and is in no package. Outputs as OpenCV's FaceDetectorYN decodes them
(modules/objdetect/src/face_detect.cpp): per stride, class and object scores, boxes relative to the cell, landmarks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
_SOFT = 40.0


def write(path: Path, bright: float = 200.0) -> Path:
    """Write the model; every cell of 16 px whose mean brightness is well over `bright` is a face of 32 px."""
    nodes, constants, outputs = [], [], []
    for stride in STRIDES:
        score = 1.0 if stride == 16 else 0.0
        weight = np.full((1, 3, stride, stride), score / (3 * stride * stride * _SOFT), np.float32)
        offset = -score * bright / _SOFT
        _output(nodes, constants, outputs, f"cls_{stride}", stride, weight, [offset])
        _output(nodes, constants, outputs, f"obj_{stride}", stride, weight, [offset])
        size = float(np.log(32 / stride))
        for name, bias in (("bbox", [0.5, 0.5, size, size]), ("kps", [0.0] * 10)):
            nothing = np.zeros((len(bias), 3, stride, stride), np.float32)
            _output(nodes, constants, outputs, f"{name}_{stride}", stride, nothing, bias)
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "faces", [picture], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    onnx.save(model, str(path))
    return path


def _output(nodes, constants, outputs, name, stride, weight, bias):
    channels = len(bias)
    constants += [
        numpy_helper.from_array(weight, f"{name}_w"),
        numpy_helper.from_array(np.array(bias, np.float32), f"{name}_b"),
        numpy_helper.from_array(np.array([1, -1, channels], np.int64), f"{name}_s"),
    ]
    made = [f"input {name}_w {name}_b".split(), [f"{name}_c"]]
    nodes.append(helper.make_node("Conv", *made, kernel_shape=[stride, stride], strides=[stride, stride]))
    last = f"{name}_c"
    if not name.startswith(("bbox", "kps")):
        nodes.append(helper.make_node("Relu", [last], [f"{name}_r"]))
        last = f"{name}_r"
    nodes.append(helper.make_node("Transpose", [last], [f"{name}_t"], perm=[0, 2, 3, 1]))
    nodes.append(helper.make_node("Reshape", [f"{name}_t", f"{name}_s"], [name]))
    outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, channels]))
