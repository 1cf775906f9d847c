"""The detect stage: runs every model on the waiting crops as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from surveil.capture.picture import give_back
from surveil.clock import LOOK_UP_S, Clock, Stop
from surveil.detect.detector import Detector
from surveil.errors import ModelError
from surveil.metrics import Metrics
from surveil.pipeline.inbox import Inbox
from surveil.pipeline.work import CameraSlot


class SecondStage(Protocol):
    """Runs further models on the crops that cameras have cut out; part of the detect stage."""

    def process(self, slots: Sequence[CameraSlot]) -> None:
        """Add to the findings of each slot, which all have crops, what the models say of these."""


QUIET_S = 5.0
"""After so long without a run the memory for runs is freed. The next run is a third dearer."""


class DetectStage:
    """Takes what waits: all of it on a GPU, where a batch pays, one frame on a CPU, where it does not.

    No timer waits for a fuller batch: 5 ms of waiting bought 8 ms of age and no throughput.

    `run` is for `workers` threads. One at a time runs a model; meanwhile another puts the next batch together
    or reads what was said of the last one. An H200 with one thread for all of it stood still for a third of
    the time.
    """

    def __init__(
        self,
        detector: Detector,
        to_analyse: Callable[[CameraSlot], None],
        give_up: Callable[[CameraSlot], None],
        metrics: Metrics,
        clock: Clock,
        second: Sequence[Callable[[], SecondStage]] = (),
    ) -> None:
        """`second`: what makes the parts for crops; each is made when the first crop waits."""
        self.inbox: Inbox[CameraSlot] = Inbox()
        self._detector = detector
        self._second = tuple(map(cache, second))
        self._second_lock = threading.Lock()
        self._abandoned = Stop()
        self._to_analyse = to_analyse
        self._give_up = give_up
        self._metrics = metrics
        self._clock = clock
        self._ran_at: float | None = None
        """Monotonic s; None: the memory for runs is free."""

    @property
    def workers(self) -> int:
        """How many threads are worth running."""
        return self._detector.workers

    def run(self, beat: Callable[[], None]) -> None:
        """Serve until the inbox is closed and empty."""
        while not self.inbox.is_done:
            if slots := self.inbox.take(self._detector.most_frames, beat, LOOK_UP_S):
                self.process(slots)
            else:
                self.rest()

    def rest(self) -> None:
        """Free memory where nothing has been run for a while."""
        ran_at = self._ran_at  # another worker may have freed it, and forgotten the time, a moment later
        if ran_at is not None and self._clock.monotonic() - ran_at >= QUIET_S:
            self._ran_at = None
            self._detector.free()
            give_back()

    def abandon(self) -> None:
        """Look at nothing more: the run under way is cut short, what waits is given up. Any thread may call it."""
        self._abandoned.set()
        self._detector.batches.cut_short()

    def process(self, slots: Sequence[CameraSlot]) -> None:
        """Run the models on the crops of `slots` and hand each on."""
        started = self._clock.monotonic()
        looked = self._look(slots)
        self._metrics.stage.labels("detect").observe(self._clock.monotonic() - started)
        for slot in slots:
            (self._to_analyse if looked else self._give_up)(slot)

    def _look(self, slots: Sequence[CameraSlot]) -> bool:
        """Run the models; return whether they saw all of it."""
        if self._abandoned:
            return False
        try:
            if looking := [slot for slot in slots if slot.state.looks]:
                self._detect(looking)
                self._ran_at = self._clock.monotonic()
            if cut := [slot for slot in slots if slot.state.has_cuts]:
                self._classify(cut)
        except ModelError:
            if self._abandoned:
                return False
            raise
        return True

    def _classify(self, slots: Sequence[CameraSlot]) -> None:
        with self._second_lock:
            for make in self._second:
                make().process(slots)

    def _detect(self, slots: Sequence[CameraSlot]) -> None:
        inference = self._detector.infer([slot.state.looks for slot in slots])
        self._metrics.inference.observe(inference.seconds)
        self._metrics.batch.observe(len(inference.outputs))
        for slot, (detections, cuts) in zip(slots, self._detector.read(inference), strict=True):
            if cuts:
                self._metrics.crops_cut.labels(slot.camera).inc(cuts)
            slot.state.detections = detections
            self._metrics.objects.labels(slot.camera).inc(len(detections))
