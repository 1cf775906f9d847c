"""What an operator writes for a time, in any zone, also when the clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.features.counting.times import day_of, hour_of, local, midnight, parse, zone_named

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 30, 9, 15, tzinfo=BERLIN).timestamp()


def read(text, *, end=False):
    return local(parse(text, BERLIN, NOW, end=end), BERLIN).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-03-01", "2026-03-01T00:00+01:00"),
        ("2026-03-01T14:00", "2026-03-01T14:00+01:00"),
        ("2026-03-01 14:00", "2026-03-01T14:00+01:00"),
        ("2026-03-01T14:00Z", "2026-03-01T15:00+01:00"),
        ("2026-03-01T14:00+03:00", "2026-03-01T12:00+01:00"),
        ("2026-10-25T02:30", "2026-10-25T02:30+02:00"),
        ("today", "2026-03-30T00:00+02:00"),
        ("Yesterday", "2026-03-29T00:00+01:00"),
        ("now", "2026-03-30T09:15+02:00"),
        ("12h", "2026-03-29T21:15+02:00"),
        ("7d ago", "2026-03-23T08:15+01:00"),
    ],
)
def test_every_way_to_write_a_time(text, means):
    assert read(text) == means


def test_a_mere_day_as_an_end_is_taken_whole():
    assert read("2026-03-29", end=True) == "2026-03-30T00:00+02:00"
    assert read("2026-03-29T10:00", end=True) == "2026-03-29T10:00+02:00"


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "14:00", "01.03.2026", "-3d", "3 fortnights"])
def test_what_is_no_time_is_told_with_the_formats(text):
    with pytest.raises(ValueError, match="yesterday"):
        parse(text, BERLIN, NOW)


def test_an_hour_that_is_skipped_does_not_exist():
    with pytest.raises(ValueError, match=r"does not exist: .* 2026-03-29T03:30:00"):
        parse("2026-03-29T02:30", BERLIN, NOW)


def test_an_unknown_zone_is_told():
    with pytest.raises(ValueError, match="no time zone 'Mars'"):
        zone_named("Mars")


@given(
    st.integers(1_600_000_000, 2_000_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]),
)
def test_hours_and_days_contain_their_moment(t, name):
    zone = ZoneInfo(name)
    hour, day = hour_of(t, zone), day_of(t, zone)
    assert hour <= t < hour + 3600
    assert local(hour, zone).minute == 0 or name == "Australia/Lord_Howe"
    assert day <= hour + 1800
    assert t - day < 25 * 3600
    assert midnight(local(t, zone).date(), zone).timestamp() == day


def test_the_machine_s_own_zone_is_used_where_none_is_given(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()
        assert local(noon, None).isoformat() == "2026-07-01T17:30:00+05:30"
        assert hour_of(noon, None) == noon - 1800
        assert midnight(local(noon, None).date(), None).isoformat() == "2026-07-01T00:00:00+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()
