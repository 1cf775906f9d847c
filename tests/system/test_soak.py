"""The short form of the soak: `python -m tests.system.soak --hours 24` is the long one."""

import random
from collections import Counter
from math import isnan

import pytest

from tests.system import soak_report
from tests.system.soak import in_use, soaked, unbalanced
from tests.system.soak_report import Report, Sample, slope


@pytest.mark.rig
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_is_lost_while_everything_fails():
    report = soaked(45, cameras=3, seed=7)
    assert report.problems == []
    assert len(report.faults) > 10
    assert min(report.alerts["ops"], report.alerts["desk"]) > 0
    assert report.samples[-1].streaming == 3
    assert report.samples[-1].pending == 0


def test_frames_that_are_not_accounted_for_are_found():
    labels = frozenset({("camera", "a")})
    good = {("surveil_frames_received_total", labels): 5.0, ("surveil_frames_waiting", labels): 1.0}
    dropped = ("surveil_frames_dropped_total", labels | {("reason", "x")})
    assert list(unbalanced({**good, dropped: 4.0})) == []
    assert list(unbalanced(good)) == ["a: +4 frames unaccounted for"]


def test_spare_descriptors_of_sqlite_are_not_in_use():
    files = Counter(
        {"/s/a.db": 8, "/s/a.db-wal": 4, "/s/a.db-shm": 1, "/s/b.db": 2, "/s/b.db-wal": 2, "socket:[1]": 1}
    )
    assert in_use(files) == 18 - 4


def test_slopes_are_within_lives():
    points = [(life, at, 100 * life + 2 * at / 3600) for life in (0, 1) for at in range(0, 600, 60)]
    found = slope(points)
    assert found.value == pytest.approx(2)
    assert found.half == pytest.approx(0, abs=1e-6)
    assert isnan(slope(points[:2]).value)


def test_the_interval_covers_level_memory_that_strays_for_minutes():
    """Nineteen of twenty, where what is there is half of what was there a minute ago: 14 of 20 without that."""
    rng = random.Random(4)
    found = [slope(strays(rng, again=0.5)) for _ in range(400)]
    covered = sum(abs(one.value) <= one.half for one in found) / len(found)
    assert 0.88 <= covered <= 0.98


def strays(rng: random.Random, *, again: float) -> list[tuple[int, float, float]]:
    """Return an hour of level memory, a point a minute."""
    value, points = 0.0, []
    for minute in range(60):
        value = again * value + rng.gauss(0.0, 1.0)
        points.append((0, 60.0 * minute, value))
    return points


def test_samples_of_one_minute_are_one_point():
    def samples(every_s: int) -> list[Sample]:
        return [
            Sample(at_s=float(at), life=0, rss_mb=at // 60 % 3, descriptors=40, streaming=8, pending=0)
            for at in range(0, 2700, every_s)
        ]

    often, seldom = (soak_report.slopes(Report(samples=samples(every_s))) for every_s in (5, 30))
    assert often["memory, MB"].half == pytest.approx(seldom["memory, MB"].half, rel=1e-6)


def test_a_page_has_figures_plots_and_faults():
    report = Report(faults=[(5.0, "c1 freeze"), (9.0, "kill -9")], problems=["<lost>"], kills=1)
    report.samples = [
        Sample(at_s=10.0 * n, life=0, rss_mb=200 + n, descriptors=40, streaming=8, pending=0)
        for n in range(12)
    ]
    page = soak_report.page(report, seed=1, cameras=8)
    assert page.count("<svg") == 4
    assert "PROBLEM &lt;lost&gt;" in page
    assert "freeze × 1" in page
    assert "<title>c1 freeze</title>" in page
