"""Settings of picture health."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class HealthSettings(Settings):
    """What counts as a sick picture, and for how long it must last."""

    enabled: bool = Field(
        default=True,
        description="Watch the picture itself: frozen, dark, bright, blurred, covered, moved, noise.",
    )
    raise_s: float = Field(
        default=2.5, ge=0.5, le=600, description="A state must last this long before it is raised."
    )
    clear_s: float = Field(
        default=5.0, ge=0.5, le=3600, description="It must have been gone for this long before it is cleared."
    )
    dark_below: float = Field(
        default=32.0,
        ge=1,
        le=255,
        description="Dark: even the brightest twentieth of the picture is below this level (of 255).",
    )
    bright_above: float = Field(
        default=215.0,
        ge=1,
        le=255,
        description="Bright: even the darkest twentieth of the picture is above this level (of 255).",
    )
    sharpness_below: float = Field(
        default=0.65,
        gt=0,
        lt=1,
        description="Blurred: the sharpness has fallen to this share of what is usual for the camera.",
    )
    covered_above: float = Field(
        default=0.24,
        gt=0,
        le=1,
        description="Covered: this share of the picture shows nothing of what is usually there.",
    )
    moved_above: float = Field(
        default=0.012,
        gt=0,
        le=0.5,
        description="Moved: the picture has shifted by this share of its width.",
    )
    noise_above: float = Field(
        default=5.0,
        gt=0,
        le=100,
        description="Noise: standard deviation from one picture to the next at 320 px width, levels of 255.",
    )
    frozen_share: float = Field(
        default=0.12,
        gt=0,
        lt=1,
        description="Frozen: the picture changes by less than this share of the camera's usual grain.",
    )
    hold_moved: bool = Field(
        default=True,
        description="While the picture is moved, hold rules about zones, lines, things and learned normality, and "
        "counting: they would be about other places. Where no `picture` rule tells of it, `camera_moved` does.",
    )
    accept_after_s: float = Field(
        default=1800.0,
        ge=10,
        le=604_800,
        description="A picture that stays covered, moved or blurred for this long becomes the usual one.",
    )
