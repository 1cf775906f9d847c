"""Texts for numbers: how rare something is, and what is unusual."""

from __future__ import annotations

from math import inf

from surveil.wording import Said, say

_UNITS = (86400.0, 3600.0, 60.0, 1.0)


def duration_words(seconds: float) -> Said:
    """Return “9 days”, “3 hours”, “40 minutes”: one unit, rounded."""
    unit = next((one for one in _UNITS if seconds >= 0.95 * one * (2 if one > 1 else 0)), 0.0)
    if not unit:
        return say("a second")
    n = round(seconds / unit)
    if unit == 1.0:
        return say("{n} second", n=n) if n == 1 else say("{n} seconds", n=n)
    # Of the others there are two at the least.
    if unit == 60.0:
        return say("{n} minutes", n=n)
    return say("{n} hours", n=n) if unit == 3600.0 else say("{n} days", n=n)


def rarity_words(once_in_s: float, footage_s: float) -> Said:
    """Return “once in 9 days”, or that the `footage_s` seconds of footage never had the like."""
    if once_in_s == inf:
        return say("nothing like it in {duration} of footage", duration=duration_words(footage_s))
    return say("once in {duration}", duration=duration_words(once_in_s))
