"""The detect stage: batches of growing size, by several threads."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.clock import ManualClock, SystemClock
from surveil.detect.settings import ModelSettings
from surveil.errors import ModelError
from surveil.lane import Slot
from surveil.metrics import Metrics
from surveil.models.store import ModelStore, open_detector
from surveil.pipeline.detect import QUIET_S, DetectStage
from surveil.pipeline.work import Work
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.settings import MotionSettings
from tests.detect import tiny
from tests.resident import resident_mb

SIDES = (64, 128, 192, 256, 320)
"""Every camera's pictures have a size of their own, so that a mix-up shows in its boxes."""
ROUNDS = 40


@pytest.fixture
def detector(tmp_path):
    logits = np.full((4, 1), -9, np.float32)
    logits[2] = 3.0
    boxes = np.zeros((4, 4), np.float32)
    boxes[2] = (16, 16, 48, 48)
    (tmp_path / "m.onnx").write_bytes(tiny.model({"boxes": boxes, "logits": logits}))
    (tmp_path / "labels.txt").write_text("thing\n")
    return open_detector(
        ModelSettings(file=tmp_path / "m.onnx", labels=tmp_path / "labels.txt"), ModelStore()
    )


def slot_of(detector, side: int) -> Slot[Work]:
    gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
    planner = RegionPlanner(input_px=detector.input.side, min_object_px=40, max_crops=4, idle_interval_s=10.0)
    work = Work(camera=str(side), gate=gate, planner=planner)
    work.looks = (detector.prepare(tiny.grey(side, side), (0, 0, side, side)),)
    return Slot(str(side), work)


def test_larger_batches_come_into_use_as_they_are_warmed_up(detector):
    detector.batches._planned = (1, 2, 4)
    assert detector.most_frames == 1
    detector.batches.grow()
    assert detector.batches.sizes == (1, 2, 4)


def test_growing_ends_when_it_is_told_to(detector):
    detector.batches._planned = (1, 2, 4)
    detector.batches.stop_growing()
    detector.batches.grow()
    assert detector.batches.sizes == (1,)


def test_what_runs_work_with_is_freed_once_nothing_has_been_run_for_a_while():
    detector, clock, handed_on = open_detector(ModelSettings(), ModelStore()), ManualClock(), []
    stage = DetectStage(detector, handed_on.append, lambda _slot: None, Metrics(CollectorRegistry()), clock)
    stage.process([slot_of(detector, 320)])
    held = resident_mb()
    clock.advance(QUIET_S - 0.1)
    stage.rest()
    assert resident_mb() > held - 2
    clock.advance(0.2)
    stage.rest()
    assert resident_mb() < held - 15
    found, again = detector.trial.found, detector.try_people().found
    assert len(found) > 0
    assert np.array_equal(again.boxes, found.boxes)
    stage.process([slot_of(detector, 320)])
    assert len(handed_on) == 2


def test_two_workers_may_free_memory_at_the_same_time(detector):
    class Interrupted(ManualClock):
        """The other worker rests while this one asks for the time."""

        def monotonic(self) -> float:
            if meanwhile:
                meanwhile.pop()()
            return super().monotonic()

    meanwhile, clock = [], Interrupted()
    stage = DetectStage(detector, lambda _slot: None, lambda _slot: None, Metrics(CollectorRegistry()), clock)
    stage.process([slot_of(detector, 64)])
    clock.advance(QUIET_S)
    meanwhile.append(stage.rest)
    stage.rest()
    assert not meanwhile


def test_what_waits_when_the_stage_is_abandoned_is_given_up_and_not_looked_at(detector):
    handed_on, given_up = [], []
    stage = DetectStage(
        detector, handed_on.append, given_up.append, Metrics(CollectorRegistry()), SystemClock()
    )
    slots = [slot_of(detector, side) for side in SIDES]
    stage.process(slots[:1])
    stage.abandon()
    for slot in slots[1:]:
        stage.inbox.put(slot)
    stage.inbox.close()
    stage.run(lambda: None)
    assert (handed_on, given_up) == (slots[:1], slots[1:])
    with pytest.raises(ModelError):
        detector.detect([slot_of(detector, 64).state.looks])


@pytest.mark.parametrize("planned", [(1,), (1, 2, 4)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_slot_is_handed_on_once_with_what_was_found_in_its_own_picture(detector, threads, planned):
    detector.batches._planned = planned
    detector.batches.grow()

    served: Counter[str] = Counter()
    wrong: list[str] = []
    lock = threading.Lock()

    def hand_on(slot: Slot[Work]) -> None:
        side, found = int(slot.camera), slot.state.detections
        with lock:
            if not np.allclose(found.boxes, np.array([[0.25, 0.25, 0.75, 0.75]]) * side, atol=0.01):
                wrong.append(slot.camera)
            served[slot.camera] += 1
            if served[slot.camera] < ROUNDS:
                stage.inbox.put(slot)
            elif min(served[str(s)] for s in SIDES) == ROUNDS:
                stage.inbox.close()

    stage = DetectStage(detector, hand_on, wrong.append, Metrics(CollectorRegistry()), SystemClock())
    for side in SIDES:
        stage.inbox.put(slot_of(detector, side))
    workers = [threading.Thread(target=stage.run, args=(lambda: None,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert served == Counter({str(side): ROUNDS for side in SIDES})


class Tagger:
    """Notes whose crops it was given."""

    def __init__(self, served):
        self._served = served
        served.append("made")

    def process(self, slots):
        self._served += [slot.camera for slot in slots]


def test_what_runs_further_models_is_made_when_the_first_crop_waits(detector):
    served, handed_on = [], []
    stage = DetectStage(
        detector, handed_on.append, handed_on.append, Metrics(CollectorRegistry()), SystemClock(),
        second=[lambda: Tagger(served)],
    )  # fmt: skip
    seen = [served.copy()]
    for has_cuts in (False, True, True):
        slot = slot_of(detector, 64)
        slot.state.has_cuts = has_cuts
        stage.process([slot])
        seen.append(served.copy())
    assert seen == [[], [], ["made", "64"], ["made", "64", "64"]]
