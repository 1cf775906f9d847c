"""EfficientNet-Lite0 in PyTorch, built from its ONNX file operation by operation, with a linear head.

Needs the extra `train`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from surveil.errors import ModelError
from surveil.offline.classify.head import Head
from surveil.offline.classify.onnxgraph import GraphNode, nodes, weights

Weights = dict[str, NDArray[np.float32]]
_HEAD_W, _HEAD_B = "head_weights", "head_bias"
_LAST = 99


class Network(nn.Module):  # type: ignore[misc,unused-ignore] # torch is not installed everywhere
    """uint8 (n, size, size, 3) RGB in, logits float32 (n, classes) out."""

    def __init__(self, network: bytes, classes: int) -> None:
        """Build it. Raises ModelError for an operation that it does not know."""
        super().__init__()
        self._nodes = nodes(network)
        self._names: list[str] = []
        for name, array in weights(network).items():
            if name.endswith((".weight", ".bias")):
                self._names.append(name)
                self.register_parameter(
                    _key(name), nn.Parameter(torch.from_numpy(array.copy()), requires_grad=False)
                )
            else:
                self.register_buffer(_key(name), torch.from_numpy(array.copy()))
        width = sum(
            len(getattr(self, _key(bias))) for bias in (self._bias_of("head"), self._bias_of_middle())
        )
        self.linear = nn.Linear(width, classes)

    def _bias_of(self, output: str) -> str:
        return f"{output}.bias"

    def _bias_of_middle(self) -> str:
        """The bias of the convolution that the middle features come from, whose length is their number."""
        made = {output: node for node in self._nodes for output in node.outputs}
        name = "features_16"
        while name in made and made[name].kind != "Conv":
            name = made[name].inputs[0]
        if name not in made:
            raise ModelError("the network has no features_16")
        return made[name].inputs[2]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.linear(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return what the head sees, float32 (n, d): as `surveil.offline.classify.features.Backbone` does."""
        known: dict[str, Tensor] = {"images": images}
        for node in self._nodes:
            known[node.outputs[0]] = _apply(
                node, [known[n] if n in known else getattr(self, _key(n)) for n in node.inputs]
            )
        return torch.cat([known["embedding"], known["features_16"].mean((2, 3))], 1)

    def unfreeze(self, first_block: int) -> list[Tensor]:
        """Let the blocks from `first_block` on and the head be trained; return what is trained."""
        for name in self._names:
            getattr(self, _key(name)).requires_grad_(_block(name) >= first_block)
        return [p for p in self.parameters() if p.requires_grad]

    def set_head(self, head: Head) -> None:
        """Begin with a head that was fitted on frozen features."""
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(head.weights))
            self.linear.bias.copy_(torch.from_numpy(head.bias))

    def head(self) -> Head:
        """Return the head."""
        w, b = self.linear.weight.detach().double().cpu(), self.linear.bias.detach().double().cpu()
        return Head(w.numpy(), b.numpy())

    def weights(self) -> Weights:
        """Return the network's weights, without the head, by their names in the file."""
        return {name: getattr(self, _key(name)).detach().float().cpu().numpy().copy() for name in self._names}

    def all_weights(self) -> Weights:
        """Return the weights of network and head."""
        head = self.head()
        return self.weights() | {
            _HEAD_W: head.weights.astype(np.float32),
            _HEAD_B: head.bias.astype(np.float32),
        }

    def put(self, found: Weights) -> None:
        """Set all weights. Raises ModelError when they are another network's."""
        mine = self.all_weights()
        if {n: w.shape for n, w in mine.items()} != {n: w.shape for n, w in found.items()}:
            raise ModelError("the checkpoint is of another network or other classes")
        with torch.no_grad():
            for name in self._names:
                getattr(self, _key(name)).copy_(torch.from_numpy(found[name]))
        self.set_head(Head(found[_HEAD_W].astype(np.float64), found[_HEAD_B].astype(np.float64)))


_OPERATIONS: dict[str, Callable[[list[Tensor], dict[str, tuple[int, ...]]], Tensor]] = {
    "Conv": lambda x, a: _conv(x[0], x[1], x[2], a),
    "Clip": lambda x, _: x[0].clamp(0.0, 6.0),
    "Add": lambda x, _: x[0] + x[1],
    "Sub": lambda x, _: x[0] - x[1],
    "Mul": lambda x, _: x[0] * x[1],
    "Transpose": lambda x, a: x[0].permute(*a["perm"]),
    "Cast": lambda x, _: x[0].float(),
    "GlobalAveragePool": lambda x, _: x[0].mean((2, 3), keepdim=True),
    "Flatten": lambda x, _: x[0].flatten(1),
}


def _apply(node: GraphNode, inputs: list[Tensor]) -> Tensor:
    if node.kind not in _OPERATIONS:
        raise ModelError(f"fine-tuning does not know the operation {node.kind}")
    return _OPERATIONS[node.kind](inputs, node.attributes)


def _conv(x: Tensor, weight: Tensor, bias: Tensor, a: dict[str, tuple[int, ...]]) -> Tensor:
    top, left, bottom, right = a["pads"]
    if (top, left) != (bottom, right):
        x, top, left = functional.pad(x, (left, right, top, bottom)), 0, 0
    return functional.conv2d(x, weight, bias, stride=a["strides"], padding=(top, left), groups=a["group"][0])


def _key(name: str) -> str:
    return "t_" + name.replace(".", "__")


def _block(name: str) -> int:
    """The number of the block that a tensor belongs to: the stem before all, the last convolution after all."""
    found = re.match(r"b(\d+)[._]", name)
    return int(found[1]) if found else (-1 if name.startswith("stem") else _LAST)
