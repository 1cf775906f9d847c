"""Real exporters, random weights: what surveil reads is what the exporter's own runtime finds.

Needs an environment with torch, ultralytics and transformers: its Python in `SURVEIL_EXPORTERS`.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from surveil.detect.letterbox import ModelInput, fit
from surveil.detect.merge import iou
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector

PYTHON = os.environ.get("SURVEIL_EXPORTERS", "")
SCRIPT = Path(__file__).with_name("exporting.py")
FAMILIES = [
    ("yolov8n", "yolov8"),
    ("yolo11n", "yolov8"),
    ("rtdetr-l", "detr-table"),
    ("yolos", "detr-softmax"),
]
OFFLINE = {"HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="SURVEIL_EXPORTERS names no Python with the exporters"),
]


@pytest.mark.parametrize(("family", "decoder"), FAMILIES)
@pytest.mark.timeout(600)
def test_an_export_gives_the_same_boxes_as_its_own_runtime(family, decoder, tmp_path):
    subprocess.run(
        [PYTHON, str(SCRIPT), family, str(tmp_path)], check=True, capture_output=True,
        env={**os.environ, **OFFLINE, "YOLO_CONFIG_DIR": str(tmp_path), "PYTHONPATH": ""},
    )  # fmt: skip
    expected = np.load(tmp_path / "expected.npz")
    side = expected["x"].shape[-1]
    detector = open_detector(ModelSettings(file=tmp_path / "m.onnx", size=side), ModelStore())
    assert (detector.decoder, detector.input.width) == (decoder, side)
    whole = (0, 0, side, side)
    look = ModelInput(expected["x"][0], fit(detector.input, whole), (side, side))
    (found,) = detector.decode(detector.infer([[look]]), [detector.floors(1e-6)])
    surest = expected["classes"][np.argsort(-expected["scores"])[:200]]
    named = [kind for kind in np.unique(surest) if detector.labels[int(kind)]]
    assert named
    for kind in named[:5]:
        own = np.flatnonzero(expected["classes"] == kind)
        best = own[expected["scores"][own].argmax()]
        box = np.clip(expected["boxes"][best], 0, side).astype(np.float32)
        ours = np.flatnonzero(found.classes == int(kind))
        at = ours[found.scores[ours].argmax()]
        assert found.scores[at] == pytest.approx(expected["scores"][best], abs=0.005)
        assert iou(found.boxes[at][None], box[None])[0, 0] > 0.99
