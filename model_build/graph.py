"""A little help to write ONNX graphs: named nodes, shared constants, one opset."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
"""The oldest opset in which ReduceMax takes its axes as an input, and Split the number of parts."""
IR_VERSION = 8


class GraphWriter:
    """Collects nodes and constants, then makes a checked model. One graph, used once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        """Store `value` once under `name`; return the name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node with one output; return the output's name."""
        self.nodes(op, inputs, [output], **attributes)
        return output

    def nodes(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Append a node with several outputs."""
        self._nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], **attributes))

    def model(
        self,
        inputs: dict[str, tuple[int, list[str | int]]],
        outputs: dict[str, list[str | int]],
        metadata: dict[str, str],
    ) -> onnx.ModelProto:
        """Return the checked model. Inputs: name → (element type, shape); outputs are float32."""
        graph = helper.make_graph(
            self._nodes,
            metadata["name"],
            [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in outputs.items()],
            list(self._constants.values()),
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="surveil"
        )
        made.ir_version = IR_VERSION
        helper.set_model_props(made, metadata)
        onnx.checker.check_model(made, full_check=True)
        return made
