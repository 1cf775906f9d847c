"""The commit stage: evidence and alerts are written to disk, then the slot returns to the ring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from surveil.alerts.database import DamagedError
from surveil.alerts.drawing import Drawing
from surveil.alerts.evidence import FrameContext
from surveil.alerts.rows import Entry
from surveil.alerts.writer import AlertWriter, WriteJob
from surveil.clock import Clock, Stop
from surveil.engine import Step
from surveil.errors import StateError
from surveil.logs import LogThrottle
from surveil.metrics import Metrics
from surveil.pipeline.counters import SignalCounters
from surveil.pipeline.inbox import Inbox
from surveil.pipeline.work import CameraSlot
from surveil.types import Alert, Bytes, Frame, Point, Polygon

log = structlog.get_logger(__name__)
_RETRY_S = 1.0
_TICK_S = 1.0
FLUSH_S = 5.0
"""Signals without an alert are written to the ledger this often."""
COUNTS_S = 60.0
"""Counts are written this often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOverlay:
    """What may be drawn into a camera's pictures, in fractions of the frame."""

    zones: Mapping[str, Polygon]
    lines: Mapping[str, tuple[Point, Point]]
    sinks: tuple[str, ...]
    hide: Callable[[Bytes], Bytes] | None = None
    hide_moved: Callable[[Bytes], Bytes] | None = None
    """The same for a picture that has moved, in which areas are no longer where they were."""

    def drawing(self, width: int, height: int) -> Drawing:
        """Return zones and lines in pixels of a frame."""

        def scaled(points: Sequence[Point]) -> tuple[Point, ...]:
            return tuple((x * width, y * height) for x, y in points)

        return Drawing(
            {name: scaled(zone) for name, zone in self.zones.items()},
            {name: scaled(line) for name, line in self.lines.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRequest:
    """What one step of an engine gave, and what follows once it is on the disk."""

    camera: str
    step: Step
    slot: CameraSlot | None = None
    """To be given back."""
    places: PictureOverlay | None = None
    """What is drawn into the frame's picture."""
    done: Callable[[], None] | None = None
    """Called by the commit thread."""
    counts: Mapping[Entry, int] = field(default_factory=dict)
    """What its alerts are committed with."""


class Flushable(Protocol):
    """Holds what is written once a minute, on the commit thread. Both methods raise StateError."""

    def flush(self) -> None:
        """Write what has accumulated."""

    def close(self) -> None:
        """Write the rest and close."""


class CommitStage:
    """One thread. Only steps with alerts wait for it; the others give their slot back at once."""

    def __init__(
        self,
        writer: AlertWriter,
        give_back: Callable[[CameraSlot], None],
        metrics: Metrics,
        clock: Clock,
        on_alerts: Callable[[Sequence[Alert]], None] = lambda _alerts: None,
        counts: Flushable | None = None,
    ) -> None:
        self.inbox: Inbox[CommitRequest] = Inbox()
        self._writer = writer
        self._give_back = give_back
        self._metrics = metrics
        self._clock = clock
        self._on_alerts = on_alerts
        self.books = SignalCounters(writer.ledger())
        self._counts = counts
        self._refusals = LogThrottle(clock)
        self._flushed = self._ticked = self._counted = clock.monotonic()
        metrics.evidence_errors.labels("database")

    def offer(self, outcome: CommitRequest) -> None:
        """Take what a step gave; called by the analysis, which never waits for a disk here."""
        for (rule, what, reason), n in outcome.step.outcomes.items():
            self._metrics.signals.labels(outcome.camera, rule, what).inc(n)
            if reason:
                self._metrics.suppressed.labels(outcome.camera, rule, reason).inc(n)
        counts = self.books.enter(outcome.camera, outcome.step)
        if outcome.step.alerts or outcome.done:
            self.inbox.put(replace(outcome, counts=counts))
        elif outcome.slot is not None:
            self._give_back(outcome.slot)

    def run(self, beat: Callable[[], None], stop: Stop) -> None:
        """Serve until the inbox is closed and empty."""
        while not self.inbox.is_done:
            if outcomes := self.inbox.take(64, beat, patience_s=_TICK_S):
                self._persist(outcomes, beat, stop)
            self._tend()
        try:
            self.close()
        except StateError as error:
            log.error("last signals, clips and counts not committed", why=str(error))  # noqa: TRY400

    def close(self) -> None:
        """Write what is left. Raises StateError."""
        try:
            self.flush()
            self._told(self._writer.finish())
        finally:
            if self._counts:
                self._counts.close()

    def _tend(self) -> None:
        """Do what is due without a frame; what the disk refuses now is done at the next turn."""
        now = self._clock.monotonic()
        try:
            if now - self._ticked >= _TICK_S:
                self._ticked = now
                self._told(self._writer.tick())
            if now - self._flushed >= FLUSH_S:
                self.flush()
            if self._counts and now - self._counted >= COUNTS_S:
                self._counted = now
                self._counts.flush()
        except DamagedError:
            raise
        except StateError as error:
            self._tell(error)

    def _tell(self, error: StateError) -> None:
        if n := self._refusals.take():
            log.error("database write failed, retrying", times=n, why=str(error))

    def _told(self, alerts: Sequence[Alert]) -> None:
        if alerts:
            self._on_alerts(alerts)

    def _persist(self, outcomes: Sequence[CommitRequest], beat: Callable[[], None], stop: Stop) -> None:
        """Commit, again and again while the disk refuses: the slots are held, so nothing piles up.

        A database that was damaged ends the program: the next start sets it aside and goes on with a new one.
        """
        while True:
            try:
                self.process(outcomes)
            except DamagedError:
                raise
            except StateError as error:
                self._tell(error)
                self._metrics.evidence_errors.labels("database").inc()
                beat()
                if self._clock.sleep(_RETRY_S, stop):
                    return
            else:
                return

    def process(self, outcomes: Sequence[CommitRequest]) -> None:
        """Commit the alerts of several cameras as one group, then give their slots back.

        Raises StateError when the database cannot be written; nothing was given back then.
        """
        started = self._clock.monotonic()
        new = self._write([self._job(outcome) for outcome in outcomes])
        self._show(outcomes, new)
        self._metrics.stage.labels("commit").observe(self._clock.monotonic() - started)
        self._told(new)
        for outcome in outcomes:
            if outcome.slot is not None:
                self._give_back(outcome.slot)
            if outcome.done is not None:
                outcome.done()

    def flush(self) -> None:
        """Write the signals that came without an alert to the ledger."""
        self._flushed = self._clock.monotonic()
        self._write([])

    def _write(self, jobs: list[WriteJob]) -> list[Alert]:
        """Commit alerts with all signals so far: none is in the ledger later than what it led to."""
        counts = self.books.take()
        try:
            return self._writer.write([*jobs, WriteJob((), None, counts)])
        except StateError:
            self.books.put_back(counts)
            raise

    def _job(self, outcome: CommitRequest) -> WriteJob:
        alerts = outcome.step.alerts
        slot, places = outcome.slot, outcome.places
        if slot is None or places is None or not isinstance(slot.item, Frame):
            return WriteJob(alerts, None, outcome.counts)
        picture = slot.frame.picture
        drawing = places.drawing(picture.width, picture.height)
        state = slot.state
        findings = state.findings
        hide = places.hide_moved if findings.misfit else places.hide
        context = FrameContext(
            frame=slot.frame,
            tracks=state.tracks,
            drawing=drawing,
            hide=hide,
            before=findings.reference,
            hide_before=places.hide,
            findings=findings,
        )
        return WriteJob(alerts, context, outcome.counts)

    def _show(self, outcomes: Sequence[CommitRequest], new: Sequence[Alert]) -> None:
        now = self._clock.monotonic()
        fresh = {alert.id for alert in new}
        for outcome in outcomes:
            if outcome.slot is None or not isinstance(outcome.slot.item, Frame):
                continue
            frame = outcome.slot.frame
            for alert in outcome.step.alerts:
                if alert.id in fresh and alert.phase == "start":
                    self._metrics.capture_to_alert.observe(now - frame.arrived + frame.lag_s)
