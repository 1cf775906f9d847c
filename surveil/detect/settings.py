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
        description="Pictures a second that are analysed; the rest is decoded, counted and passed over.",
    )
    idle_interval_s: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="Where nothing moves, the detector looks at least this often; a parked car is re-checked as often.",
    )
    min_object_px: float = Field(
        default=40.0,
        ge=8.0,
        le=2000.0,
        description="Height in pixels of the smallest object that must be found. Larger pictures are looked at in "
        "as many parts as this needs; a higher value costs less.",
    )
    max_crops: int = Field(
        default=4,
        ge=1,
        le=32,
        description="Parts of one picture that are looked at; what does not fit waits for the next picture.",
    )
    scores: dict[str, Score] = Field(
        default_factory=dict,
        description="Least score by class, such as `{person: 0.5}`, for a detection to count as sure. Classes that "
        "are not named use `track.high_score`.",
    )


class ModelSettings(Settings):
    """The detection model and what it runs on."""

    name: str = Field(
        default="efficientdet-lite0",
        min_length=1,
        description="A model of `surveil models list`.",
    )
    file: Path | None = Field(
        default=None,
        description="An ONNX file to use instead of `name`; it need not be in the store.",
    )
    decoder: str = Field(
        default="auto",
        description="How the model's outputs are read (`surveil models list` names them); `auto` recognises it.",
    )
    labels: Path | None = Field(
        default=None,
        description="Text file with one class name a line. Without: the model's metadata, or COCO's names.",
    )
    channels: Channels | None = Field(
        default=None,
        description="Order of colours the model was trained with, where the decoder's default is wrong.",
    )
    range: Range | None = Field(
        default=None,
        description="Range of the input values the model was trained with, where the decoder's default is wrong.",
    )
    placement: Placement | None = Field(
        default=None,
        description="How a picture fits into the input: in shape at the top left or in the centre, or stretched.",
    )
    size: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        multiple_of=32,
        description="Side of the square input in pixels, for models that leave it free.",
    )
    provider: Literal["auto", "cuda", "cpu"] = Field(
        default="auto",
        description="Where the model runs; `auto` takes an NVIDIA GPU when it really works, else the CPU.",
    )
    require_gpu: bool = Field(
        default=False,
        description="Refuse to start when the model does not run on the GPU, instead of using the CPU.",
    )
    gpu: int = Field(default=0, ge=0, le=63, description="Number of the GPU.")
    gpu_memory_mb: int = Field(
        default=0, ge=0, le=1_000_000, description="Most GPU memory the model may take, MB; 0: no limit."
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=64,
        description="CPU threads of one inference. One is best by throughput; more make a single picture faster.",
    )
    max_batch: int = Field(
        default=32,
        ge=1,
        le=32,
        description="Most pictures in one inference on a GPU (rounded down to a power of two).",
    )
    overlap: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="Two boxes of a class that share more than this (intersection over union) are one object.",
    )

    @model_validator(mode="after")
    def _gpu_is_possible(self) -> ModelSettings:
        if self.require_gpu and self.provider == "cpu":
            raise ValueError("require_gpu contradicts provider: cpu; remove one of them")
        return self
