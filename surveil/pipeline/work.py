"""The analysis state that travels with a camera's slot from stage to stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from surveil.detect.letterbox import ModelInput
from surveil.lane import Backlog, Slot
from surveil.metrics import Metrics
from surveil.types import (
    NO_FINDINGS,
    Detections,
    Event,
    Finding,
    Findings,
    Floats,
    Frame,
    GateDecision,
    Motion,
    Polygon,
    Track,
)
from surveil.view import FrameView, hiding
from surveil.vision.foresight import NO_EDGES, Foresight
from surveil.vision.motion import MotionGate, plane_size
from surveil.vision.regions import RegionPlanner


class Analyser(Protocol):
    """An optional look at the picture in `prepare`, such as picture health or learned normality.

    Its state is owned by the holder of the camera's slot.
    """

    @property
    def wants_all(self) -> bool:
        """Whether it has to see every picture now, also where nothing moves."""

    def observe(self, view: FrameView) -> Finding | None:
        """Look at one frame; None: nothing to say about this one."""

    def lost(self) -> None:
        """Note that the stream was interrupted."""


class CropSource(Protocol):
    """Cuts out of a frame what further models look at, and keeps it until they have."""

    def cut(self, view: FrameView) -> bool:
        """Cut out what is due; return whether anything waits."""


CALM_S = 2.0
"""Nothing moves, is followed or open for so long before a camera may be looked at less often."""


class Meters:
    """What `prepare` counts one camera's frames with.

    Bound once: finding a series takes ten times as long as counting.
    """

    def __init__(self, metrics: Metrics, camera: str) -> None:
        self.age = metrics.frame_age.labels(camera)
        self.late_age = metrics.late_age.labels(camera)
        self.gates = {gate: metrics.gate.labels(camera, gate.value) for gate in GateDecision}
        self.motion_share = metrics.motion_share.labels(camera)
        self.crops = metrics.crops.labels(camera)


@dataclass(slots=True, kw_only=True)
class Work:
    """A camera's analysis state (`Slot.state`). Owned by the holder of the slot."""

    camera: str
    gate: MotionGate
    planner: RegionPlanner
    analysers: tuple[Analyser, ...] = ()
    cutters: tuple[CropSource, ...] = ()
    """Where rules want crops classified."""
    min_object_px: float = 40.0
    undetected: tuple[Polygon, ...] = ()
    """Areas that are blanked before anything looks, in fractions of the frame."""
    tracks: tuple[Track, ...] = ()
    """The tracks as of the frame analysed before."""
    doubtful: tuple[Track, ...] = ()
    """New objects that wait for another look to be believed, as of the frame analysed before."""
    events: tuple[Event, ...] = ()
    """The events open as of the frame analysed before, or of the loss."""

    foresight: Foresight = NO_EDGES
    """Where zones and lines are, as of the frame analysed before."""
    pending: bool = False
    """Signals wait for their outcome, as of the frame analysed before."""
    stirred: float | None = None
    """Stream time of the last frame that gave reason to look at every one, or of the first, s."""
    meters: Meters | None = None
    """Here, because they must go when the camera goes."""

    _size: tuple[int, int] = (0, 0)
    _plane: tuple[int, int] = (0, 0)

    # Of the frame in flight, filled from stage to stage.
    watched: tuple[FrameView, Motion] | None = None
    """A view of it and what moved, where the gate has seen it already."""
    asleep: Backlog | None = None
    """What it was taken from as a look, while the pictures around it wait encoded."""
    motion: Motion | None = None
    regions: Floats | None = None
    closest: float = 0.0
    """Longer side of the smallest crop that its planner chooses, px."""
    looks: tuple[ModelInput, ...] = ()
    """Crops that are ready for the model; empty: the gate is closed."""
    has_cuts: bool = False
    """Whether crops wait for further models."""
    detections: Detections | None = None
    findings: Findings = NO_FINDINGS

    def clear(self) -> None:
        """Forget the frame before, so that nothing of it can be taken for the next."""
        self.watched = self.asleep = self.motion = self.regions = self.detections = None
        self.looks, self.closest = (), 0.0
        self.has_cuts = False
        self.findings = NO_FINDINGS

    @property
    def is_stirred(self) -> bool:
        """Whether something asks for every picture, as of the frame analysed before."""
        followed = any(not track.is_settled for track in self.tracks)
        return bool(self.wants_all or followed or self.doubtful or self.events or self.pending)

    def calmed(self, t: float) -> bool:
        """Take note of what asks for every picture at stream time `t`; return whether nothing has for a while."""
        if self.is_stirred:
            self.stirred = t
        return self.stirred is not None and t - self.stirred >= CALM_S

    @property
    def wants_all(self) -> bool:
        """Whether an analyser has to see every picture now."""
        return any(analyser.wants_all for analyser in self.analysers)

    @property
    def followed(self) -> tuple[Track, ...]:
        """What is looked at again: tracks, and at once what was found once, before a round of the tiles is over."""
        return (*self.tracks, *self.doubtful)

    def watch(self, frame: Frame) -> tuple[FrameView, Motion]:
        """Show a frame to the gate; return a view of it, and what moved."""
        frame = hiding(frame, self.undetected)
        size = (frame.picture.width, frame.picture.height)
        view = FrameView(frame, self.tracks, events=self.events)
        motion = view.motion = self.gate.update(view.luma(*self.plane(size)), frame.t, size, self.followed)
        return view, motion

    def lost(self) -> None:
        """Tell the analysers that the stream was interrupted."""
        for analyser in self.analysers:
            analyser.lost()

    def plane(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the brightness plane that the gate wants for a frame of `size` px."""
        if size != self._size:
            self._size, self._plane = size, plane_size(*size, self.min_object_px)
        return self._plane


CameraSlot = Slot[Work]
