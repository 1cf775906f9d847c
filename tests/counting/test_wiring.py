"""Counting follows the configuration: there is no database before a camera counts."""

import json

import pytest
from prometheus_client import CollectorRegistry

from surveil.config import load
from surveil.errors import StateError
from surveil.features.counting.report import counted
from surveil.features.counting.wiring import Counting
from surveil.metrics import Metrics
from surveil.types import Track
from tests.scenes import START_WALL

HALL = [[0, 0], [1, 0], [1, 1], [0, 1]]
PERSON = Track(id=1, label="person", box=(400, 100, 450, 250), score=0.9, t_first=0, t_last=0)


def camera(folder, *, enabled):
    written = {"url": "rtsp://192.0.2.1/", "zones": {"hall": HALL}, "counting": {"enabled": enabled}}
    path = folder / "config.yaml"
    path.write_text(json.dumps({"version": 1, "cameras": {"gate": written}}))
    return load(path).cameras["gate"]


def stand(counting, start):
    for t in range(start, start + 10):
        counting.take("gate", [PERSON], (1000, 500), t, START_WALL + t)
    counting.lose("gate", START_WALL + start + 10)


def test_a_camera_is_counted_at_while_its_settings_say_so(tmp_path):
    counting = Counting(tmp_path, Metrics(CollectorRegistry()))
    on, off = camera(tmp_path, enabled=True), camera(tmp_path, enabled=False)
    for start, settings in enumerate((off, on, off)):
        counting.at(settings)(START_WALL + 100 * start)
        stand(counting, 100 * start)
        counting.flush()
        assert (tmp_path / "counts.db").exists() is (start > 0)
    counting.drop("gate", START_WALL + 300)
    counting.close()
    assert [row.count for row in counted(tmp_path) if row.kind == "stay"] == [1]


def test_a_database_that_cannot_be_opened_is_told_before_the_camera_changes(tmp_path):
    (tmp_path / "counts.db").symlink_to(tmp_path / "elsewhere" / "counts.db")
    counting = Counting(tmp_path, Metrics(CollectorRegistry()))
    counting.prepare(camera(tmp_path, enabled=False))
    with pytest.raises(StateError, match=r"counts\.db"):
        counting.prepare(camera(tmp_path, enabled=True))
    counting.close()
