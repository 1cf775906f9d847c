"""Parts of the daemon that are made together and end together."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from surveil.alerts.outbox import Outbox
from surveil.app.arming import Arming, SwitchWatch
from surveil.app.assembly import Pipeline
from surveil.app.decisions import DecisionRecorder
from surveil.app.services import LEAST_S, ThreadSet
from surveil.app.state_dir import StateLock, configured
from surveil.clock import Clock, Stop
from surveil.config import Config
from surveil.detect.detector import Detector
from surveil.features.base import Shared
from surveil.features.health.channel import Views, ViewWatch
from surveil.pipeline.decisions import Minute
from surveil.threads import Heartbeats, ThreadGroup

log = structlog.get_logger(__name__)

_LAST_LOOKS_S = 2.0
"""How long frames that wait for the models at the end are still looked at; the rest is dropped."""


class State:
    """The state directory, locked for this process, and the outbox in it.

    Raises ConfigError or StateError when either cannot be had.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.folder: Path = configured(config.state_dir, config.path)
        self._lock = StateLock(self.folder)
        self._clock = clock
        self.database = self.folder / "surveil.db"
        self.outbox = Outbox.open(self.database, list(config.sinks), clock, config.outbox)

    def end_open_events(self) -> None:
        """End what a crash left open."""
        ended = self.outbox.end_open_events(self._clock.wall())
        if ended:
            log.warning("ended events left open by a crash", events=len(ended))

    def close(self) -> None:
        """Close the outbox and let another process use the directory."""
        self.outbox.close()
        self._lock.release()


class Watches:
    """What the main thread reads from the database for the other threads, and writes for them."""

    def __init__(
        self, state: State, arming: Arming, shared: Shared, decisions: Callable[[], list[Minute]]
    ) -> None:
        self._decisions = DecisionRecorder(state.folder, decisions, shared.clock)
        self._switches = SwitchWatch(state.database, arming, shared.clock)
        self._switches.look()
        self._views = ViewWatch(state.database, shared.get(Views))

    def look(self) -> None:
        """Read what operators have asked for; write the decisions that are due."""
        self._switches.look()
        self._views.look()
        self._decisions.look()

    def close(self) -> None:
        """Close the connections; write the last decisions."""
        self._switches.close()
        self._views.close()
        self._decisions.flush()


class InferenceParts:
    """The threads that prepare frames and run the models. Owned by the main thread."""

    def __init__(
        self, pipeline: Pipeline, detector: Detector, group: ThreadGroup, beats: Heartbeats, clock: Clock
    ) -> None:
        self._stage = pipeline.detect
        self._clock = clock
        self._never = Stop()
        threads = partial(ThreadSet, group, clock)
        self._detect = threads(
            [f"detect-{k}" for k in range(pipeline.detect.workers)],
            lambda name: pipeline.detect.run(beats.of(name)),
        )
        self._warm_up = threads(["warm-up"], lambda _name: detector.batches.grow())
        self._prepare = threads(
            [f"prepare-{k}" for k in range(os.cpu_count() or 1)],
            lambda name: pipeline.prepare.run(self._never, beats.of(name)),
        )

    def start(self) -> None:
        """Start the threads."""
        self._detect.start()
        self._warm_up.start()
        self._prepare.start()

    def stop(self, patience_s: float) -> bool:
        """Look at what waits for the models, if that is soon done; return whether the threads ended.

        A camera with a frame in the models and another that waits needs both stages until its slot is home.
        """
        began = self._clock.monotonic()
        soon, end_by = began + _LAST_LOOKS_S, began + patience_s
        if self._prepare.join(_LAST_LOOKS_S):
            self._stage.inbox.close()
            if self._detect.join(soon - self._clock.monotonic()):
                return True
        log.warning("dropping pending frames: inference did not finish before shutdown")
        self._stage.abandon()
        prepared = self._prepare.join(self._left_s(end_by))
        self._stage.inbox.close()
        return self._detect.join(self._left_s(end_by)) and prepared

    def _left_s(self, end_by: float) -> float:
        return max(LEAST_S, end_by - self._clock.monotonic())
