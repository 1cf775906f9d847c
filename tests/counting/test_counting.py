"""Counts: lines both ways by class, occupancy, dwell, by hour, for years."""

import json
import sqlite3
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from surveil.errors import StateError
from surveil.features.counting.counter import Counted, TrackCounter
from surveil.features.counting.heatmap import MapOverlay, draw
from surveil.features.counting.live import GRID, CameraCounts, Counts, Crossing, Stay
from surveil.features.counting.report import report, to_csv, to_json, write_parquet
from surveil.features.counting.rollup import Key, Rollup, Sum
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import CountStore
from surveil.metrics import Metrics
from surveil.types import Track
from tests.optional import package

SIZE = (1000, 500)
ZONES = {"hall": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))}
LINES = {"door": ((0.5, 0.0), (0.5, 1.0)), "kerb": ((0.0, 0.5), (1.0, 0.5))}
NOON = 1_772_366_400.0
"""2026-03-01 12:00 UTC."""


def track(number, x, label="person", y=300.0):
    return Track(id=number, label=label, box=(x - 20, y - 100, x + 20, y), score=0.9, t_first=0.0, t_last=0.0)


def counts_of(**settings):
    return CameraCounts(CountingSettings(**settings), ZONES, LINES)


def test_each_way_over_a_line_is_counted_by_class():
    counter, found = counts_of(classes=("person", "car"), lines=("door",)), []
    for i in range(30):
        walkers = [
            track(1, 300 + 20 * i),
            track(2, 800 - 20 * i, y=200),
            track(3, 100 + 30 * i, "car", y=450),
        ]
        found += counter.update(walkers, SIZE, i / 5).crossings
    assert sorted((c.direction, c.label) for c in found) == [
        ("left", "person"),
        ("right", "car"),
        ("right", "person"),
    ]


def test_occupancy_is_how_many_are_there_now():
    counter = counts_of()
    counts = counter.update([track(1, 100), track(2, 400), track(3, 700), track(4, 200, "dog")], SIZE, 0.0)
    assert counts.occupancy == {("hall", "person"): 2}
    assert counter.update([], SIZE, 0.2).occupancy == {("hall", "person"): 0}


def test_a_stay_is_told_when_it_has_ended_and_mends_a_broken_id():
    counter, stays = counts_of(), []
    for i in range(100):
        there = [track(1 if i < 30 else 2, 200)] if 10 <= i <= 60 and i not in (30, 31) else []
        stays += counter.update(there, SIZE, i / 5).stays
    assert stays == [Stay("hall", "person", 10.0)]


def test_a_loss_ends_stays_and_short_ones_do_not_count():
    counter = counts_of(min_dwell_s=3.0)
    for i in range(20):
        counter.update([track(1, 200), *([track(2, 400)] if i < 5 else [])], SIZE, i / 5)
    assert counter.finish().stays == (Stay("hall", "person", 3.8),)
    assert counter.finish().stays == ()


def test_who_is_over_the_line_when_the_recording_ends_has_crossed():
    counter = counts_of(lines=("door",))
    for i in range(11):
        counter.update([track(1, 300 + 24 * i)], SIZE, i / 5)
    assert counter.finish().crossings == (Crossing("door", "right", "person"),)
    assert counter.finish().crossings == ()


def test_a_gap_in_the_stream_is_not_time_watched():
    counter = counts_of()
    assert [counter.update([], SIZE, t).seconds for t in (5.0, 5.2, 65.0)] == [0.0, pytest.approx(0.2), 2.0]


def test_a_place_that_there_is_not_is_refused():
    with pytest.raises(KeyError):
        counts_of(lines=("gate",))


FRAME = Counts(
    seconds=0.5,
    crossings=(Crossing("door", "left", "person"),),
    stays=(Stay("hall", "person", 8.0),),
    occupancy={("hall", "person"): 3},
    cells=((3, 4),),
)


def rolled(*times, camera="gate"):
    rollup = Rollup(zone=UTC)
    for t in times:
        rollup.add(camera, FRAME, t)
    return rollup


def test_hours_add_up_across_restarts(tmp_path):
    for _ in "ab":
        store = CountStore(tmp_path / "counts.db")
        store.add(rolled(NOON, NOON + 1, NOON + 3600))
        store.close()
    store = CountStore(tmp_path / "counts.db")
    hours = dict(store.hours("gate", NOON, NOON + 7200))
    store.close()
    noon, one = int(NOON), int(NOON) + 3600
    assert hours[
        Key(camera="gate", hour=noon, kind="crossing", place="door", direction="left", label="person")
    ] == Sum(4, 0.0, 0.0)
    assert hours[
        Key(camera="gate", hour=noon, kind="stay", place="hall", direction="", label="person")
    ] == Sum(4, 32.0, 8.0)
    assert hours[
        Key(camera="gate", hour=noon, kind="occupancy", place="hall", direction="", label="person")
    ] == Sum(0, 6.0, 3.0)
    assert hours[Key(camera="gate", hour=one, kind="watched")] == Sum(0, 1.0, 0.0)


def test_taking_begins_anew():
    rollup = rolled(NOON)
    assert len(rollup.take().sums) == 4
    assert rollup.take().sums == {}


def test_hours_of_another_camera_or_time_are_left_out(tmp_path):
    store = CountStore(tmp_path / "counts.db")
    store.add(rolled(NOON))
    store.add(rolled(NOON + 7200, camera="yard"))
    assert {key.camera for key, _ in store.hours(None, NOON, NOON + 9999)} == {"gate", "yard"}
    assert {key.camera for key, _ in store.hours("gate", NOON, NOON + 9999)} == {"gate"}
    assert store.hours("gate", NOON + 1, NOON + 9999) == []
    assert store.cameras() == ["gate", "yard"]
    assert store.span("gate") == (NOON, NOON)
    assert store.forget("gate", NOON + 3600) == 5
    assert store.hours("gate", 0, 2 * NOON) == []
    assert store.span("gate") is None
    assert {key.camera for key, _ in store.hours(None, 0, 2 * NOON)} == {"yard"}
    store.close()


def test_maps_add_up_by_day(tmp_path):
    store = CountStore(tmp_path / "counts.db")
    for _ in "ab":
        store.add(rolled(NOON, NOON + 86_400))
    assert store.map("gate", NOON - 43_200, NOON)[4, 3] == pytest.approx(1.0)
    assert store.map("gate", 0, 2 * NOON).sum() == pytest.approx(2.0)
    store.close()


def test_a_file_that_is_no_database_is_a_state_error(tmp_path):
    (tmp_path / "counts.db").write_text("no database at all, but long enough to be looked at" * 50)
    with pytest.raises(StateError, match="counts cannot be kept"):
        CountStore(tmp_path / "counts.db")


def test_the_file_is_not_for_everybody_and_reading_creates_none(tmp_path):
    CountStore(tmp_path / "counts.db").close()
    assert stat.S_IMODE((tmp_path / "counts.db").stat().st_mode) == 0o640
    with pytest.raises(StateError, match="no counts found"):
        CountStore(tmp_path / "none.db", reading=True)
    assert not (tmp_path / "none.db").exists()


def test_who_reads_cannot_write(tmp_path):
    CountStore(tmp_path / "counts.db").close()
    store = CountStore(tmp_path / "counts.db", reading=True)
    with pytest.raises(StateError, match="readonly"):
        store.add(rolled(NOON))
    store.close()


def test_what_fails_half_way_leaves_nothing(tmp_path):
    store = CountStore(tmp_path / "counts.db")
    bad = rolled(NOON)
    bad.sums[Key(camera=None, hour=0, kind="watched")] = Sum()
    with pytest.raises(StateError):
        store.add(bad)
    assert store.hours(None, 0, 2 * NOON) == []
    store.close()
    with closing(sqlite3.connect(tmp_path / "counts.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)


def test_the_report_of_a_day_in_local_time():
    hours = list(rolled(NOON, NOON + 3600, NOON + 12 * 3600).sums.items())
    rows = report(hours, "day", timezone(timedelta(hours=1)))
    assert [(r.time, r.kind, r.place, r.direction, r.count, r.mean, r.peak) for r in rows] == [
        ("2026-03-01T00:00:00+01:00", "crossing", "door", "left", 2, None, None),
        ("2026-03-01T00:00:00+01:00", "occupancy", "hall", "", 0, 3.0, 3.0),
        ("2026-03-01T00:00:00+01:00", "stay", "hall", "", 2, 8.0, 8.0),
        ("2026-03-02T00:00:00+01:00", "crossing", "door", "left", 1, None, None),
        ("2026-03-02T00:00:00+01:00", "occupancy", "hall", "", 0, 3.0, 3.0),
        ("2026-03-02T00:00:00+01:00", "stay", "hall", "", 1, 8.0, 8.0),
    ]


def test_the_report_as_csv_and_json():
    rows = report(rolled(NOON).sums.items(), "hour", UTC)
    assert to_csv(rows).splitlines()[:2] == [
        "time,camera,kind,place,direction,label,count,mean,peak,watched_s",
        "2026-03-01T12:00:00+00:00,gate,crossing,door,left,person,1,,,0.5",
    ]
    assert json.loads(to_json(rows))[0]["count"] == 1


def test_an_hour_in_which_nobody_came_is_a_row_of_0_and_one_that_was_not_watched_is_none():
    rollup = rolled(NOON)
    rollup.add("gate", Counts(seconds=0.5), NOON + 7200)
    rows = [row for row in report(rollup.sums.items(), "hour", UTC) if row.kind == "crossing"]
    assert [(row.time[11:13], row.count) for row in rows] == [("12", 1), ("14", 0)]


@pytest.mark.parametrize(
    ("zone", "moments", "days"),
    [
        (
            "Europe/Berlin",
            ("2026-03-29T00:30+01:00", "2026-03-29T23:30+02:00"),
            ["2026-03-29T00:00:00+01:00"],
        ),
        (
            "Europe/Berlin",
            ("2026-10-25T00:30+02:00", "2026-10-25T23:30+01:00"),
            ["2026-10-25T00:00:00+02:00"],
        ),
        (
            "Asia/Kolkata",
            ("2026-03-01T23:50+05:30", "2026-03-02T00:10+05:30"),
            ["2026-03-01T00:00:00+05:30", "2026-03-02T00:00:00+05:30"],
        ),
    ],
)
def test_a_day_is_a_day_on_the_wall_also_when_clocks_change_or_are_half_an_hour_off(zone, moments, days):
    rollup = Rollup(zone=ZoneInfo(zone))
    for moment in moments:
        rollup.add("gate", FRAME, datetime.fromisoformat(moment).timestamp())
    rows = [row for row in report(rollup.sums.items(), "day", ZoneInfo(zone)) if row.kind == "crossing"]
    assert [row.time for row in rows] == days
    assert len(rollup.maps) == len(days)


def test_the_hour_that_comes_twice_is_two_rows():
    rollup, berlin = Rollup(zone=ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    for moment in ("2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"):
        rollup.add("gate", FRAME, datetime.fromisoformat(moment).timestamp())
    rows = report(rollup.sums.items(), "hour", berlin)
    assert [row.time for row in rows if row.kind == "crossing"] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


def test_parquet_without_its_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StateError, match=r"install --extra parquet`"):
        write_parquet([], tmp_path / "report.parquet")


def test_parquet_has_the_rows_and_their_types(tmp_path):
    parquet = package("pyarrow.parquet")
    rows = report(rolled(NOON).sums.items(), "hour", UTC)
    write_parquet(rows, tmp_path / "report.parquet")
    table = parquet.read_table(tmp_path / "report.parquet")
    assert table.to_pylist() == json.loads(to_json(rows))
    assert [str(table.schema.field(name).type) for name in ("time", "count", "mean")] == [
        "string",
        "int64",
        "double",
    ]


def test_a_heatmap_is_hot_where_somebody_stood():
    cells = np.zeros(GRID[::-1], np.float32)
    cells[10, 20] = 100.0
    drawn = draw(cells)
    assert drawn.shape == (720, 1280, 3)
    hot, cold = drawn[210, 410].astype(int), drawn[600, 1200].astype(int)
    assert hot[2] - hot[0] > 60
    assert np.ptp(cold) <= 6


def test_a_heatmap_over_a_picture_shows_places_and_has_a_legend():
    picture = np.full((480, 640, 3), 40, np.uint8)
    plan = MapOverlay({"door": ((0.5, 0.0), (0.5, 1.0))}, "gate")
    drawn = draw(np.zeros(GRID[::-1], np.float32), picture, plan)
    assert drawn.shape[0] > 480
    assert (drawn[100, 320] > 200).all()
    assert (drawn[100, 100] == 40).all()
    assert (drawn[481:, :200] > 100).any()


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 5)), max_size=60))
def test_no_count_is_lost_between_frames_and_hours(frames):
    rollup, total = Rollup(), 0
    for seconds, n in frames:
        total += n
        rollup.add(
            "gate", Counts(seconds=0.2, crossings=(Crossing("door", "up", "person"),) * n), NOON + seconds
        )
    assert sum(s.n for key, s in rollup.sums.items() if key.kind == "crossing") == total


def desk_of(path, **settings):
    registry = CollectorRegistry()
    counted = Counted.at(CountingSettings(lines=("door",), **settings), ZONES, LINES)
    return TrackCounter({"gate": counted}, CountStore(path), Metrics(registry), UTC), registry


def walk_through(counter, start=NOON):
    for i in range(40):
        counter.take("gate", [track(1, 300 + 10 * i)], SIZE, i / 5, start + i / 5)
    counter.lose("gate", start + 8)


def test_the_desk_keeps_metrics_and_hours(tmp_path):
    counter, registry = desk_of(tmp_path / "counts.db")
    walk_through(counter)
    counter.take("yard", [track(1, 300)], SIZE, 0.0, NOON)
    counter.flush()
    labels = {"camera": "gate", "line": "door", "direction": "right", "label": "person"}
    assert registry.get_sample_value("surveil_line_crossings_total", labels) == 1.0
    zone = {"camera": "gate", "zone": "hall", "label": "person"}
    assert registry.get_sample_value("surveil_zone_dwell_seconds_count", zone) == 1.0
    assert registry.get_sample_value("surveil_zone_dwell_seconds_sum", zone) == pytest.approx(4.0)
    counter.close()
    store = CountStore(tmp_path / "counts.db")
    crossings = [total.n for key, total in store.hours("gate", 0, 2 * NOON) if key.kind == "crossing"]
    store.close()
    assert crossings == [1]


def value(registry, name, **labels):
    return registry.get_sample_value(name, {"camera": "gate", "label": "person", **labels})


def test_every_series_is_there_at_0_before_anybody_comes(tmp_path):
    counter, registry = desk_of(tmp_path / "counts.db")
    assert value(registry, "surveil_zone_occupancy", zone="hall") == 0.0
    assert value(registry, "surveil_zone_dwell_seconds_count", zone="hall") == 0.0
    counter.take("gate", [], SIZE, 0.0, NOON)
    for way in ("left", "right"):
        assert value(registry, "surveil_line_crossings_total", line="door", direction=way) == 0.0
    assert value(registry, "surveil_line_crossings_total", line="door", direction="up") is None
    counter.close()


def test_nobody_is_there_any_more_when_the_camera_is_lost(tmp_path):
    counter, registry = desk_of(tmp_path / "counts.db")
    counter.take("gate", [track(1, 300)], SIZE, 0.0, NOON)
    assert value(registry, "surveil_zone_occupancy", zone="hall") == 1.0
    counter.lose("gate", NOON + 1)
    assert value(registry, "surveil_zone_occupancy", zone="hall") == 0.0
    counter.flush()
    counter.lose("gate", NOON + 7200)
    counter.close()
    store = CountStore(tmp_path / "counts.db")
    assert store.span("gate") == (NOON, NOON)
    store.close()


def test_hours_are_kept_for_as_long_as_was_asked(tmp_path):
    counter, _ = desk_of(tmp_path / "counts.db", keep_days=2)
    for day in range(5):
        counter.take("gate", [], SIZE, 86_400.0 * day, NOON + 86_400 * day)
        counter.flush()
    counter.close()
    store = CountStore(tmp_path / "counts.db")
    assert store.span("gate") == (NOON + 2 * 86_400, NOON + 4 * 86_400)
    store.close()


def test_what_the_disk_refuses_is_kept_for_the_next_time(tmp_path):
    counter, _ = desk_of(tmp_path / "counts.db")
    walk_through(counter)
    with closing(sqlite3.connect(tmp_path / "counts.db", isolation_level=None)) as other:
        counter._store._db.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateError):
            counter.flush()
        other.execute("ROLLBACK")
    counter.close()
    store = CountStore(tmp_path / "counts.db")
    assert sum(total.n for key, total in store.hours("gate", 0, 2 * NOON) if key.kind == "crossing") == 1
    assert store.map("gate", 0, 2 * NOON).sum() == pytest.approx(7.8, abs=0.1)
    store.close()
