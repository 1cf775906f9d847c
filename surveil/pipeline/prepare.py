"""The first stage: looks at the small picture, decides whether the models look, and fills their inputs.

Identical workers, as many as cores; a camera's state travels with its slot, so no two work on one camera.
"""

from __future__ import annotations

from collections.abc import Callable

from surveil.clock import Clock, Stop
from surveil.detect.detector import Detector
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.pipeline.pull import QUIET, pull
from surveil.pipeline.work import CameraSlot, Meters, Work
from surveil.ring import FrameRing
from surveil.types import Findings, Frame
from surveil.vision.regions import as_boxes


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
            work.regions = as_boxes(crops)
            work.looks = tuple(self._detector.prepare(picture, crop) for crop in crops)
            meters.crops.inc(len(crops))
