"""Settings of picture health."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class HealthSettings(Settings):
    """What counts as a sick picture, and for how long it must last."""

    enabled: bool = Field(
        default=True,
        description="Detect camera faults: frozen, dark, bright, blurred, covered, moved, noise.",
    )
    raise_s: float = Field(
        default=2.5, ge=0.5, le=600, description="Time that a fault must last before it is raised."
    )
    clear_s: float = Field(
        default=5.0, ge=0.5, le=3600, description="Time without the fault before it is cleared."
    )
    dark_below: float = Field(
        default=32.0,
        ge=1,
        le=255,
        description="Dark: the brightest 5 % of the picture are below this level (of 255).",
    )
    bright_above: float = Field(
        default=215.0,
        ge=1,
        le=255,
        description="Bright: the darkest 5 % of the picture are above this level (of 255).",
    )
    sharpness_below: float = Field(
        default=0.65,
        gt=0,
        lt=1,
        description="Blurred: the sharpness is below this share of the reference.",
    )
    covered_above: float = Field(
        default=0.24,
        gt=0,
        le=1,
        description="Covered: at least this share of the picture no longer shows the view of the reference.",
    )
    moved_above: float = Field(
        default=0.012,
        gt=0,
        le=0.5,
        description="Moved: the picture is shifted by at least this share of its width.",
    )
    noise_above: float = Field(
        default=5.0,
        gt=0,
        le=100,
        description="Noise: standard deviation between frames at 320 px width, in levels of 255.",
    )
    frozen_share: float = Field(
        default=0.12,
        gt=0,
        lt=1,
        description="Frozen: frames differ by less than this share of the camera's usual grain.",
    )
    hold_moved: bool = Field(
        default=True,
        description="While the picture is `moved`, hold counting and the rules that depend on the view: those about "
        "zones, lines, left and removed objects and normality. If no `picture` rule alerts on it, a rule "
        "`camera_moved` is added.",
    )
    accept_after_s: float = Field(
        default=1800.0,
        ge=10,
        le=604_800,
        description="Time after which a view that stays covered, moved or blurred becomes the reference.",
    )
