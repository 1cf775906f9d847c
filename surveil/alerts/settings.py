"""Settings of the outbox and of evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from surveil.errors import ConfigError
from surveil.settings import Settings


def _face_model(path: Path) -> Path:
    # Who blurs nothing need not wait for OpenCV.
    from surveil.alerts.privacy import FaceFinder  # noqa: PLC0415

    try:
        FaceFinder(path)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return path


class OutboxSettings(Settings):
    """How alerts are kept until every sink has said yes, or said never."""

    max_pending: int = Field(
        default=100_000,
        ge=1,
        description="Undelivered alerts kept for each sink. A start beyond it goes straight to the dead "
        "letters (reason `overflow`, counted, may be retried); ends whose start is kept are kept.",
    )
    expire_after_days: float = Field(
        default=7.0,
        gt=0,
        le=3650,
        description="An undelivered alert goes to the dead letters after so many days of running time. "
        "Counted by the outbox itself: a clock step, a replay or a switched-off machine expires nothing.",
    )
    keep_days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Days of running time for which alerts that are done with stay listed.",
    )
    backoff_s: float = Field(default=1.0, gt=0, le=60, description="First pause after a sink failed.")
    backoff_max_s: float = Field(
        default=300.0,
        ge=1,
        le=3600,
        description="Longest pause; each failure doubles it up to here, with jitter.",
    )


class EvidenceSettings(Settings):
    """Pictures and clips that belong to alerts."""

    snapshot: bool = Field(default=True, description="Store an annotated picture with each start alert.")
    clean: bool = Field(default=True, description="Store the same picture without drawings, too.")
    explain: bool = Field(
        default=True,
        description="Store pictures that explain an alert, where its rule has any: for an anomaly heat and the usual.",
    )
    quality: int = Field(default=85, ge=30, le=100, description="JPEG quality.")
    keep_days: float = Field(default=30.0, gt=0, le=3650, description="Evidence older than this is deleted.")
    max_bytes: int = Field(
        default=10_000_000_000, ge=1_000_000, description="Evidence beyond this is deleted, oldest first."
    )
    min_free_bytes: int = Field(
        default=67_108_864,
        ge=0,
        description="Space evidence leaves free for the outbox; never more than a twentieth of the disk.",
    )
    clip: bool = Field(
        default=False,
        description="Store the recorded packets around an event as MP4, named by the end alert.",
    )
    pre_s: float = Field(default=5.0, ge=0, le=60, description="Clip: seconds before the event.")
    post_s: float = Field(default=5.0, ge=0, le=60, description="Clip: seconds after the event.")
    max_clip_s: float = Field(
        default=120.0, ge=1, le=3600, description="Clip: longest length; the rest is left out."
    )
    blur_faces_model: Annotated[Path, AfterValidator(_face_model)] | None = Field(
        default=None, description="A YuNet face model (ONNX): faces in stored pictures are blurred."
    )
