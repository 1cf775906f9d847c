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
        description="Minimum score to start a track anywhere. Such detections are matched first. People and animals "
        "are also followed below it (0.3 for 0.45) if found for two seconds where something came or moves by itself.",
    )
    certain_score: float = Field(
        default=0.65,
        gt=0,
        le=1,
        description="Score that confirms a new track at once. Below it, a track is confirmed when it moves. People "
        "and animals that never move, in a place where nothing ever moved, need half of the way from it to 1.",
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
        description="Time for which a missed track keeps its id. A stationary object that the detector seldom "
        "finds is kept until the misses can hardly be chance.",
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
