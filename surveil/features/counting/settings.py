"""Settings of counting, per camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveil.settings import Settings


class CountingSettings(Settings):
    """What is counted at a camera: lines in both directions, occupancy and dwell of zones, by class."""

    enabled: bool = Field(default=False, description="Count at this camera.")
    lines: tuple[str, ...] | None = Field(default=None, description="Lines to count at; by default all.")
    zones: tuple[str, ...] | None = Field(
        default=None, description="Zones whose occupancy and dwell times are kept; by default all."
    )
    classes: tuple[str, ...] = Field(
        default=("person",), min_length=1, description="Classes that are counted, each for itself."
    )
    anchor: Literal["foot", "centre"] = Field(
        default="foot", description="Point of the box that counts: bottom centre or centre."
    )
    min_dwell_s: float = Field(
        default=1.0, ge=0, le=3600, description="A shorter stay in a zone is no visit."
    )
    patience_s: float = Field(
        default=2.0, gt=0, le=600, description="An absence of no more than this does not end a visit."
    )
    heatmap: bool = Field(default=True, description="Keep where objects walk and stand, by day.")
    keep_days: int = Field(
        default=3650, ge=1, le=36_500, description="Days for which the hours are kept; they are small."
    )
