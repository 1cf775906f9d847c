"""Settings of the detector: per camera, and of the model that all cameras share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from surveil.detect.spec import Channels, Placement, Range
from surveil.settings import Settings

Score = Annotated[float, Field(gt=0.0, le=1.0)]


class DetectSettings(Settings):
    """How often the detector looks at a camera, and what it may report."""

    fps: float = Field(
        default=5.0,
        gt=0.0,
        le=60.0,
        description="Analysed frames per second. Further frames are decoded and counted as decimated.",
    )
    idle_interval_s: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="Time between two looks of the detector at a place where nothing moves, and between two checks of "
        "a stationary object. It is six times as long if two looks have covered everything that has "
        "changed.",
    )
    min_object_px: float = Field(
        default=40.0,
        ge=8.0,
        le=2000.0,
        description="Height in pixels of the smallest object to detect. Larger frames are tiled accordingly; a "
        "higher value costs less CPU.",
    )
    max_crops: int = Field(
        default=4,
        ge=1,
        le=32,
        description="Maximum number of crops per frame; further crops wait for the next frame.",
    )
    scores: dict[str, Score] = Field(
        default_factory=dict,
        description="Minimum score by class, such as `{person: 0.5}`, instead of `track.high_score`.",
    )


class ModelSettings(Settings):
    """The detection model and what it runs on."""

    name: str = Field(
        default="efficientdet-lite0",
        min_length=1,
        description="Name of a model (`surveil models list`).",
    )
    file: Path | None = Field(
        default=None,
        description="ONNX file to use instead of `name`.",
    )
    decoder: str = Field(
        default="auto",
        description="Decoder of the model's outputs (see `surveil models list`); `auto` detects it.",
    )
    labels: Path | None = Field(
        default=None,
        description="Text file with one class name per line. Default: the class names in the model's metadata, or "
        "else those of COCO.",
    )
    channels: Channels | None = Field(
        default=None,
        description="Colour order of the model's input, if not the decoder's default.",
    )
    range: Range | None = Field(
        default=None,
        description="Value range of the model's input, if not the decoder's default.",
    )
    placement: Placement | None = Field(
        default=None,
        description="Placement of the picture in the model's input: letterboxed at the top left or in the centre, or "
        "stretched. Default: the decoder's.",
    )
    size: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Side of the square input in pixels, for models with a dynamic size.",
    )
    provider: Literal["auto", "cuda", "cpu"] = Field(
        default="auto",
        description="Where the model runs. `auto` uses an NVIDIA GPU if it works, or else the CPU.",
    )
    require_gpu: bool = Field(
        default=False,
        description="Refuse to start if the model cannot run on the GPU.",
    )
    gpu: int = Field(default=0, ge=0, le=63, description="Index of the GPU.")
    gpu_memory_mb: int = Field(
        default=0, ge=0, le=1_000_000, description="Maximum GPU memory of the model, MB; 0: no limit."
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=64,
        description="CPU threads per inference. One thread gives the best throughput; more threads reduce the "
        "latency.",
    )
    max_batch: int = Field(
        default=32,
        ge=1,
        le=32,
        description="Maximum batch size on a GPU (rounded down to a power of two).",
    )
    overlap: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="IoU above which two boxes of a class are one object (NMS).",
    )

    @model_validator(mode="after")
    def _gpu_is_possible(self) -> ModelSettings:
        if self.require_gpu and self.provider == "cpu":
            raise ValueError("require_gpu contradicts provider: cpu; remove one of them")
        return self
