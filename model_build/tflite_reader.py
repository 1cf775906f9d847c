"""A TFLite file as plain Python: operators with their inputs, constants and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

_NUMPY = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_OPTIONS: dict[str, Any] = {
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "MAX_POOL_2D": tflite.Pool2DOptions,
    "ADD": tflite.AddOptions,
    "RESIZE_NEAREST_NEIGHBOR": tflite.ResizeNearestNeighborOptions,
    "RESIZE_BILINEAR": tflite.ResizeBilinearOptions,
    "CONCATENATION": tflite.ConcatenationOptions,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One node: tensors by number."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: Any
    """The flatbuffer's option table, or None."""


class TfliteModel:
    """The first subgraph of a TFLite model."""

    def __init__(self, content: bytes) -> None:
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        self.operators = [self._operator(i) for i in range(self._graph.OperatorsLength())]
        self._packed = {o.outputs[0]: o.inputs[0] for o in self.operators if o.kind == "DEQUANTIZE"}
        """Tensors that are others in full precision: weights stored as float16."""

    def name(self, tensor: int) -> str:
        """Return the tensor's name as the exporter wrote it."""
        return str(self._graph.Tensors(tensor).Name().decode())

    def shape(self, tensor: int) -> list[int]:
        """Return the tensor's shape, NHWC for pictures."""
        found = self._graph.Tensors(tensor)
        return [int(found.Shape(i)) for i in range(found.ShapeLength())]

    def constant(self, tensor: int) -> np.ndarray | None:
        """Return the tensor's value; None when it is computed from the input."""
        if tensor in self._packed:
            packed = self.constant(self._packed[tensor])
            return None if packed is None else packed.astype(np.float32)
        found = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(found.Buffer())
        if not buffer.DataLength():
            return None
        raw = buffer.DataAsNumpy().tobytes()
        return np.frombuffer(raw, _NUMPY[found.Type()]).reshape(self.shape(tensor))

    def by_name(self, name: str) -> int:
        """Return the number of the tensor with that name. Raises KeyError."""
        for tensor in range(self._graph.TensorsLength()):
            if self.name(tensor) == name:
                return tensor
        raise KeyError(name)

    def _operator(self, index: int) -> Operator:
        found = self._graph.Operators(index)
        code = self._model.OperatorCodes(found.OpcodeIndex())
        # Old files keep the code in the deprecated byte, new ones in the wide field.
        kind = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        options = None
        if kind in _OPTIONS:
            table = found.BuiltinOptions()
            options = _OPTIONS[kind]()
            options.Init(table.Bytes, table.Pos)
        inputs = [int(found.Inputs(i)) for i in range(found.InputsLength())]
        outputs = [int(found.Outputs(i)) for i in range(found.OutputsLength())]
        return Operator(kind, inputs, outputs, options)
