"""Builds tiny ONNX models whose outputs are known, with onnx itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

KINDS = {
    np.dtype("float32"): TensorProto.FLOAT,
    np.dtype("int64"): TensorProto.INT64,
    np.dtype("uint8"): TensorProto.UINT8,
}


def model(
    outputs: dict[str, np.ndarray],
    shape: tuple[object, ...] = ("n", 3, 64, 64),
    *,
    kind: int = TensorProto.FLOAT,
    sizes: bool = False,
    free: bool = False,
    endless_above: float | None = None,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """An ONNX file that gives each of `outputs` (without batch dimension) for every picture.

    `sizes`: with the second input of RT-DETR; `free`: the outputs' dimensions are not stated; `endless_above`:
    a picture whose mean is above that is computed for years.
    Each output has `mean(picture) - mean(picture)` added, so that it has the batch's size.
    """
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "mean"], ["nought"]),
    ]
    constants = [numpy_helper.from_array(np.array([1, 2, 3]), "axes")]
    if endless_above is not None:
        nodes[-1] = helper.make_node("Sub", ["mean", "mean"], ["start"])
        nodes += _endless()
        constants += [
            numpy_helper.from_array(np.array(endless_above, np.float32), "bright"),
            numpy_helper.from_array(np.array(2**50), "years"),
            numpy_helper.from_array(np.array(True), "on"),
        ]
    inputs = [helper.make_tensor_value_info("images", kind, list(shape))]
    if sizes:
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["n", 2]))
    infos = []
    for name, value in outputs.items():
        constants += [
            numpy_helper.from_array(value[None], f"{name}_value"),
            numpy_helper.from_array(np.array([-1] + [1] * value.ndim), f"{name}_shape"),
        ]
        code = KINDS[value.dtype]
        nodes += [
            helper.make_node("Reshape", ["nought", f"{name}_shape"], [f"{name}_column"]),
            helper.make_node("Cast", [f"{name}_column"], [f"{name}_cast"], to=code),
            helper.make_node("Add", [f"{name}_value", f"{name}_cast"], [name]),
        ]
        inner = [f"{name}_{i}" for i in range(value.ndim)] if free else value.shape
        infos.append(helper.make_tensor_value_info(name, code, [shape[0], *inner]))
    graph = helper.make_graph(nodes, "tiny", inputs, infos, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 8
    helper.set_model_props(made, metadata or {})
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _endless() -> list[onnx.NodeProto]:
    """Nodes that carry `start` to `nought` through a loop: of no turn, or of 2^50 where `mean` is above `bright`."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still_go"]),
            helper.make_node("Identity", ["carried"], ["carried_on"]),
        ],
        "turn",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still_go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried_on", TensorProto.FLOAT, None),
        ],
    )
    return [
        helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
        helper.make_node("Greater", ["brightest", "bright"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["one_if_bright"], to=TensorProto.INT64),
        helper.make_node("Mul", ["one_if_bright", "years"], ["turns"]),
        helper.make_node("Loop", ["turns", "on", "start"], ["nought"], body=body),
    ]


@dataclass
class Shot:
    """A picture made from an RGB array by nearest neighbour: no interpolation blurs what a test looks at."""

    array: np.ndarray

    @property
    def width(self) -> int:
        return self.array.shape[1]

    @property
    def height(self) -> int:
        return self.array.shape[0]

    def luma(self, width: int, height: int) -> np.ndarray:
        return self.rgb((0, 0, self.width, self.height), width, height)[..., 1]

    def rgb(self, box: tuple[int, int, int, int], width: int, height: int) -> np.ndarray:
        x1, y1, x2, y2 = box
        rows = y1 + (np.arange(height) * (y2 - y1)) // height
        columns = x1 + (np.arange(width) * (x2 - x1)) // width
        return self.array[rows][:, columns]

    def bgr(self) -> np.ndarray:
        return self.array[..., ::-1]


def grey(width: int, height: int) -> Shot:
    return Shot(np.full((height, width, 3), 128, np.uint8))
