"""Hours and days in local time, and the times that an operator writes.

`zone`: a time zone, or None for the one this machine is set to. Days are 23 or 25 hours long when the clocks
change, and hours of zones that are half an hour off begin at half past of UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR_S = 3600
_AGO = re.compile(r"(\d{1,5}) ?([hdw])(?: ago)?")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
FORMATS = "2026-03-01, 2026-03-01T14:00, 2026-03-01T14:00+01:00, today, yesterday, 12h, 7d or 4w (ago)"


def local(t: float, zone: tzinfo | None) -> datetime:
    """Return the time on the wall, with its offset, at Unix time `t`."""
    return datetime.fromtimestamp(t, zone) if zone else datetime.fromtimestamp(t, UTC).astimezone()


def hour_of(t: float, zone: tzinfo | None) -> int:
    """Return the Unix time at which the hour of `t` begins."""
    offset = _offset_s(local(t, zone))
    return int((t + offset) // HOUR_S * HOUR_S - offset)


def day_of(t: float, zone: tzinfo | None) -> int:
    """Return the Unix time of the midnight before `t`, or of when the day begins that has none."""
    return int(midnight(local(t, zone).date(), zone).timestamp())


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """Return when a day begins, with its offset."""
    return _aware(datetime.combine(day, time()), zone)


def zone_named(name: str) -> tzinfo:
    """Return the time zone; raise ValueError that says what is wrong."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone '{name}'; write for example Europe/Berlin or UTC") from error


def parse(text: str, zone: tzinfo | None, now: float, *, end: bool = False) -> float:
    """Return the Unix time that an operator means; raise ValueError that says what is wrong.

    A mere day is its beginning; with `end` what follows its last second: `--to 2026-03-31` takes the 31st along.
    """
    words = text.strip().lower()
    if ago := _AGO.fullmatch(words):
        return now - int(ago[1]) * _UNITS[ago[2]].total_seconds()
    if words == "now":
        return now
    if day := _day(words, zone, now):
        return midnight(day + timedelta(days=1) if end else day, zone).timestamp()
    return _moment(text.strip(), zone)


def _day(words: str, zone: tzinfo | None, now: float) -> date | None:
    today = local(now, zone).date()
    if words in ("today", "yesterday"):
        return today if words == "today" else today - timedelta(days=1)
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None


def _moment(text: str, zone: tzinfo | None) -> float:
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time; write {FORMATS}") from None
    if said.tzinfo is not None:
        return said.timestamp()
    found = _aware(said, zone)
    back = local(found.timestamp(), zone).replace(tzinfo=None, fold=0)
    if back != said.replace(fold=0):
        raise ValueError(f"'{text}' does not exist: the clocks skip it; write {back.isoformat()}")
    return found.timestamp()


def _aware(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.replace(tzinfo=zone) if zone else naive.astimezone()


def _offset_s(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else round(offset.total_seconds())
