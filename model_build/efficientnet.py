"""EfficientNet-Lite0 from a PyTorch checkpoint to ONNX: an embedding and two feature maps.

Network: Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, in
the Lite form (ReLU6, no squeeze-and-excitation). Batch norms are folded into the convolutions.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from model_build import legacy_pth
from model_build.graph import GraphWriter

MEAN, SCALE = 127.0, 1 / 128
EPSILON = 1e-3
"""Of the batch norms, as in the TensorFlow original."""
HALVING = frozenset({1, 3, 5, 11})
"""Blocks with stride 2."""
MAPS = {4: "features_8", 10: "features_16"}
"""Blocks whose output is handed out, named by how many pixels one cell spans."""


def convert(content: bytes) -> onnx.ModelProto:
    """Return the ONNX model of the checkpoint.

    Input `images`: uint8 (n, h, w, 3) RGB, h and w multiples of 32 (trained with 224). Outputs
    `embedding`: float32 (n, 1280); `features_8`: (n, 40, h/8, w/8); `features_16`: (n, 112, h/16, w/16).
    """
    net = _Network(legacy_pth.load(content))
    net.body()
    shapes: dict[str, list[str | int]] = {
        "embedding": ["n", 1280],
        "features_8": ["n", 40, "h8", "w8"],
        "features_16": ["n", 112, "h16", "w16"],
    }
    metadata = {"name": "efficientnet-lite0", "surveil.decoder": "embedding", "surveil.channels": "rgb"}
    return net.write.model({"images": (TensorProto.UINT8, ["n", "h", "w", 3])}, shapes, metadata)


class _Network:
    """Writes the layers in order; names are the checkpoint's."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.state = state
        self.write = GraphWriter()

    def body(self) -> None:
        """Everything from the bytes of a picture to the embedding."""
        w = self.write
        w.node("Transpose", ["images"], "planes", perm=[0, 3, 1, 2])
        w.node("Cast", ["planes"], "floats", to=TensorProto.FLOAT)
        w.node("Sub", ["floats", w.constant("mean", np.array(MEAN, np.float32))], "centred")
        at = w.node("Mul", ["centred", w.constant("scale", np.array(SCALE, np.float32))], "normalised")
        at = self._conv(at, "_conv_stem", "_bn0", "stem", stride=2)
        for index in range(16):
            at = self._block(at, index)
        at = self._conv(at, "_conv_head", "_bn1", "head")
        w.node("GlobalAveragePool", [at], "pooled")
        w.node("Flatten", ["pooled"], "embedding", axis=1)

    def _block(self, source: str, index: int) -> str:
        """Expand, filter by channel, project; add the input where the shape stays."""
        prefix, stride = f"_blocks.{index}.", 2 if index in HALVING else 1
        at = source
        if f"{prefix}_expand_conv.weight" in self.state:
            at = self._conv(at, f"{prefix}_expand_conv", f"{prefix}_bn0", f"b{index}_expand")
        at = self._conv(at, f"{prefix}_depthwise_conv", f"{prefix}_bn1", f"b{index}_filter", stride)
        name = MAPS.get(index, f"b{index}")
        inside = len(self.state[f"{prefix}_depthwise_conv.weight"])
        width = len(self.state[f"{prefix}_project_conv.weight"])
        if stride == 2 or width != self._width(index - 1):
            return self._conv(at, f"{prefix}_project_conv", f"{prefix}_bn2", name, linear=True)
        assert inside > width
        at = self._conv(at, f"{prefix}_project_conv", f"{prefix}_bn2", f"b{index}_project", linear=True)
        return self.write.node("Add", [at, source], name)

    def _width(self, index: int) -> int:
        name = f"_blocks.{index}._project_conv.weight" if index >= 0 else "_conv_stem.weight"
        return len(self.state[name])

    def _conv(
        self, source: str, conv: str, norm: str, name: str, stride: int = 1, *, linear: bool = False
    ) -> str:
        """Write a convolution with its batch norm folded in, ReLU6 behind it unless `linear`."""
        w = self.write
        weight, bias = self._folded(conv, norm)
        group = len(weight) if conv.endswith("_depthwise_conv") else 1
        names = [w.constant(f"{name}.weight", weight), w.constant(f"{name}.bias", bias)]
        kernel = list(weight.shape[2:])
        output = name if linear else f"{name}_linear"
        w.node(
            "Conv", [source, *names], output, kernel_shape=kernel, strides=[stride, stride], group=group,
            pads=_same(kernel[0], stride),
        )  # fmt: skip
        if linear:
            return output
        bounds = [w.constant("zero", np.array(0, np.float32)), w.constant("six", np.array(6, np.float32))]
        return w.node("Clip", [output, *bounds], name)

    def _folded(self, conv: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel and bias of the convolution and its batch norm as one."""
        state = self.state
        gain = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"].astype(np.float64) + EPSILON)
        weight = state[f"{conv}.weight"] * gain[:, None, None, None]
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
        return weight.astype(np.float32), bias.astype(np.float32)


def _same(kernel: int, stride: int) -> list[int]:
    """Return pads of TensorFlow's SAME rule for an even input: the odd pixel goes to the far side."""
    total = kernel - stride
    return [total // 2] * 2 + [total - total // 2] * 2
