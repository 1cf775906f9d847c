"""Settings of counting, per camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveil.settings import Settings


class CountingSettings(Settings):
    """What is counted at a camera: lines in both directions, occupancy and dwell of zones, by class."""

    enabled: bool = Field(default=False, description="Count objects at this camera.")
    lines: tuple[str, ...] | None = Field(default=None, description="Lines to count at. Default: all.")
    zones: tuple[str, ...] | None = Field(default=None, description="Zones to count in. Default: all.")
    classes: tuple[str, ...] = Field(
        default=("person",), min_length=1, description="Classes to count; each is counted separately."
    )
    anchor: Literal["foot", "centre"] = Field(
        default="foot", description="Reference point of the box: bottom centre or centre."
    )
    min_dwell_s: float = Field(
        default=1.0, ge=0, le=3600, description="Minimum time in a zone that counts as a stay."
    )
    patience_s: float = Field(
        default=2.0, gt=0, le=600, description="Longest absence that does not end a stay."
    )
    heatmap: bool = Field(default=True, description="Store a heat map of object positions per day.")
    keep_days: int = Field(
        default=3650, ge=1, le=36_500, description="Days for which hourly counts are kept."
    )
