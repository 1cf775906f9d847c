"""Real exporters, random weights: what surveil reads is what the exporter's own runtime finds.

Needs environments with the exporters (docs/models.md): their Pythons, separated by colons, in `SURVEIL_EXPORTERS`.
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
from tests.detect.exporting import MISSING

PYTHONS = [python for python in os.environ.get("SURVEIL_EXPORTERS", "").split(os.pathsep) if python]
SCRIPT = Path(__file__).with_name("exporting.py")
FAMILIES = [
    ("yolov8n", "yolov8"),
    ("yolo11n", "yolov8"),
    ("yolov5", "yolov5"),
    ("yolox", "yolox"),
    ("yolox-decoded", "yolox"),
    ("rtdetr-l", "detr-table"),
    ("rtdetr", "detr"),
    ("dfine", "detr-finished"),
    ("rfdetr", "rfdetr"),
    ("yolos", "detr-softmax"),
    ("detr", "detr-softmax"),
]
OFFLINE = {"HF_HUB_OFFLINE": "1", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHONS, reason="SURVEIL_EXPORTERS names no Python with the exporters"),
]


def exported(family, folder):
    """Export by the first Python that has the family's packages."""
    about = {**os.environ, **OFFLINE, "YOLO_CONFIG_DIR": str(folder), "PYTHONPATH": ""}
    for python in PYTHONS:
        words = [python, str(SCRIPT), family, str(folder)]
        done = subprocess.run(words, check=False, capture_output=True, env=about)
        if done.returncode != MISSING:
            assert done.returncode == 0, done.stderr.decode()[-2000:]
            return np.load(folder / "expected.npz")
    pytest.skip(f"no Python of SURVEIL_EXPORTERS has the packages of {family}")


# Strides times exponents of random weights leave float32, in the exporter's own runtime as well.
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize(("family", "decoder"), FAMILIES)
@pytest.mark.timeout(600)
def test_an_export_gives_the_same_boxes_as_its_own_runtime(family, decoder, tmp_path):
    agree(exported(family, tmp_path), tmp_path / "m.onnx", decoder)


def agree(expected, file, decoder):
    """Compare the surest box of up to five classes."""
    side = expected["x"].shape[-1]
    detector = open_detector(ModelSettings(file=file, size=side), ModelStore())
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
