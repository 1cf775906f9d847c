"""Exports a small model with random weights by its real exporter; run by the Python of another environment.

`exporting.py FAMILY FOLDER` writes `m.onnx`, and in `expected.npz` an input `x` with what the exporter's own
runtime finds there: `boxes` (n, 4) px, `scores` (n,), `classes` (n,), one row a candidate.
"""

import os
import shutil
import sys
from pathlib import Path

import numpy as np

SIDE = 320


def by_ultralytics(family, folder):
    os.chdir(folder)
    from ultralytics import RTDETR, YOLO

    made = (RTDETR if family.startswith("rtdetr") else YOLO)(f"{family}.yaml")
    shutil.move(made.export(format="onnx", imgsz=SIDE, dynamic=family == "yolov8n", simplify=False), "m.onnx")
    return made.model.float().eval()


def own_of_ultralytics(family, folder):
    import torch

    model = by_ultralytics(family, folder)
    x = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        out = model(x)
    out = out[0] if isinstance(out, (list, tuple)) else out
    table = out[0].numpy()
    if family.startswith("rtdetr"):
        centre, size = table[:, :2] * SIDE, table[:, 2:4] * SIDE
        corners = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        if table.shape[1] == 6:
            return x, corners, table[:, 4], table[:, 5]
        return x, corners, table[:, 4:].max(axis=1), table[:, 4:].argmax(axis=1)
    planes = table.T
    corners = np.concatenate([planes[:, :2] - planes[:, 2:4] / 2, planes[:, :2] + planes[:, 2:4] / 2], axis=1)
    return x, corners, planes[:, 4:].max(axis=1), planes[:, 4:].argmax(axis=1)


def small_yolos():
    # Not needed, and where it is of another build than torch its import fails.
    sys.modules["torchvision"] = None
    from transformers import YolosConfig, YolosForObjectDetection

    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return YolosForObjectDetection(YolosConfig(**small, image_size=[SIDE, SIDE], num_labels=91))


def own_of_transformers(folder):
    import torch

    model = small_yolos().eval()

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, pixel_values):
            found = self.inner(pixel_values=pixel_values)
            return found.logits, found.pred_boxes

    x = torch.randn(1, 3, SIDE, SIDE)
    torch.onnx.export(
        Outputs(), (x,), Path(folder, "m.onnx"), input_names=["pixel_values"], opset_version=17, dynamo=False,
        output_names=["logits", "pred_boxes"], dynamic_axes={"pixel_values": {0: "b", 1: "c", 2: "h", 3: "w"}},
    )  # fmt: skip
    with torch.no_grad():
        logits, boxes = Outputs()(x)
    chances = logits[0].softmax(-1)[:, :-1]
    boxes = boxes[0].numpy() * SIDE
    corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return x, corners, chances.max(-1).values.numpy(), chances.argmax(-1).numpy()


def main(family, folder):
    import torch

    torch.manual_seed(0)
    own = own_of_transformers(folder) if family == "yolos" else own_of_ultralytics(family, folder)
    x, boxes, scores, classes = own
    np.savez(Path(folder, "expected.npz"), x=x.numpy(), boxes=boxes, scores=scores, classes=classes)


if __name__ == "__main__":
    main(*sys.argv[1:])
