"""The operators of a TFLite network as nodes of an ONNX graph. Pictures are NHWC there and NCHW here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tflite
from onnx import TensorProto

from model_build.graph import GraphWriter
from model_build.tflite_reader import Operator, TfliteModel

_Activation = tflite.ActivationFunctionType


class NetworkWriter:
    """Walks the TFLite graph in order and writes what it can reach from the input. One network, used once."""

    def __init__(self, content: bytes, outputs: Sequence[str]) -> None:
        """Read the file; `outputs` name the last tensors, which keep their names."""
        self.source = TfliteModel(content)
        self.write = GraphWriter()
        self._outputs = outputs
        self._names: dict[int, str] = {}
        self._handlers: dict[str, Callable[[Operator], None]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "MAX_POOL_2D": self._max_pool,
            "RESIZE_NEAREST_NEIGHBOR": self._resize_nearest,
            "RESIZE_BILINEAR": self._resize_bilinear,
            "ADD": self._add,
            "RELU": self._relu,
            "PAD": self._pad,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concat,
        }

    def preprocess(self, tensor: str, mean: float, scale: float) -> None:
        """Write bytes as they come from a picture → float planes, (x - mean) * scale, as the TFLite `tensor`."""
        w = self.write
        w.node("Transpose", ["images"], "planes", perm=[0, 3, 1, 2])
        w.node("Cast", ["planes"], "floats", to=TensorProto.FLOAT)
        w.node("Sub", ["floats", w.constant("mean", np.array(mean, np.float32))], "centred")
        w.node("Mul", ["centred", w.constant("scale", np.array(scale, np.float32))], "normalised")
        self._names[self.source.by_name(tensor)] = "normalised"

    def network(self) -> None:
        """Write everything from the normalised picture to the outputs."""
        last = {self.source.by_name(name) for name in self._outputs}
        for operator in self.source.operators:
            # Before the first handled tensor lies TensorFlow's own letterbox, between the last two its suppression.
            if operator.kind not in self._handlers or not self._reachable(operator):
                continue
            self._handlers[operator.kind](operator)
            last.discard(operator.outputs[0])
            if not last:
                return

    def _reachable(self, operator: Operator) -> bool:
        return all(i in self._names or self.source.constant(i) is not None for i in operator.inputs)

    def _set(self, operator: Operator, activation: int = _Activation.NONE) -> str:
        """Name the operator's output; a fused activation gets the name, the node in front another."""
        tensor = operator.outputs[0]
        name = self.source.name(tensor)
        # Names of merged layers are paragraphs; the number is enough.
        name = name if name in self._outputs else f"t{tensor}"
        self._names[tensor] = name
        if activation == _Activation.NONE:
            return name
        assert activation == _Activation.RELU6
        return f"{name}_linear"

    def _activate(self, operator: Operator, activation: int) -> None:
        if activation == _Activation.RELU6:
            bounds = [
                self.write.constant("zero", np.array(0, np.float32)),
                self.write.constant("six", np.array(6, np.float32)),
            ]
            name = self._names[operator.outputs[0]]
            self.write.node("Clip", [f"{name}_linear", *bounds], name)

    def _relu(self, operator: Operator) -> None:
        self.write.node("Relu", [self._names[operator.inputs[0]]], self._set(operator))

    def _pad(self, operator: Operator) -> None:
        """Append zeros; TensorFlow's pairs (before, after) of NHWC become ONNX's befores and afters of NCHW."""
        pairs = self._int64(operator.inputs[1])[[0, 3, 1, 2]]
        pads = self.write.constant(f"pads_{operator.outputs[0]}", pairs.T.reshape(-1))
        self.write.node("Pad", [self._names[operator.inputs[0]], pads], self._set(operator))

    def _weights(self, operator: Operator, axes: tuple[int, ...]) -> list[str]:
        """Store kernel (its axes turned) and bias; return their names."""
        names = []
        for tensor, turn in ((operator.inputs[1], axes), (operator.inputs[2], (0,))):
            names.append(self.write.constant(f"w{tensor}", self._parameters(tensor).transpose(turn)))
        return names

    def _parameters(self, tensor: int) -> np.ndarray:
        """Return a kernel or a bias, output channels first, except a depthwise kernel's."""
        value = self.source.constant(tensor)
        assert value is not None
        return value

    def _conv(self, operator: Operator) -> None:
        self._convolve(operator, self._weights(operator, (0, 3, 1, 2)), group=1)

    def _depthwise(self, operator: Operator) -> None:
        channels = self.source.shape(operator.inputs[0])[3]
        self._convolve(operator, self._weights(operator, (3, 0, 1, 2)), group=channels)

    def _convolve(self, operator: Operator, weights: list[str], group: int) -> None:
        options = operator.options
        kernel = self.source.shape(operator.inputs[1])[1:3]
        strides = [options.StrideH(), options.StrideW()]
        activation = options.FusedActivationFunction()
        name = self._set(operator, activation)
        pads = self._same(operator, kernel, strides)
        source = [self._names[operator.inputs[0]], *weights]
        self.write.node("Conv", source, name, kernel_shape=kernel, strides=strides, pads=pads, group=group)
        self._activate(operator, activation)

    def _max_pool(self, operator: Operator) -> None:
        options = operator.options
        kernel = [options.FilterHeight(), options.FilterWidth()]
        strides = [options.StrideH(), options.StrideW()]
        pads = self._same(operator, kernel, strides)
        source = self._names[operator.inputs[0]]
        self.write.node(
            "MaxPool", [source], self._set(operator), kernel_shape=kernel, strides=strides, pads=pads
        )

    def _same(self, operator: Operator, kernel: list[int], strides: list[int]) -> list[int]:
        """Return TensorFlow's SAME padding: the odd pixel goes to the bottom and to the right."""
        if operator.options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        size = self.source.shape(operator.inputs[0])[1:3]
        return same_padding(size, kernel, strides)

    def _resize_nearest(self, operator: Operator) -> None:
        assert not operator.options.HalfPixelCenters()
        self._resize(
            operator, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )

    def _resize_bilinear(self, operator: Operator) -> None:
        centred = "half_pixel" if operator.options.HalfPixelCenters() else "asymmetric"
        self._resize(operator, mode="linear", coordinate_transformation_mode=centred)

    def _resize(self, operator: Operator, **how: str) -> None:
        assert not operator.options.AlignCorners()
        before, after = self.source.shape(operator.inputs[0])[1:3], self._int64(operator.inputs[1])
        scales = self.write.constant(f"scales_{operator.outputs[0]}", resize_scales(before, after))
        self.write.node("Resize", [self._names[operator.inputs[0]], "", scales], self._set(operator), **how)

    def _add(self, operator: Operator) -> None:
        activation = operator.options.FusedActivationFunction()
        names = [self._names[i] for i in operator.inputs]
        self.write.node("Add", names, self._set(operator, activation))
        self._activate(operator, activation)

    def _reshape(self, operator: Operator) -> None:
        """Turn a head, NCHW here, back to NHWC and lay its anchors in a row."""
        source, columns = operator.inputs[0], self._columns(operator)
        turned = self.write.node("Transpose", [self._names[source]], f"t{source}_nhwc", perm=[0, 2, 3, 1])
        shape = self.write.constant(f"rows_of_{columns}", np.array([0, -1, columns]))
        self.write.node("Reshape", [turned, shape], self._set(operator))

    def _columns(self, operator: Operator) -> int:
        """Return how many numbers an anchor has in a head."""
        return self.source.shape(operator.outputs[0])[2]

    def _concat(self, operator: Operator) -> None:
        self.write.node("Concat", [self._names[i] for i in operator.inputs], self._set(operator), axis=1)

    def _int64(self, tensor: int) -> np.ndarray:
        value = self.source.constant(tensor)
        assert value is not None
        return value.astype(np.int64)


def resize_scales(before: Sequence[int], after: np.ndarray) -> np.ndarray:
    """Return Resize's scales of NCHW from one height and width to another, float32 (4,).

    Every tool reads scales of all axes; quantisers know neither `axes` nor sizes with a free batch.
    """
    sides = np.array(before)
    factors = (after / sides).astype(np.float32)
    # Five thirds, rounded down, of three pixels would be four.
    short = sides * factors.astype(np.float64) < after
    factors = np.where(short, np.nextafter(factors, np.float32(np.inf)), factors)
    return np.concatenate([np.ones(2, np.float32), factors])


def same_padding(size: list[int], kernel: list[int], strides: list[int]) -> list[int]:
    """Return ONNX pads (top, left, bottom, right) of TensorFlow's SAME rule."""
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel, strides, strict=True)]
    return [t // 2 for t in total] + [t - t // 2 for t in total]
