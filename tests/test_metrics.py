"""The metrics are a contract: what the page says, what the names promise, what is there at the start."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import StoredAlert
from surveil.alerts.settings import OutboxSettings
from surveil.app.collectors import DiskCollector, EventCollector, OutboxCollector
from surveil.app.gpu import FIGURES, GpuCollector
from surveil.app.metrics_page import LABELS, filled, page
from surveil.clock import ManualClock
from surveil.cuda import gpu_present
from surveil.lane import Drop
from surveil.metrics import STATES, Metrics
from tests.alerts.helpers import alert

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
UNKNOWN_AT_START = {
    "surveil_capture_info",  # until the stream is open
    "surveil_camera_clock_skew_seconds",  # until the camera tells its time
    "surveil_signals_suppressed",  # the reasons are the rules' own
    "surveil_alerts_withheld",
    "surveil_normality_surprise",  # only where learning is switched on
    "surveil_normality_alerting",
    "surveil_normality_drift_ratio",
    "surveil_normality_shadowed",
    "surveil_normality_model_timestamp_seconds",
    "surveil_picture_changed_timestamp_seconds",  # only where picture health is switched on
    "surveil_normality_state",
    "surveil_normality_threshold",
    "surveil_normality_learned_seconds",
    "surveil_normality_progress_ratio",
    "surveil_normality_held_seconds",
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


def test_each_metric_is_since_a_version_that_the_changelog_knows():
    told = {line.split("|")[6].strip() for line in page().splitlines() if line.startswith("| `surveil_")}
    known = re.findall(r"^## (\d+\.\d+\.\d+)", (PAGE.parents[1] / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert told <= set(known)


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
        "surveil_classifier_in_use",
        "surveil_fleet_camera",
    }
    facts |= set(FIGURES)  # of the GPU, where there is one
    empty = {family.name for family in registry.collect() if not family.samples}
    assert empty - set(FIGURES) == UNKNOWN_AT_START
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


@pytest.fixture
def outbox(tmp_path):
    clock = ManualClock()
    outbox = Outbox.open(tmp_path / "surveil.db", ["ops", "log"], clock, OutboxSettings())
    outbox.manual = clock
    yield outbox
    outbox.close()


def test_open_events_are_counted_from_the_database(outbox):
    registry = CollectorRegistry()
    registry.register(EventCollector(outbox.open_events, lambda: {"gate": ("intrusion", "loitering")}))

    def count(rule):
        return registry.get_sample_value("surveil_event_open", {"camera": "gate", "rule": rule})

    assert (count("intrusion"), count("loitering")) == (0, 0)
    outbox.committer.commit([alert(phase="start")])
    assert (count("intrusion"), count("loitering")) == (1, 0)
    outbox.committer.commit([alert(phase="end")])
    assert (count("intrusion"), count("loitering")) == (0, 0)


def test_the_oldest_undelivered_alert_is_as_old_as_the_oldest_that_still_waits(outbox):
    registry = CollectorRegistry()
    registry.register(OutboxCollector(outbox.queue.counts, outbox.queue.oldest_pending_s))

    def age(sink):
        return registry.get_sample_value("surveil_outbox_oldest_pending_seconds", {"sink": sink})

    assert (age("ops"), age("log")) == (0, 0)
    for n in range(3):
        outbox.committer.commit([alert(n)])
        outbox.manual.advance(100.0)
    assert (age("ops"), age("log")) == (300, 300)
    outbox.queue.delivered("ops", outbox.queue.next("ops").seq)
    assert (age("ops"), age("log")) == (200, 300)
    for _ in range(2):
        outbox.queue.delivered("ops", outbox.queue.next("ops").seq)
    assert (age("ops"), age("log")) == (0, 300)


def test_the_age_of_what_waits_goes_on_after_a_restart_and_not_with_the_wall_clock(tmp_path):
    clock = ManualClock()
    path = tmp_path / "surveil.db"
    outbox = Outbox.open(path, ["ops"], clock, OutboxSettings())
    outbox.committer.commit([alert()])
    clock.advance(50.0)
    outbox.close()
    clock.set_wall(clock.wall() + 1e6)
    outbox = Outbox.open(path, ["ops"], clock, OutboxSettings())
    try:
        assert outbox.queue.oldest_pending_s() == {"ops": pytest.approx(50.0)}
    finally:
        outbox.close()


def test_evidence_is_told_for_every_camera(outbox, tmp_path):
    outbox.evidence.adopt(
        [
            StoredAlert("evidence/gate/a.jpg", "gate", 700),
            StoredAlert("evidence/gate/b.jpg", "gate", 30),
            StoredAlert("evidence/gone/c.jpg", "gone", 5),
        ]
    )
    registry = CollectorRegistry()
    registry.register(DiskCollector(tmp_path, lambda: ["gate", "yard"], outbox.evidence.sizes))
    sizes = {
        camera: registry.get_sample_value("surveil_evidence_bytes", {"camera": camera})
        for camera in ("gate", "yard", "gone")
    }
    assert sizes == {"gate": 730, "yard": 0, "gone": 5}
    assert registry.get_sample_value("surveil_state_free_bytes") > 0


def test_gpu_figures_are_told_where_there_is_a_gpu_and_nowhere_else():
    families = {family.name: family for family in GpuCollector().collect()}
    assert set(families) == set(FIGURES)
    if not gpu_present():
        assert all(family.samples == [] for family in families.values())
        return
    pytest.importorskip("pynvml")
    used = families["surveil_gpu_memory_used_bytes"].samples[0].value
    assert 0 < used <= families["surveil_gpu_memory_size_bytes"].samples[0].value
    for name in ("surveil_gpu_utilization_ratio", "surveil_gpu_decoder_utilization_ratio"):
        assert all(0 <= sample.value <= 1 for sample in families[name].samples)
