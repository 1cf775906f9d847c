"""The objects in a recording, tracked as the daemon tracks them at its defaults."""

from __future__ import annotations

from collections.abc import Callable

from surveil.detect.detector import Detector
from surveil.detect.settings import DetectSettings
from surveil.engine import CameraEngine
from surveil.offline.normality.frames import Still
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Findings, Frame, Observation, Track
from surveil.view import FrameView
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import RegionPlanner, as_boxes
from surveil.vision.settings import MotionSettings
from surveil.vision.unchanged import UnchangedPlaces

_CAMERA = "recording"


class RecordedObjects:
    """Follows the objects of one recording: gate, crops, model and tracker. Used once, frame by frame."""

    def __init__(self, detector: Detector) -> None:
        settings = DetectSettings()
        self._least_px = settings.min_object_px
        self._detector = detector
        self._gate = MotionGate(MotionSettings(), idle_interval_s=settings.idle_interval_s)
        self._planner = RegionPlanner(
            input_px=detector.input.side,
            min_object_px=settings.min_object_px,
            max_crops=settings.max_crops,
            idle_interval_s=settings.idle_interval_s,
        )
        self._places = UnchangedPlaces(settings.min_object_px)
        self._engine = CameraEngine(_CAMERA, [], Tracker(TrackSettings()), labels=detector.labels)
        self._followed: tuple[Track, ...] = ()
        self.tracks: tuple[Track, ...] = ()
        """Of the last frame: those that are believed."""

    def look(self, still: Still) -> None:
        """Take the next frame. Raises `ModelError`."""
        picture, size = still.picture, (still.picture.width, still.picture.height)
        frame = Frame(camera=_CAMERA, seq=still.index, t=still.t, t_wall=still.t, picture=picture)
        view = FrameView(frame, self.tracks)
        plane = view.luma(*plane_size(*size, self._least_px))
        motion = view.motion = self._gate.update(plane, still.t, size, self._followed)
        unchanged = self._places.observe(view)
        crops = self._planner.plan(motion, self._followed, size, still.t)
        found = (
            self._detector.detect([[self._detector.prepare(picture, crop) for crop in crops]])[0]
            if crops
            else None
        )
        step = self._engine.step(
            Observation(
                frame, *size, motion=motion, detections=found, regions=as_boxes(crops) if crops else None,
                closest=self._planner.closest, findings=Findings([unchanged] if unchanged else []),
            )
        )  # fmt: skip
        self.tracks, self._followed = step.tracks, (*step.tracks, *step.doubtful)


Follow = Callable[[], RecordedObjects]
"""Begins with a recording."""
