from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from surveil.schedule import Schedule, ScheduleSettings

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> float:
    """Unix seconds of a Berlin wall clock time."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def schedule(*windows: str, **more: object) -> Schedule:
    return Schedule(ScheduleSettings(timezone="Europe/Berlin", windows=list(windows), **more))


# 2024-01-01 is a Monday.
@pytest.mark.parametrize(
    ("window", "time", "active"),
    [
        ("mon-fri 18:00-06:00", "2024-01-01T17:59", False),
        ("mon-fri 18:00-06:00", "2024-01-01T18:00", True),
        ("mon-fri 18:00-06:00", "2024-01-02T05:59", True),
        ("mon-fri 18:00-06:00", "2024-01-02T06:00", False),
        ("mon-fri 18:00-06:00", "2024-01-06T03:00", True),  # Friday's night.
        ("mon-fri 18:00-06:00", "2024-01-06T18:00", False),
        ("mon-fri 18:00-06:00", "2024-01-01T03:00", False),  # Sunday's night.
        ("sat,sun 00:00-24:00", "2024-01-07T23:59", True),
        ("sat,sun 00:00-24:00", "2024-01-08T00:00", False),
        ("fri-mon 8:00-9:00", "2024-01-01T08:30", True),
        ("fri-mon 8:00-9:00", "2024-01-02T08:30", False),
        ("22:00-05:30", "2024-01-03T05:29", True),
    ],
)
def test_a_window_is_read_on_the_wall_clock_of_its_zone(window, time, active):
    assert schedule(window).active(at(time)) is active


def test_any_of_several_windows_will_do_and_none_means_always():
    both = schedule("mon 08:00-09:00", "mon 12:00-13:00")
    assert [both.active(at(f"2024-01-01T{h:02}:30")) for h in (8, 10, 12)] == [True, False, True]


def test_the_change_to_summer_time_does_not_move_a_window():
    night = schedule("02:30-03:30")
    # 2024-03-31 02:00 became 03:00: half of the window does not exist, the rest is where it stands.
    assert not night.active(at("2024-03-31T01:59"))
    assert night.active(at("2024-03-31T03:00"))
    assert not night.active(at("2024-03-31T03:30"))
    evening = schedule("18:00-19:00")
    assert all(evening.active(at(f"2024-03-{day}T18:00")) for day in (30, 31))


def test_an_hour_that_comes_twice_counts_twice():
    night = schedule("02:00-03:00")
    assert night.active(at("2024-10-27T02:30", fold=0))
    assert night.active(at("2024-10-27T02:30", fold=1))
    assert at("2024-10-27T02:30", fold=1) - at("2024-10-27T02:30", fold=0) == 3600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("monday 08:00-09:00", "'monday' is not a day; days are mon, tue, wed, thu, fri, sat, sun"),
        ("mon 8-9", "'mon 8-9' is not a window; write for example `mon-fri 18:00-06:00`"),
        ("mon 25:00-26:00", "'25:00' is not a time of day"),
        ("mon 08:60-09:00", "'08:60' is not a time of day"),
        ("mon 08:00-08:00", "'mon 08:00-08:00' has no length; a whole day is 00:00-24:00"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_a_reason(text, message):
    with pytest.raises(ValidationError) as caught:
        schedule(text)
    assert message in str(caught.value)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(
        ValidationError, match="unknown time zone 'Europe/Berlinn', did you mean 'Europe/Berlin'"
    ):
        ScheduleSettings(timezone="Europe/Berlinn")
