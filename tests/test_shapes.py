"""Areas as other programs write them, and schedules that do not say in which time zone they are."""

import pytest

from surveil.config import load
from surveil.errors import ConfigError

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


def camera(tmp_path, section: str):
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\ncameras:\n  gate:\n    url: rtsp://h/x\n    {section}\n")
    return load(path).cameras["gate"]


@pytest.mark.parametrize(
    "points",
    [
        [*SQUARE, SQUARE[0]],
        [SQUARE[0], *SQUARE],
        [SQUARE[0], SQUARE[1], SQUARE[1], SQUARE[1], *SQUARE[2:]],
        [*SQUARE, SQUARE[3], SQUARE[0], SQUARE[0]],
    ],
)
@pytest.mark.parametrize("section", ["zones: {a: %s}", "masks: [%s]", "masks: {a: {points: %s}}"])
def test_a_ring_that_is_closed_by_its_first_point_is_the_area(tmp_path, section, points):
    made = camera(tmp_path, section % [list(point) for point in points])
    assert [*made.zones.values(), *made.masks.values()] == [SQUARE]


@pytest.mark.parametrize("points", ["[[0, 0], [1, 0], [0, 0]]", "[[0, 0], [0, 0], [0, 0], [1, 1]]", "[]"])
def test_points_that_repeat_do_not_count(tmp_path, points):
    with pytest.raises(ConfigError, match=r"a polygon needs at least 3 points|crosses|no area"):
        camera(tmp_path, f"zones: {{a: {points}}}")


def test_a_bow_tie_is_none_the_less_refused_when_it_is_closed(tmp_path):
    with pytest.raises(ConfigError, match="crosses itself"):
        camera(tmp_path, "zones: {a: [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]}")


@pytest.mark.parametrize(
    ("zone", "warned"), [("", 1), ("timezone: UTC, ", 0), ("timezone: Europe/Berlin, ", 0)]
)
def test_a_schedule_without_a_time_zone_is_warned_of(tmp_path, zone, warned):
    path = tmp_path / "config.yaml"
    path.write_text(
        "version: 1\ncameras: {gate: {url: rtsp://h/x}}\n"
        f"schedules:\n  night: {{{zone}windows: ['22:00-06:00']}}\n"
    )
    told = ":4: schedules.night: has no timezone: its windows are in UTC; write for example"
    assert [told in warning for warning in load(path).warnings] == [True] * warned
