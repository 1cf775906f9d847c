"""Weekly windows in a time zone: when a rule may alert.

Pure: the time comes in. Windows are read on the wall clock of their zone, so that 22:00 stays 22:00 over a
change to or from summer time: an hour that is skipped is in no window, one that comes twice counts twice.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from surveil.settings import Settings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:(?P<days>[a-z,\- ]+?) +)?(?P<from>\d{1,2}:\d{2}) *- *(?P<to>\d{1,2}:\d{2})")
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class ScheduleWindow:
    """From a minute of the day to another, on some days; one that ends before it begins ends the next day."""

    days: frozenset[int]
    """0 is Monday."""
    start: int
    """Minute of the day."""
    end: int
    """Minute of the day, 1440 at most, not included."""

    def contains(self, weekday: int, minute: int) -> bool:
        """Return whether a minute of a weekday lies in the window."""
        if self.start < self.end:
            return weekday in self.days and self.start <= minute < self.end
        tail = (weekday - 1) % 7 in self.days and minute < self.end
        return tail or (weekday in self.days and minute >= self.start)


def parse_window(text: str) -> ScheduleWindow:
    """Return the window that `mon-fri 18:00-06:00`, `sat,sun 00:00-24:00` or `22:00-05:30` means.

    Raises ValueError that says what is wrong.
    """
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a window; write for example `mon-fri 18:00-06:00`")
    start, end = _minute(found["from"]), _minute(found["to"])
    if start in (end, _DAY_MIN):
        raise ValueError(f"{text!r} has no length; a whole day is 00:00-24:00")
    return ScheduleWindow(_days(found["days"] or "mon-sun"), start, end)


def _minute(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    value = hours * 60 + minutes
    if minutes > 59 or value > _DAY_MIN:
        raise ValueError(f"{text!r} is not a time of day")
    return value


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        for name in (first, last or first):
            if name not in DAYS:
                raise ValueError(f"{name!r} is not a day; days are {', '.join(DAYS)}")
        a, b = DAYS.index(first), DAYS.index(last or first)
        days |= {(a + n) % 7 for n in range((b - a) % 7 + 1)}
    return frozenset(days)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}{_near(name)}") from error
    return name


def _near(name: str) -> str:
    zones = available_timezones()
    if not zones:
        return ": this machine knows none; install its tzdata package"
    near = difflib.get_close_matches(name, zones, n=1)
    return f", did you mean '{near[0]}'?" if near else "; write for example Europe/Berlin"


def _window(text: str) -> str:
    parse_window(text)
    return text


class ScheduleSettings(Settings):
    """When a rule may alert."""

    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone of the windows, for example Europe/Berlin."
    )
    windows: list[Annotated[str, AfterValidator(_window)]] = Field(
        min_length=1,
        description="Weekly windows in which rules may alert, such as `mon-fri 18:00-06:00` or `sat,sun 00:00-24:00`. "
        "If the end of a window is earlier than its beginning, the window ends the next day.",
    )


class Schedule:
    """Says whether a rule may alert. Immutable."""

    def __init__(self, settings: ScheduleSettings) -> None:
        self._zone = ZoneInfo(settings.timezone)
        self._windows = tuple(parse_window(text) for text in settings.windows)

    def active(self, t_wall: float) -> bool:
        """Return whether `t_wall` (Unix s) lies in a window."""
        local = datetime.fromtimestamp(t_wall, UTC).astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        return any(window.contains(local.weekday(), minute) for window in self._windows)
