"""Exports a small model with random weights by its real exporter; run by the Python of another environment.

`exporting.py FAMILY FOLDER` writes `m.onnx`, and in `expected.npz` an input `x` with what the exporter's own
runtime finds there: `boxes` (n, 4) px, `scores` (n,), `classes` (n,), one row a candidate. `exporting.py FAMILY`
ends with 3 where the packages that the family needs are not installed.
"""

import importlib.util
import os
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np

SIDE = 320
MISSING = 3


def corners_of(boxes, scale=1.0):
    """Return x1 y1 x2 y2 of centre and size."""
    centre, size = boxes[:, :2] * scale, boxes[:, 2:4] * scale
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def surest(boxes, scores):
    """Return boxes with the surest class of each row of scores (n, classes)."""
    return boxes, scores.max(axis=1), scores.argmax(axis=1)


def enliven(model, x, *widths):
    """Let a fresh model say something else of every place and class.

    Its norms get the statistics of `x`, else what it sees fades from layer to layer; the heads of these widths get
    random biases.
    """
    import torch

    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = None
    with torch.no_grad():
        model(x)
    for norm in norms:
        norm.eval()
    for module in model.modules():
        width = getattr(module, "out_features", getattr(module, "out_channels", 0))
        if width in widths and getattr(module, "bias", None) is not None:
            torch.nn.init.normal_(module.bias, std=0.3)
            torch.nn.init.normal_(module.weight, std=0.1)


def by_ultralytics(family, x):
    from ultralytics import RTDETR, YOLO

    made = (RTDETR if family.startswith("rtdetr") else YOLO)(f"{family}.yaml")
    enliven(made.model.eval(), x, 80)
    shutil.move(made.export(format="onnx", imgsz=SIDE, dynamic=family == "yolov8n", simplify=False), "m.onnx")
    return made.model.float().eval()


def own_of_ultralytics(family):
    import torch

    x = torch.rand(1, 3, SIDE, SIDE)
    model = by_ultralytics(family, x)
    with torch.no_grad():
        out = model(x)
    out = out[0] if isinstance(out, (list, tuple)) else out
    table = out[0].numpy()
    if not family.startswith("rtdetr"):
        return x, *surest(corners_of(table.T), table.T[:, 4:])
    boxes = corners_of(table, SIDE)
    return (x, boxes, table[:, 4], table[:, 5]) if table.shape[1] == 6 else (x, *surest(boxes, table[:, 4:]))


def own_of_yolov5(_family):
    import torch
    import yolov5.export
    from yolov5.models.yolo import Model

    model = Model(Path(yolov5.export.__file__).parent / "models" / "yolov5n.yaml")
    model.eval()
    x = torch.rand(1, 3, SIDE, SIDE)
    enliven(model, x, 255)
    with torch.no_grad():
        table = model(x)[0][0].numpy()
    model.model[-1].export = True
    exported = torch.onnx.export
    # Its exporter is from before torch had a second one.
    torch.onnx.export = lambda *given, **named: exported(*given, **named, dynamo=False)
    yolov5.export.check_requirements = lambda *_: None
    yolov5.export.export_onnx(model, x, Path("m.onnx"), 17, dynamic=False, simplify=False)
    return x, *surest(corners_of(table), table[:, 5:] * table[:, 4:5])


def own_of_yolox(family):
    import torch
    from yolox.exp import get_exp

    exp = get_exp(None, "yolox-nano")
    model = exp.get_model()
    model.eval()
    x = torch.rand(1, 3, *exp.test_size) * 255
    enliven(model, x, 1, 80)
    torch.save({"model": model.state_dict()}, "random.pth")
    with torch.no_grad():
        table = model(x)[0].numpy()
    exported = torch.onnx.export
    # Its exporter calls what torch no longer has.
    torch.onnx._export = lambda *given, **named: exported(*given, **named, dynamo=False)
    sys.argv = [
        "export_onnx",
        "--output-name",
        "m.onnx",
        "-n",
        "yolox-nano",
        "-c",
        "random.pth",
        "--no-onnxsim",
    ]
    sys.argv += ["--decode_in_inference"] if family == "yolox-decoded" else []
    runpy.run_module("yolox.tools.export_onnx", run_name="__main__")
    return x, *surest(corners_of(table), table[:, 5:] * table[:, 4:5])


def own_of_rfdetr(_family):
    import torch
    from rfdetr import RFDETRNano

    made = RFDETRNano(pretrain_weights=None, device="cpu")
    model = made.model.model.eval()
    x = torch.randn(1, 3, made.model.resolution, made.model.resolution)
    enliven(model, x, 91)
    with torch.no_grad():
        found = model(x)
    made.export(output_dir="exported")
    shutil.move(next(Path("exported").glob("*.onnx")), "m.onnx")
    boxes, chances = found["pred_boxes"][0].numpy(), found["pred_logits"][0].sigmoid().numpy()
    return x, *surest(corners_of(boxes, x.shape[-1]), chances)


def own_of_dfine(_family):
    import torch
    from dfine import DFINE
    from dfine.export import DeployModel

    made = DFINE(size="n", backbone_pretrained=False, device="cpu")
    side = made.config.imgsz
    x = torch.rand(1, 3, side, side)
    enliven(made.model, x, 80)
    with torch.no_grad():
        labels, boxes, scores = DeployModel(made.model, made.postprocessor).eval()(
            x, torch.tensor([[side, side]])
        )
    made.export(file="m.onnx")
    return x, boxes[0].numpy(), scores[0].numpy(), labels[0].numpy()


def transformer(family):
    """Return a small detection transformer of the library `transformers`, ready to run."""
    if family == "yolos":
        from transformers import YolosConfig, YolosForObjectDetection

        small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        return YolosForObjectDetection(YolosConfig(**small, image_size=[SIDE, SIDE], num_labels=91)).eval()
    if family == "detr":
        from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

        widths = {"embedding_size": 16, "hidden_sizes": [16, 32, 32, 32], "depths": [1, 1, 1, 1]}
        backbone = ResNetConfig(**widths, layer_type="basic", out_features=["stage4"])
        made = DetrForObjectDetection(
            DetrConfig(
                use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone,
                d_model=64, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
                encoder_attention_heads=2, decoder_attention_heads=2, num_queries=50, num_labels=91,
            )
        )  # fmt: skip
        return made.eval()
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

    widths = {"embedding_size": 16, "hidden_sizes": [16, 32, 32, 64], "depths": [1, 1, 1, 1]}
    backbone = RTDetrResNetConfig(**widths, layer_type="basic", out_features=["stage2", "stage3", "stage4"])
    made = RTDetrForObjectDetection(
        RTDetrConfig(
            backbone_config=backbone, encoder_in_channels=[32, 32, 64], d_model=64, encoder_hidden_dim=64,
            encoder_ffn_dim=64, decoder_ffn_dim=64, decoder_layers=2, decoder_in_channels=[64, 64, 64],
            encoder_attention_heads=2, decoder_attention_heads=2, num_queries=50, num_labels=80,
            freeze_backbone_batch_norms=False,
        )
    )  # fmt: skip
    return made.eval()


def own_of_transformers(family):
    import torch

    model = transformer(family)

    class Outputs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, pixel_values):
            found = self.inner(pixel_values=pixel_values)
            return found.logits, found.pred_boxes

    x = torch.randn(1, 3, SIDE, SIDE)
    enliven(model, x, 80, 92)
    # The exporter puts back the mode that it finds: a wrapper that trains would let DETR drop out below.
    outputs = Outputs().eval()
    if family == "rtdetr":
        by_optimum(model)
    else:
        torch.onnx.export(
            outputs, (x,), "m.onnx", input_names=["pixel_values"], output_names=["logits", "pred_boxes"],
            opset_version=17, dynamo=False, dynamic_axes={"pixel_values": {0: "b", 1: "c", 2: "h", 3: "w"}},
        )  # fmt: skip
    with torch.no_grad():
        logits, boxes = outputs(x)
    chances = logits[0].sigmoid() if family == "rtdetr" else logits[0].softmax(-1)[:, :-1]
    return x, *surest(corners_of(boxes[0].numpy(), SIDE), chances.numpy())


def by_optimum(model):
    from optimum.exporters.onnx import main_export
    from transformers import RTDetrImageProcessor

    model.save_pretrained("saved")
    RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained("saved")
    main_export(
        "saved", "exported", task="object-detection", library_name="transformers", do_validation=False
    )
    shutil.move("exported/model.onnx", "m.onnx")


FAMILIES = {
    "yolov8n": (own_of_ultralytics, ("ultralytics",)),
    "yolo11n": (own_of_ultralytics, ("ultralytics",)),
    "rtdetr-l": (own_of_ultralytics, ("ultralytics",)),
    "yolov5": (own_of_yolov5, ("yolov5",)),
    "yolox": (own_of_yolox, ("yolox",)),
    "yolox-decoded": (own_of_yolox, ("yolox",)),
    "rfdetr": (own_of_rfdetr, ("rfdetr",)),
    "dfine": (own_of_dfine, ("dfine",)),
    "yolos": (own_of_transformers, ("transformers",)),
    "detr": (own_of_transformers, ("transformers",)),
    "rtdetr": (own_of_transformers, ("transformers", "optimum.exporters.onnx")),
}
"""The packages that each needs."""


def is_there(package):
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def main(family, folder=""):
    own, packages = FAMILIES[family]
    if not all(map(is_there, packages)):
        sys.exit(MISSING)
    if not folder:
        return
    os.chdir(folder)
    import torch

    torch.manual_seed(0)
    x, boxes, scores, classes = own(family)
    np.savez("expected.npz", x=x.numpy(), boxes=boxes, scores=scores, classes=classes)


if __name__ == "__main__":
    main(*sys.argv[1:])
