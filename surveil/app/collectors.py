"""Metrics whose values are kept elsewhere: read at each scrape, under one lock or in one query, so they balance."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from surveil.alerts.database import aside
from surveil.alerts.rows import Entry
from surveil.app.arming import RuleState
from surveil.damage import Damaged
from surveil.lane import Drop, FrameCounters
from surveil.logstream import LineLoss
from surveil.types import Alert


class RingCollector(Collector):
    """The frame counters of every camera: received == processed + Σ dropped + waiting in every scrape."""

    def __init__(self, books: Callable[[], Mapping[str, FrameCounters]]) -> None:
        self._books = books

    def collect(self) -> Iterator[Metric]:
        """Read all counters in one snapshot."""
        received = CounterMetricFamily("surveil_frames_received", "Frames decoded.", labels=["camera"])
        processed = CounterMetricFamily("surveil_frames_processed", "Frames analysed.", labels=["camera"])
        dropped = CounterMetricFamily(
            "surveil_frames_dropped",
            "Frames decoded and not analysed, by reason.",
            labels=["camera", "reason"],
        )
        waiting = GaugeMetricFamily(
            "surveil_frames_waiting", "Frames in the ring or in flight.", labels=["camera"]
        )
        for camera, books in self._books().items():
            received.add_metric([camera], books.received)
            processed.add_metric([camera], books.processed)
            waiting.add_metric([camera], books.waiting)
            for reason in Drop:
                dropped.add_metric([camera, reason.value], books.dropped[reason])
        yield from (received, processed, dropped, waiting)


class OutboxCollector(Collector):
    """The ledger of alerts × sinks, counted from the database."""

    def __init__(
        self,
        counts: Callable[[], Mapping[str, Mapping[str, int]]],
        oldest_s: Callable[[], Mapping[str, float]],
    ) -> None:
        self._counts = counts
        self._oldest_s = oldest_s

    def collect(self) -> Iterator[Metric]:
        """Count what waits, what was delivered and what is dead at every sink."""
        pending = GaugeMetricFamily("surveil_outbox_pending", "Alerts not yet delivered.", labels=["sink"])
        alerts = GaugeMetricFamily(
            "surveil_outbox_alerts", "Alerts committed for a sink, by state.", labels=["sink", "state"]
        )
        for sink, states in self._counts().items():
            pending.add_metric([sink], states["pending"])
            for state, n in states.items():
                alerts.add_metric([sink, state], n)
        oldest = GaugeMetricFamily(
            "surveil_outbox_oldest_pending_seconds",
            "Age of the oldest alert not yet delivered, in running time; 0 if none waits.",
            labels=["sink"],
        )
        for sink, age in self._oldest_s().items():
            oldest.add_metric([sink], age)
        yield from (pending, alerts, oldest)


class LedgerCollector(Collector):
    """The ledger of signals since the database was made: totals go on where they were after a restart.

    Only of rules that are configured: the database keeps the others', or every name that ever was would stay a series.
    """

    def __init__(
        self, totals: Callable[[], Mapping[Entry, int]], rules: Callable[[], Mapping[str, tuple[str, ...]]]
    ) -> None:
        self._totals = totals
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        """Read the ledger in one snapshot: raised = opened + joined + suppressed + pending."""
        family = GaugeMetricFamily(
            "surveil_ledger_signals",
            "Signals of configured rules since the database was created, by outcome. `raised` equals the "
            "sum of the others in every scrape.",
            labels=["camera", "rule", "outcome", "reason"],
        )
        rules = self._rules()
        for entry, n in self._totals().items():
            if entry.rule in rules.get(entry.camera, ()):
                family.add_metric([entry.camera, entry.rule, entry.outcome, entry.reason], n)
        yield family


class EventCollector(Collector):
    """Events without an end, counted from the database, so that they are true after a restart."""

    def __init__(
        self, open_events: Callable[[], Iterable[Alert]], rules: Callable[[], Mapping[str, tuple[str, ...]]]
    ) -> None:
        self._open_events = open_events
        self._rules = rules

    def collect(self) -> Iterator[Metric]:
        """Count the open events of every rule that is configured, and of whatever else is open."""
        counts = Counter({(camera, rule): 0 for camera, rules in self._rules().items() for rule in rules})
        counts.update((alert.camera, alert.rule) for alert in self._open_events())
        family = GaugeMetricFamily("surveil_event_open", "Open events.", labels=["camera", "rule"])
        for key, n in counts.items():
            family.add_metric(key, n)
        yield family


class RuleCollector(Collector):
    """Whether rules may alert."""

    def __init__(self, states: Callable[[], Iterable[RuleState]]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        """Ask the switches and the schedules."""
        armed = GaugeMetricFamily(
            "surveil_rule_armed",
            "1 while the rule is armed, 0 while it is disarmed and does not alert.",
            labels=["camera", "rule"],
        )
        scheduled = GaugeMetricFamily(
            "surveil_rule_scheduled",
            "1 within the rule's schedule, 0 outside it, when the rule does not alert.",
            labels=["camera", "rule"],
        )
        for state in self._states():
            armed.add_metric([state.camera, state.rule], state.armed)
            scheduled.add_metric([state.camera, state.rule], state.scheduled)
        yield from (armed, scheduled)


class LogCollector(Collector):
    """Lines that the log does not have."""

    def __init__(self, counts: Callable[[], Mapping[LineLoss, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Read the counts."""
        family = CounterMetricFamily(
            "surveil_log_lines_dropped",
            "Log lines that were not written, by reason: `unwritable` (full disk, no reader) or `repeated`.",
            labels=["reason"],
        )
        for loss, n in self._counts().items():
            family.add_metric([loss.value], n)
        yield family


class DamageCollector(Collector):
    """What was found damaged on the disk, and is not used."""

    def __init__(self, counts: Callable[[], Mapping[Damaged, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Read the counts."""
        family = CounterMetricFamily(
            "surveil_state_damaged",
            "Damaged data found in the state directory since the start and set aside, by kind.",
            labels=["kind"],
        )
        for kind, n in self._counts().items():
            family.add_metric([kind.value], n)
        yield family


class DiskCollector(Collector):
    """Space where the state directory lies, and what evidence takes of it."""

    def __init__(
        self,
        state_dir: Path,
        cameras: Callable[[], Iterable[str]],
        evidence: Callable[[], Mapping[str, float]],
    ) -> None:
        self._state_dir = state_dir
        self._cameras = cameras
        self._evidence = evidence

    def collect(self) -> Iterator[Metric]:
        """Ask the file system and the database."""
        usage = shutil.disk_usage(self._state_dir)
        free = GaugeMetricFamily("surveil_state_free_bytes", "Free space for alerts and evidence.")
        free.add_metric([], usage.free)
        size = GaugeMetricFamily("surveil_state_size_bytes", "Size of the file system that holds the state.")
        size.add_metric([], usage.total)
        evidence = GaugeMetricFamily(
            "surveil_evidence_bytes", "Pictures and clips stored for a camera.", labels=["camera"]
        )
        # Cameras that the configuration does not name any more may have left some.
        for camera, stored in {**dict.fromkeys(self._cameras(), 0.0), **self._evidence()}.items():
            evidence.add_metric([camera], stored)
        damaged = GaugeMetricFamily(
            "surveil_state_damaged_databases",
            "Damaged databases that were set aside in the state directory.",
        )
        damaged.add_metric([], len(aside(self._state_dir)))
        yield from (free, size, evidence, damaged)
