"""EfficientDet-Lite0 from TFLite to ONNX: any batch size, boxes decoded, the best candidates only.

Network and box coding: Tan, Pang, Le, "EfficientDet: Scalable and Efficient Object Detection", 2020.

The TFLite graph ends in a non-maximum suppression that takes one picture only. This one ends earlier:
of the 19,206 anchors it hands over those with the best class scores, so that 0.2 MB leaves the model
a picture instead of 7 MB (which on a GPU would cost more than the inference).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import tflite
from onnx import TensorProto

from model_build.graph import GraphWriter
from model_build.tflite_reader import Operator, TfliteModel

SIDE = 320
CANDIDATES = 512
"""Anchors handed over a picture; LiteRT's own suppression returns 100 objects at most."""
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = tuple(i for i in range(1, 91) if i not in UNUSED)
"""COCO numbers its 80 classes from 1 to 90, with holes."""
FIRST, LAST = "pad_to_bounding_box/ExpandDims1", ("concat", "concat_1")
MEAN, SCALE = 127.0, 1 / 128


def convert(content: bytes) -> onnx.ModelProto:
    """Return the ONNX model of the TFLite file.

    Input `images`: uint8 (n, 320, 320, 3) RGB. Outputs `boxes`: float32 (n, 512, 4), x1 y1 x2 y2 px
    of the input; `logits`: float32 (n, 512, 80), sigmoid gives the score of a class of COCO.
    """
    converter = _Converter(TfliteModel(content))
    converter.preprocess()
    converter.network()
    converter.decode()
    metadata = {"name": "efficientdet-lite0", "surveil.decoder": "candidates", "surveil.channels": "rgb"}
    return converter.write.model(
        {"images": (TensorProto.UINT8, ["n", SIDE, SIDE, 3])},
        {"boxes": ["n", CANDIDATES, 4], "logits": ["n", CANDIDATES, len(COCO_IDS)]},
        metadata,
    )


class _Converter:
    """Walks the TFLite graph in order. Pictures are NHWC there and NCHW here."""

    def __init__(self, source: TfliteModel) -> None:
        self.source = source
        self.write = GraphWriter()
        self._names: dict[int, str] = {}
        self._handlers: dict[str, Callable[[Operator], None]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "MAX_POOL_2D": self._max_pool,
            "RESIZE_NEAREST_NEIGHBOR": self._resize,
            "ADD": self._add,
            "RESHAPE": self._reshape,
            "CONCATENATION": self._concat,
        }

    def preprocess(self) -> None:
        """Bytes as they come from a picture → centred float planes."""
        w = self.write
        w.node("Transpose", ["images"], "planes", perm=[0, 3, 1, 2])
        w.node("Cast", ["planes"], "floats", to=TensorProto.FLOAT)
        w.node("Sub", ["floats", w.constant("mean", np.array(MEAN, np.float32))], "centred")
        w.node("Mul", ["centred", w.constant("scale", np.array(SCALE, np.float32))], "normalised")
        self._names[self.source.by_name(FIRST)] = "normalised"

    def network(self) -> None:
        """Everything from the normalised picture to the raw heads."""
        last = {self.source.by_name(name) for name in LAST}
        for operator in self.source.operators:
            # Before the first handled tensor lies TensorFlow's own letterbox, between the last two its suppression.
            if operator.kind not in self._handlers or not self._reachable(operator):
                continue
            self._handlers[operator.kind](operator)
            last.discard(operator.outputs[0])
            if not last:
                return

    def decode(self) -> None:
        """Raw heads → the best candidates with their boxes in pixels."""
        w = self.write
        w.node("ReduceMax", ["concat", w.constant("last_axis", np.array([2]))], "best", keepdims=0)
        w.nodes("TopK", ["best", w.constant("k", np.array([CANDIDATES]))], ["top", "order"], axis=1, sorted=0)
        w.node("Unsqueeze", ["order", "last_axis"], "order_column")
        w.node("GatherND", ["concat", "order_column"], "all_logits", batch_dims=1)
        w.node("Gather", ["all_logits", w.constant("coco", np.array(COCO_IDS) - 1)], "logits", axis=2)
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

    def _reachable(self, operator: Operator) -> bool:
        return all(i in self._names or self.source.constant(i) is not None for i in operator.inputs)

    def _set(self, operator: Operator, activation: int = tflite.ActivationFunctionType.NONE) -> str:
        """Name the operator's output; a fused activation gets the name, the node in front another."""
        tensor = operator.outputs[0]
        name = self.source.name(tensor)
        # Names of merged layers are paragraphs; the number is enough.
        name = name if name in LAST else f"t{tensor}"
        self._names[tensor] = name
        if activation == tflite.ActivationFunctionType.NONE:
            return name
        assert activation == tflite.ActivationFunctionType.RELU6
        return f"{name}_linear"

    def _activate(self, operator: Operator, activation: int) -> None:
        if activation == tflite.ActivationFunctionType.RELU6:
            bounds = [
                self.write.constant("zero", np.array(0, np.float32)),
                self.write.constant("six", np.array(6, np.float32)),
            ]
            name = self._names[operator.outputs[0]]
            self.write.node("Clip", [f"{name}_linear", *bounds], name)

    def _weights(self, operator: Operator, axes: tuple[int, ...]) -> list[str]:
        """Store kernel (its axes turned) and bias; return their names."""
        names = []
        for tensor, turn in ((operator.inputs[1], axes), (operator.inputs[2], (0,))):
            value = self.source.constant(tensor)
            assert value is not None
            names.append(self.write.constant(f"w{tensor}", value.transpose(turn)))
        return names

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

    def _resize(self, operator: Operator) -> None:
        assert not operator.options.AlignCorners()
        assert not operator.options.HalfPixelCenters()
        before, after = self.source.shape(operator.inputs[0])[1:3], self._int64(operator.inputs[1])
        scales = self.write.constant(f"scales_{operator.outputs[0]}", resize_scales(before, after))
        self.write.node(
            "Resize", [self._names[operator.inputs[0]], "", scales], self._set(operator), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip

    def _add(self, operator: Operator) -> None:
        activation = operator.options.FusedActivationFunction()
        names = [self._names[i] for i in operator.inputs]
        self.write.node("Add", names, self._set(operator, activation))
        self._activate(operator, activation)

    def _reshape(self, operator: Operator) -> None:
        """Turn a head, NCHW here, back to NHWC and lay its anchors in a row."""
        source, columns = operator.inputs[0], self.source.shape(operator.outputs[0])[2]
        turned = self.write.node("Transpose", [self._names[source]], f"t{source}_nhwc", perm=[0, 2, 3, 1])
        shape = self.write.constant(f"rows_of_{columns}", np.array([0, -1, columns]))
        self.write.node("Reshape", [turned, shape], self._set(operator))

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
