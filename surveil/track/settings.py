"""Settings of the tracker. Every duration is in seconds, so that 2 fps and 30 fps behave alike."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class TrackSettings(Settings):
    """Tracking."""

    high_score: float = Field(
        default=0.45,
        gt=0,
        le=1,
        description="Minimum score to start a track anywhere. Detections with this score are matched first. People "
        "and animals with lower scores (from 0.3 if this is 0.45) are also tracked if they are detected "
        "for two seconds at a place where something arrived or moves by itself.",
    )
    certain_score: float = Field(
        default=0.65,
        gt=0,
        le=1,
        description="Score that confirms a new track at once. Below it, a track is confirmed when it moves. People "
        "and animals that never move, in a place where nothing has ever moved, need a score half-way "
        "between this value and 1.",
    )
    low_score: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Minimum score to continue a track.",
    )
    confirm_hits: int = Field(
        default=2,
        ge=1,
        le=20,
        description="Detections above `high_score` before a track is confirmed (1: at once).",
    )
    confirm_within_s: float = Field(
        default=1.0,
        gt=0,
        le=10,
        description="Time within which a new track must be detected again.",
    )
    lost_s: float = Field(
        default=2.5,
        gt=0,
        le=60,
        description="Time for which a missed track keeps its id. A stationary object that the detector finds only "
        "sometimes is kept until so many misses are unlikely to be chance.",
    )
    coast_s: float = Field(
        default=0.2,
        ge=0,
        le=10,
        description="Time for which a missed track still counts for rules.",
    )
    stationary_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        description="Time without movement after which a track is stationary and re-checked less often.",
    )
