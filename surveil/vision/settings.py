"""Settings of the motion gate."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class MotionSettings(Settings):
    """Motion gate: when the detector looks at a frame."""

    enabled: bool = Field(
        default=True,
        description="Run the detector only where something moves or an object is tracked, and periodically on the "
        "other parts of the picture. If off, the detector runs on every due frame: on the whole picture, "
        "on what moves, and on the other parts in turn.",
    )
    threshold: int = Field(
        default=3,
        ge=2,
        le=60,
        description="Change of brightness that counts as motion, in levels of 255 above three times the local noise. "
        "A lower value detects fainter motion and runs the detector more often.",
    )
    global_share: float = Field(
        default=0.7,
        ge=0.3,
        le=1.0,
        description="Share of the picture that must change at once to count as a change of light, an infrared "
        "switch or a turning camera, and not as motion.",
    )
    global_max_s: float = Field(
        default=15.0,
        ge=0.0,
        le=600.0,
        description="Longest time for which a change of the whole picture is ignored. After that, the change counts "
        "as motion.",
    )
    absorb_s: float = Field(
        default=3.0,
        ge=0.5,
        le=120.0,
        description="Time constant with which stopped objects become background.",
    )
