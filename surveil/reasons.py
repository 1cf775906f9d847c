"""What became of signals, and why events end: closed sets, because they are metric labels."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """What became of a signal."""

    OPENED = "opened"
    JOINED = "joined"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """Why an event ended, or a signal was suppressed: a closed set, because it is a metric label."""

    GONE = "gone"
    """Nothing signalled it any more."""
    INSTANT = "instant"
    """It had no duration."""
    LOST = "lost"
    """The camera was away for too long."""
    ENDED = "ended"
    """The recording came to its end."""
    BACK = "back"
    """The camera sends again."""
    STOP = "stop"
    """The program was stopped."""
    RESTART = "restart"
    """The program had crashed."""
    CONFIG = "config"
    """The configuration does not have the rule or the camera any more."""
    SCHEDULE = "schedule"
    DISARMED = "disarmed"
    MOVED = "moved"
    """The camera's view does not match the reference."""
    COOLDOWN = "cooldown"
    TOO_SHORT = "too_short"
    """It ended before it had lasted for `after_s`."""


Why = Reason | Literal[""]
"""A reason, or none."""
