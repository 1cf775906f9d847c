"""Numbers to words: how rare, and what is unusual."""

from __future__ import annotations

from math import inf

_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def duration_words(seconds: float) -> str:
    """Return “9 days”, “3 hours”, “40 minutes”: one unit, rounded."""
    for unit, name in _UNITS:
        if seconds >= 0.95 * unit * (2 if unit > 1 else 0):
            n = round(seconds / unit)
            return f"{n} {name}{'' if n == 1 else 's'}"
    return "a second"


def rarity_words(once_in_s: float, footage_s: float) -> str:
    """Return “once in 9 days”, or that the `footage_s` seconds of footage never had the like."""
    if once_in_s == inf:
        return f"nothing like it in {duration_words(footage_s)} of footage"
    return f"once in {duration_words(once_in_s)}"
