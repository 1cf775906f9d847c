"""Settings of recording."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveil.settings import Settings

DATABASE = "recordings.db"
"""The index, in the state directory."""
FOLDER = "recordings"
"""In the state directory; below it one folder for each camera and day (UTC)."""


class RecordSettings(Settings):
    """What of a camera's video is kept on disk."""

    mode: Literal["off", "events", "continuous"] = Field(
        default="off",
        description="`continuous`: all video is kept; `events`: video around events is kept; `off`: none is.",
    )
    keep_days: float = Field(
        default=7.0, gt=0, le=3650, description="Days of running time after which recordings are deleted."
    )
    max_bytes: int = Field(
        default=50_000_000_000,
        ge=10_000_000,
        description="Maximum size of the camera's recordings; the oldest without an event is deleted first.",
    )
    min_free_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="Free disk space that recordings leave to everything else; at most a tenth of the disk.",
    )
    pre_s: float = Field(default=10.0, ge=0, le=600, description="Pre-roll that an event keeps.")
    post_s: float = Field(default=10.0, ge=0, le=600, description="Post-roll that an event keeps.")
