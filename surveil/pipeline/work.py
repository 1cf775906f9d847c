"""What travels with a camera's slot from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from surveil.detect.letterbox import ModelInput
from surveil.features.classify.crops import Cut
from surveil.hidden import HiddenPicture
from surveil.pipeline.meters import Meters
from surveil.ring import Slot
from surveil.types import Bytes, Detections, Event, Floats, Frame, Motion, Picture, Polygon, Track
from surveil.vision.motion import plane_size

Crop = tuple[int, int, int, int]
"""x1 y1 x2 y2 in whole px of the frame."""


class FrameGate(Protocol):
    """Decides whether the detector looks at a frame, and where something moved."""

    def update(self, luma: Bytes, t: float, size: tuple[int, int], tracks: Sequence[Track]) -> Motion:
        """Compare the small picture of a frame of `size` (width, height) px with the ones before."""


class Planner(Protocol):
    """Chooses the parts of the picture that the detector looks at."""

    def plan(
        self, motion: Motion, tracks: Sequence[Track], size: tuple[int, int], t: float
    ) -> tuple[Crop, ...]:
        """Return crops that cover what moved and what is followed; none when the gate is closed."""


class Analyser(Protocol):
    """An optional look at the picture in `prepare`, such as picture health or learned normality.

    Its finding is in `Observation.extras[name]`. State is owned by the holder of the camera's slot.
    """

    @property
    def name(self) -> str:
        """The key of its finding."""

    def observe(self, view: PreparedFrame) -> object | None:
        """Look at one frame; None: nothing to say about this one."""


@runtime_checkable
class Remembers(Protocol):
    """An analyser whose memory of past frames means nothing after a loss."""

    def lost(self) -> None:
        """Note that the stream was interrupted."""


class CropSource(Protocol):
    """Cuts out of a frame what your own classifiers are to look at."""

    def cut(self, view: PreparedFrame) -> tuple[Cut, ...]:
        """Return the crops that are due, ready for their networks."""


class PreparedFrame:
    """One frame as the analysers see it: small luma planes are made once per size."""

    def __init__(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        motion: Motion | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        self.frame = frame
        self.tracks = tracks
        self.motion = motion
        self.events = events
        """Of the camera, open as of the frame before."""
        self.extras: dict[str, object] = {}
        """Findings of the analysers that looked before."""
        self._lumas: dict[tuple[int, int], Bytes] = {}

    def hiding(self, areas: Sequence[Polygon]) -> PreparedFrame:
        """Return the view without some areas (fractions of the frame), for whoever keeps what it sees."""
        if not areas:
            return self
        other = PreparedFrame(hiding(self.frame, areas), self.tracks, self.motion, self.events)
        other.extras = self.extras
        return other

    @property
    def picture(self) -> Picture:
        """The picture of the frame."""
        return self.frame.picture

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness, uint8 (height, width); read-only, since others see the same array."""
        size = (width, height)
        if size not in self._lumas:
            plane = self.frame.picture.luma(width, height)
            plane.setflags(write=False)
            self._lumas[size] = plane
        return self._lumas[size]

    def luma_of_height(self, height: int) -> Bytes:
        """Brightness at `height` rows, the width keeping the picture's aspect (even, at least 2)."""
        width = max(2, round(self.picture.width * height / self.picture.height / 2) * 2)
        return self.luma(width, height)


def hiding(frame: Frame, areas: Sequence[Polygon]) -> Frame:
    """Return the frame with areas of its picture blanked."""
    return replace(frame, picture=HiddenPicture(frame.picture, areas)) if areas else frame


@dataclass(slots=True)
class Work:
    """A camera's analysis state (`Slot.state`). Owned by the holder of the slot."""

    camera: str
    gate: FrameGate
    planner: Planner
    analysers: tuple[Analyser, ...] = ()
    cutter: CropSource | None = None
    """Present where rules want crops classified."""
    min_object_px: float = 40.0
    undetected: tuple[Polygon, ...] = ()
    """Areas that are blanked before anybody looks, in fractions of the frame."""
    tracks: tuple[Track, ...] = ()
    """The tracks as of the frame analysed before."""
    events: tuple[Event, ...] = ()
    """The events open as of the frame analysed before, or of the loss."""

    meters: Meters | None = None
    """Here, because they must go when the camera goes."""

    _size: tuple[int, int] = (0, 0)
    _plane: tuple[int, int] = (0, 0)

    # Of the frame in flight, filled from stage to stage.
    motion: Motion | None = None
    regions: Floats | None = None
    looks: tuple[ModelInput, ...] = ()
    """Crops that are ready for the model; empty: the gate is closed."""
    cuts: tuple[Cut, ...] = ()
    """Crops that are ready for classifiers."""
    detections: Detections | None = None
    extras: Mapping[str, object] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget the frame before, so that nothing of it can be taken for the next."""
        self.motion = self.regions = self.detections = None
        self.looks = ()
        self.cuts = ()
        self.extras = {}

    def lost(self) -> None:
        """Tell the analysers that the stream was interrupted."""
        for analyser in self.analysers:
            if isinstance(analyser, Remembers):
                analyser.lost()

    def plane(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the brightness plane that the gate wants for a frame of `size` px."""
        if size != self._size:
            self._size, self._plane = size, plane_size(*size, self.min_object_px)
        return self._plane


CameraSlot = Slot[Work]
