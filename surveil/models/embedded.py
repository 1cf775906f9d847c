"""The models that lie inside the installed package."""

from __future__ import annotations

from pathlib import Path

from surveil.detect.coco import COCO
from surveil.detect.spec import ModelFile, Preprocess
from surveil.errors import ModelError
from surveil.readjson import read_json

DATA = Path(__file__).with_name("data")
DEFAULT = "efficientdet-lite0"
"""Its scores run low: on people in a campus scene (labelled PETS footage, 445 boxes) recall and precision are
.88 and .74 at a score of .25, .82 and .92 at .4, .70 and .95 at .5; F1 is best at .4, also for native crops
(.90 and .90). `track.high_score` therefore is .4.
"""
EMBEDDING = "efficientnet-lite0"


def embedded() -> dict[str, ModelFile]:
    """Return the embedded models by name, the default first. Raises `ModelError` when they are missing."""
    return {DEFAULT: _detector(), EMBEDDING: _embedding()}


def _detector() -> ModelFile:
    return ModelFile(
        name=DEFAULT,
        path=DATA / f"{DEFAULT}.onnx",
        sha256=_sha256(DEFAULT),
        decoder="candidates",
        labels=COCO,
        preprocess=Preprocess("rgb", "0-255", "top_left", 127),
        embedded=True,
        licence="Apache-2.0",
        source="EfficientDet-Lite0, COCO (google/automl); see NOTICE",
    )


def _embedding() -> ModelFile:
    return ModelFile(
        name=EMBEDDING,
        path=DATA / f"{EMBEDDING}.onnx",
        sha256=_sha256(EMBEDDING),
        decoder="embedding",
        labels=(),
        preprocess=Preprocess("rgb", "0-255", "stretch", 127),
        size=(224, 224),
        embedded=True,
        licence="Apache-2.0",
        source="EfficientNet-Lite0, ImageNet (tensorflow/tpu); see NOTICE",
    )


def _sha256(name: str) -> str:
    try:
        hashes = read_json((DATA / "manifest.json").read_text())["sha256"]
        return str(hashes[f"{name}.onnx"])
    except (OSError, ValueError, KeyError):
        raise ModelError(
            f"the embedded models are missing from {DATA}; they are made when surveil is installed: "
            "run `make install` or `make dev` in the checkout again"
        ) from None
