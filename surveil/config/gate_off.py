"""What a camera without a motion gate costs in time: how long it takes to look everywhere."""

from __future__ import annotations

from surveil.config.document import YamlNode
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.vision.regions import round_s

_DETECT, _MODEL = DetectSettings(), ModelSettings().name
_COMMON = ((1920, 1080), (3840, 2160))
"""Sizes of pictures for which an example is given."""


def check_gates_off(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every camera without a motion gate: how long it takes to look everywhere."""
    found, side, cameras = [], _input_px(root), root.get("cameras")
    for camera in cameras.children.values() if cameras else ():
        enabled = camera.get("motion", "enabled")
        if enabled is None or enabled.value is not False:
            continue
        smallest = _number(camera.get("detect", "min_object_px"), _DETECT.min_object_px)
        crops = round(_number(camera.get("detect", "max_crops"), _DETECT.max_crops))
        fps = _number(camera.get("detect", "fps"), _DETECT.fps)
        rounds = (
            f"{round_s(size, side, smallest, crops, fps):.1f} s at {size[0]}x{size[1]}" for size in _COMMON
        )
        text = (
            "every due frame is looked at, as a whole and in tiles that take turns: with a model input of "
            f"{side} px a round of the tiles takes {', '.join(rounds)}; a higher detect.max_crops shortens it"
        )
        found.append((enabled.line, enabled.path, text))
    return found


def _input_px(root: YamlNode) -> int:
    """Return the side of the model's input as far as the file tells, else that of most models, px."""
    model = root.get("model")
    name = root.get("model", "name")
    is_other = (model is not None and model.get("file") is not None) or (
        name is not None and name.text != _MODEL
    )
    return round(_number(root.get("model", "size"), 640 if is_other else 320))


def _number(node: YamlNode | None, otherwise: float) -> float:
    """Return the number that is written, or `otherwise`."""
    return float(node.value) if node and isinstance(node.value, int | float) else otherwise
