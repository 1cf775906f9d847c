"""The metrics are a contract: what the page says, what the names promise, what is there at the start."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.app.collectors import EventCollector
from surveil.app.metrics_page import LABELS, filled, page
from surveil.clock import SystemClock
from surveil.metrics import STATES, Metrics
from surveil.ring import Drop
from tests.alerts.helpers import alert

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
UNKNOWN_AT_START = {
    "surveil_capture_info",  # until the stream is open
    "surveil_camera_clock_skew_seconds",  # until the camera tells its time
    "surveil_signals_suppressed",  # the reasons are the rules' own
    "surveil_alerts_withheld",
    "surveil_line_crossings",  # counting names its places itself
    "surveil_zone_occupancy",
    "surveil_zone_dwell_seconds",
    "surveil_normality_surprise",  # only where learning is switched on
    "surveil_normality_alerting",
    "surveil_normality_drift_ratio",
    "surveil_normality_shadowed",
}


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    filled(registry)
    return registry


def samples(registry):
    """Every sample with its family, but for the times at which the library made them."""
    for family in registry.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield family, sample


def test_the_page_is_what_the_code_says():
    assert PAGE.read_text() == page()


def test_every_label_of_the_page_is_explained():
    told = {
        cell.strip().strip("`")
        for line in page().splitlines()
        if line.startswith("| `surveil_")
        for cell in line.split("|")[3].split(",")
    }
    assert told - {""} <= set(LABELS)


def test_only_counters_end_in_total_and_all_of_them_do(registry):
    for family, sample in samples(registry):
        assert family.name.startswith("surveil_")
        assert sample.name.endswith("_total") == (family.type == "counter"), sample.name


def test_labels_come_from_a_closed_list(registry):
    seen = {label for family in registry.collect() for s in family.samples for label in s.labels}
    assert seen <= set(LABELS)


def test_what_can_be_known_is_there_at_the_start_at_0(registry):
    facts = {
        "surveil_state_free_bytes",
        "surveil_state_size_bytes",
        "surveil_build",
        "surveil_execution_provider",
    }
    empty = {family.name for family in registry.collect() if not family.samples}
    assert empty == UNKNOWN_AT_START
    assert {
        sample.name for family, sample in samples(registry) if sample.value and family.name not in facts
    } == set()


def test_every_state_and_every_reason_has_a_series_for_its_camera(registry):
    assert all(
        registry.get_sample_value("surveil_camera_state", {"camera": "gate", "state": state}) == 0.0
        for state in STATES
    )
    assert all(
        registry.get_sample_value("surveil_frames_dropped_total", {"camera": "gate", "reason": why.value})
        == 0.0
        for why in Drop
    )


def test_series_grow_with_cameras_and_rules_alone():
    def series(cameras):
        registry = CollectorRegistry()
        metrics = Metrics(registry)
        for k in range(cameras):
            metrics.add_camera(f"c{k}", ("a", "b"))
        return sum(1 for _ in samples(registry))

    one, two, ten = series(1), series(2), series(10)
    assert ten - one == 9 * (two - one)
    assert two - one < 100


def test_open_events_are_counted_from_the_database(tmp_path):
    clock = SystemClock()
    outbox = Outbox.open(tmp_path / "surveil.db", [], clock, OutboxSettings())
    try:
        registry = CollectorRegistry()
        registry.register(EventCollector(outbox.open_events, {"gate": ("intrusion", "loitering")}))

        def count(rule):
            return registry.get_sample_value("surveil_event_open", {"camera": "gate", "rule": rule})

        assert (count("intrusion"), count("loitering")) == (0, 0)
        outbox.commit([alert(phase="start")])
        assert (count("intrusion"), count("loitering")) == (1, 0)
        outbox.commit([alert(phase="end")])
        assert (count("intrusion"), count("loitering")) == (0, 0)
    finally:
        outbox.close()
