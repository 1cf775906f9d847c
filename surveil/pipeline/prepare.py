"""The prepare stage: the brightness plane, the motion gate, and the inputs of the models.

What is kept encoded is decoded here: far apart while nothing moves, every picture once something does.
Identical workers, as many as cores; a camera's state travels with its slot, so no two work on one camera.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from surveil.clock import Clock, Stop
from surveil.detect.detector import Detector
from surveil.lane import Backlog, Lost
from surveil.metrics import Metrics
from surveil.pipeline.work import CameraSlot, Meters, Work
from surveil.ring import FrameRing
from surveil.types import Findings, Frame, GateDecision, Motion
from surveil.view import FrameView
from surveil.vision.regions import as_boxes

QUIET = (GateDecision.CLOSED_STILL, GateDecision.IDLE)
"""The gate saw nothing move."""


class PrepareStage:
    """Shared by its workers; holds no state of its own but counters that are safe to share."""

    def __init__(
        self,
        ring: FrameRing[Work],
        detector: Detector,
        to_detect: Callable[[CameraSlot], None],
        to_analyse: Callable[[CameraSlot], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._ring = ring
        self._detector = detector
        self._to_detect = to_detect
        self._to_analyse = to_analyse
        self._metrics = metrics
        self._seconds = metrics.stage.labels("prepare")
        self._clock = clock

    def run(self, stop: Stop, beat: Callable[[], None]) -> None:
        """Serve until the ring is closed and empty, or on `stop`."""
        while slot := self._ring.take(stop, beat):
            self.process(slot)

    def process(self, slot: CameraSlot) -> None:
        """Prepare what the slot brings; hand it to the models, or past them when there is nothing to look at."""
        work = slot.state
        work.clear()
        if not isinstance(slot.item, Frame | Lost | None) and not pull(self._ring, slot, slot.item):
            self._ring.give_back(slot)
            return
        if isinstance(slot.item, Frame):
            started = self._clock.monotonic()
            age = max(0.0, started - slot.item.arrived) + slot.item.lag_s
            meters = work.meters = work.meters or Meters(self._metrics, slot.camera)
            (meters.late_age if slot.item.late else meters.age).observe(age)
            self._look(slot.item, work, meters)
            self._seconds.observe(self._clock.monotonic() - started)
        else:
            work.lost()
        (self._to_detect if work.looks or work.has_cuts else self._to_analyse)(slot)

    def _look(self, frame: Frame, work: Work, meters: Meters) -> None:
        view, motion = work.watched or work.watch(frame)
        work.watched = None  # it would keep the picture until the next
        view.asleep = work.asleep is not None
        work.motion = motion
        picture, size = view.picture, (view.picture.width, view.picture.height)
        if motion.gate not in QUIET or work.stirred is None:
            work.stirred = frame.t
        for analyser in work.analysers:
            if (finding := analyser.observe(view)) is not None:
                view.found.append(finding)
        if work.asleep is not None and work.wants_all:
            work.asleep.wake()  # for the pictures after this one
        work.findings = Findings(view.found)
        for cutter in work.cutters:
            work.has_cuts |= cutter.cut(view)
        meters.gates[motion.gate].inc()
        meters.motion_share.set(motion.share)
        crops = work.planner.plan(motion, work.followed, size, frame.t, work.foresight)
        if crops:
            work.regions, work.closest = as_boxes(crops), work.planner.closest
            work.looks = tuple(self._detector.prepare(picture, crop) for crop in crops)
            meters.crops.inc(len(crops))


def pull(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog) -> bool:
    """Put the picture that is analysed next into the slot; return False where there is none.

    A picture of a camera that sleeps is only looked at. Where it shows motion, or is damaged and shows nothing,
    everything since the look before is decoded first.
    """
    t = backlog.t
    if backlog.awake and _next(ring, slot, backlog, calm=isfinite(t) and slot.state.calmed(t)):
        return True
    look = backlog.look()
    if look is None:
        return backlog.awake and _next(ring, slot, backlog, calm=False)
    slot.state.watched = _watched(look, slot.state)
    if slot.state.watched is not None:
        slot.state.asleep = backlog
        return ring.admit_look(slot, look, backlog.stay())
    backlog.wake()
    return _next(ring, slot, backlog, calm=False)


def _next(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog, *, calm: bool) -> bool:
    admitted = any(ring.admit(slot, frame) for frame in backlog.frames(calm=calm))
    if skipped := backlog.take_skipped():
        ring.skip(slot, skipped)
    return admitted


def _watched(look: Frame, work: Work) -> tuple[FrameView, Motion] | None:
    """Return the view of a look that shows nothing, and what moved; None where the pictures before it are wanted.

    They come before it to the gate, which has not seen it then.
    """
    if not work.calmed(look.t) or (look.damaged and not look.degraded):
        return None
    before, work.gate = work.gate, work.gate.copy()
    view, motion = work.watch(look)
    if motion.gate in QUIET:
        return view, motion
    work.gate = before
    return None
