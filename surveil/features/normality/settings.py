"""Settings of learned normality, per camera."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from surveil.settings import Settings

_HOURS = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
DAY_MIN = 24 * 60


class NormalitySettings(Settings):
    """What is usual in front of a camera is learned; alerts are held to a budget."""

    enabled: bool = Field(False, description="Learn and judge normal activity.")
    learn: Literal["auto", "off"] = Field(
        "auto",
        description="`auto`: the daemon learns by itself and alerts once its calibration supports the budget. "
        "`off`: only deployed models are used.",
    )
    budget: float = Field(
        0.5,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        description="Accepted false alerts a day; the threshold follows from it. 0: never alert.",
    )
    shadow: bool = Field(False, description="Count alarms instead of alerting.")
    equalise: bool = Field(
        False,
        description="Equalise local contrast, for scenes that are always dark. Takes effect when the next model "
        "is learned.",
    )
    half_life_days: float = Field(
        14.0, gt=0, le=3650, allow_inf_nan=False, description="Age at which footage has half its weight."
    )
    max_age_days: float = Field(
        60.0,
        gt=0,
        le=3650,
        allow_inf_nan=False,
        description="A model no longer alerts if its newest footage is older than this.",
    )
    exclude_hours: tuple[Annotated[str, Field(max_length=11)], ...] = Field(
        (),
        description="Local hours excluded from learning, such as `22:00-06:00`; an interval may pass midnight.",
    )

    @field_validator("exclude_hours")
    @classmethod
    def _check_hours(cls, hours: tuple[str, ...]) -> tuple[str, ...]:
        for text in hours:
            minutes(text)
        return hours


def minutes(text: str) -> tuple[int, int]:
    """Return the begin and end of `HH:MM-HH:MM` in minutes of the day.

    Raises ValueError for anything else and for an empty interval.
    """
    match = _HOURS.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not an interval of hours such as 22:00-06:00")
    h0, m0, h1, m1 = (int(part) for part in match.groups())
    begin, end = h0 * 60 + m0, h1 * 60 + m1
    if begin == end or end > DAY_MIN:
        raise ValueError(f"{text!r} is empty or ends after 24:00")
    return begin, end


def is_excluded(t_wall: float, hours: tuple[str, ...]) -> bool:
    """Return whether the local time of day at `t_wall` (Unix s) lies in one of the intervals."""
    if not hours:
        return False
    local = datetime.fromtimestamp(t_wall, UTC).astimezone()
    return excluded(local.hour * 60 + local.minute, hours)


def excluded(minute: int, hours: tuple[str, ...]) -> bool:
    """Return whether the `minute` of the day lies in one of the intervals."""
    for begin, end in map(minutes, hours):
        inside = begin <= minute < end if begin < end else minute >= begin or minute < end
        if inside:
            return True
    return False
