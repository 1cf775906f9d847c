"""Outcomes of signals and reasons why events end: closed sets, because they are metric labels."""

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
    HANDED_OVER = "handed_over"
    """Another node of the fleet watches the camera, or this one's lease has ended."""
    SCHEDULE = "schedule"
    DISARMED = "disarmed"
    MOVED = "moved"
    """The camera's view does not match the reference."""
    COOLDOWN = "cooldown"
    TOO_SHORT = "too_short"
    """It ended before it had lasted for `after_s`."""


Why = Reason | Literal[""]
"""A reason, or none."""


class DecodeWhy(StrEnum):
    """Why a camera is decoded in full or on demand: a closed set, because it is a metric label."""

    LEARNING = "learning"
    """Whether key frames stand alone is not known yet."""
    PROVEN = "proven"
    """Key frames and their groups give the same pictures alone."""
    SETTING = "setting"
    """The settings ask for every picture: `decode: full`, or no motion gate."""
    RULE = "rule"
    """An armed rule asks for every picture: `decode: full`."""
    SOURCE = "source"
    """No network stream of packets, or decoded on a GPU."""
    NOT_ALONE = "not_alone"
    """A key frame alone does not give its picture: intra refresh."""
    REORDERED = "reordered"
    """Pictures are sent in another order than they are shown in (B frames)."""
    LONG_GOP = "long_gop"
    """Key frames are more than half a minute apart, or missing."""
    OVERRUN = "overrun"
    """More had to be kept than may be."""

    @property
    def mode(self) -> str:
        """The way of decoding that it is the reason of."""
        return "on_demand" if self is DecodeWhy.PROVEN else "full"
