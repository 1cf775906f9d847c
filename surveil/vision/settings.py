"""Settings of the motion gate."""

from __future__ import annotations

from pydantic import Field

from surveil.settings import Settings


class MotionSettings(Settings):
    """When the detector looks at a frame."""

    enabled: bool = Field(
        default=True,
        description="Let the detector look only where something moves or an object is followed, and now and "
        "then at the rest. Off: it looks at every due frame.",
    )
    threshold: int = Field(
        default=3,
        ge=2,
        le=60,
        description="Change of brightness (of 255 levels, beyond three times the noise of the place) that "
        "counts as movement. Lower sees dimmer things and opens more often.",
    )
    global_share: float = Field(
        default=0.7,
        ge=0.3,
        le=1.0,
        description="Share of the picture's parts which must change at once to be taken for a light switch, "
        "an infrared cut or a turning camera, and not for movement.",
    )
    global_max_s: float = Field(
        default=15.0,
        ge=0.0,
        le=600.0,
        description="Changes of the whole picture that last longer than this count as movement after all.",
    )
    absorb_s: float = Field(
        default=3.0,
        ge=0.5,
        le=120.0,
        description="Time constant with which what has stopped moving becomes background.",
    )
