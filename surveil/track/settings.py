"""Settings of the tracker. Every duration is in seconds, so that 2 fps and 30 fps behave alike."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class TrackSettings(Settings):
    """How detections become tracks."""

    high_score: float = Field(
        default=0.45,
        gt=0,
        le=1,
        description="Detections at least this sure are matched first, and may start a track.",
    )
    certain_score: float = Field(
        default=0.65,
        gt=0,
        le=1,
        description="A new object is believed when it was once as sure as this, or when it moves.",
    )
    low_score: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Detections of at least this may continue a track, but not start one.",
    )
    confirm_hits: int = Field(
        default=2,
        ge=1,
        le=20,
        description="Sure detections before a new object is believed (1: at once).",
    )
    confirm_within_s: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="A new object that is not seen again within this time is forgotten.",
    )
    lost_s: float = Field(
        default=2.5,
        gt=0,
        le=60,
        description="An object that the detector looked for in vain keeps its id this long; what stands still and "
        "is seldom found, until so many misses in a row can hardly be chance.",
    )
    coast_s: float = Field(
        default=0.2,
        ge=0,
        le=10,
        description="An object that was missed still counts for the rules this long.",
    )
    stationary_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Stationary is what has not moved for this long; it is re-checked only now and then.",
    )
