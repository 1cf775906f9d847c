"""The stage that runs every model: whatever is ready as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from surveil.clock import Clock
from surveil.detect.detector import Detector, Inference
from surveil.metrics import Metrics
from surveil.pipeline.classify import ClassifyDesk
from surveil.pipeline.inbox import Inbox
from surveil.pipeline.work import CameraSlot

_POLL_S = 0.5
"""How often a thread that waits for its turn shows that it is alive."""


class DetectStage:
    """Takes what waits: all of it on a GPU, where a batch pays, one frame on a CPU, where it does not.

    No timer waits for a fuller batch: 5 ms of waiting bought 8 ms of age and no throughput.

    `run` is for `workers` threads. One at a time has the turn, to take a batch and to run the models over
    it; meanwhile another reads what the detector said of the batch before, so that a GPU need not wait for
    that (an H200 stood still for a third of the time when one thread did both).
    """

    def __init__(
        self, detector: Detector, to_analyse: Callable[[CameraSlot], None], metrics: Metrics, clock: Clock
    ) -> None:
        self.inbox: Inbox[CameraSlot] = Inbox()
        self._detector = detector
        self._classify = ClassifyDesk(metrics, clock)
        self._to_analyse = to_analyse
        self._metrics = metrics
        self._clock = clock
        self._turn = threading.Lock()

    @property
    def workers(self) -> int:
        """How many threads are worth running."""
        return self._detector.workers

    def run(self, beat: Callable[[], None]) -> None:
        """Serve until the inbox is closed and empty."""
        while not self.inbox.is_done:
            with self._my_turn(beat):
                slots = self.inbox.take(self._detector.most_frames, beat)
                inference = self._infer(slots) if slots else None
            if inference is not None:
                self._hand_on(slots, inference)

    @contextmanager
    def _my_turn(self, beat: Callable[[], None]) -> Iterator[None]:
        while not self._turn.acquire(timeout=_POLL_S):
            beat()
        try:
            yield
        finally:
            self._turn.release()

    def process(self, slots: Sequence[CameraSlot]) -> None:
        """Run the models on the crops of `slots` and hand each on."""
        self._hand_on(slots, self._infer(slots))

    def _infer(self, slots: Sequence[CameraSlot]) -> Inference:
        """Run every model; what the detector said is not read yet."""
        inference = self._detector.infer([slot.state.looks for slot in slots])
        if inference.outputs:
            self._metrics.inference.observe(inference.seconds)
            self._metrics.batch.observe(len(inference.outputs))
        self._classify.process(slots)
        return inference

    def _hand_on(self, slots: Sequence[CameraSlot], inference: Inference) -> None:
        found = self._detector.decode(inference)
        self._metrics.stage.labels("detect").observe(self._clock.monotonic() - inference.started)
        for slot, detections in zip(slots, found, strict=True):
            if slot.state.looks:
                slot.state.detections = detections
                self._metrics.objects.labels(slot.camera).inc(len(detections))
            self._to_analyse(slot)
