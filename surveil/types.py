"""The values that are passed between stages: frozen, slotted, arrays read-only.

Boxes are x1 y1 x2 y2 in pixels of the original frame, origin top left. `t` is in seconds on the
stream's own time line and never steps; `t_wall` is Unix seconds, for people and sinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from surveil.reasons import Why

BoolMap = NDArray[np.bool_]
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Crop = tuple[int, int, int, int]
"""x1 y1 x2 y2 in whole px of the frame, inside it."""
Box = tuple[float, float, float, float]
Point = tuple[float, float]
Polygon = tuple[Point, ...]


class Picture(Protocol):
    """A decoded picture in the form it was decoded to; converting it is work, done only when asked for.

    Only the holder of a camera's slot may touch it: converting one picture from two threads crashes.
    """

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness scaled to uint8 (height, width)."""

    def rgb(self, box: Crop, width: int, height: int) -> Bytes:
        """The part x1 y1 x2 y2 (pixels) scaled to uint8 RGB (height, width, 3)."""

    def bgr(self) -> Bytes:
        """The whole picture as uint8 BGR (height, width, 3)."""


@dataclass(frozen=True, slots=True)
class ReferencePicture:
    """A picture that was kept, to be shown beside a later one."""

    jpeg: bytes
    t_wall: float  # Unix s


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One decoded frame of one camera. A gap in `seq` is a drop."""

    camera: str
    seq: int
    t: float  # stream time, s
    t_wall: float
    """Unix s at arrival (corrected by RTCP when it can be trusted)."""
    picture: Picture
    arrived: float = 0.0
    """Monotonic s when it left the decoder."""
    lag_s: float = 0.0
    """How far behind real time the stream was when it arrived; part of the frame's age."""
    damaged: bool = False  # decoded after damage and before the next key frame
    degraded: bool = False
    """Nothing but damaged pictures for longer than the camera's patience: analysed all the same."""
    late: bool = False
    """Kept encoded while the camera was idle, and decoded when something moved: old by design."""


class GateDecision(StrEnum):
    """Why the detector looks at a frame, or does not."""

    MOTION = "motion"
    TRACK = "track"
    IDLE = "idle"
    OFF = "off"
    """The gate is switched off in the configuration: every due frame is looked at."""
    CLOSED_STILL = "closed_still"
    CLOSED_GLOBAL = "closed_global"
    """Most of the picture changed at once: light switch, IR cut, PTZ sweep."""

    @property
    def is_open(self) -> bool:
        """Whether the detector looks."""
        return self not in (GateDecision.CLOSED_STILL, GateDecision.CLOSED_GLOBAL)


@dataclass(frozen=True, slots=True)
class Motion:
    """What moved since the last analysed frame."""

    gate: GateDecision
    boxes: Floats
    """float32 (n, 4) px of the frame: areas that moved."""
    share: float  # of the picture that moved, 0..1
    changed: BoolMap | None = None
    """bool (h, w): where the picture differs from half a minute ago or longer; None: not known."""
    all_new: bool = False
    """Whether any place may have changed: the whole picture did, or nothing was seen for long before this frame."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What the detector found: read-only arrays. Raises ValueError when the shapes do not agree."""

    boxes: Floats
    """float32 (n, 4) x1 y1 x2 y2 px of the original frame."""
    scores: Floats
    """float32 (n,) in 0..1."""
    classes: Ints
    """int32 (n,): index into the model's labels."""

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        n = len(self.boxes)
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,) or self.classes.shape != (n,):
            msg = (
                f"boxes must be (n, 4), scores (n,), classes (n,); got {self.boxes.shape}, "
                f"{self.scores.shape}, {self.classes.shape}"
            )
            raise ValueError(msg)
        for array in (self.boxes, self.scores, self.classes):
            array.setflags(write=False)

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        """Looked, found nothing."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class PictureTrouble:
    """Why a picture is not worth learning from."""

    text: str
    hides: bool
    """Whether it no longer shows what is usually there."""


class Finding:
    """What one analyser found in a frame: the base of each feature's own type."""

    __slots__ = ()

    @property
    def trouble(self) -> PictureTrouble | None:
        """What is wrong with the picture itself."""
        return None

    @property
    def misfit(self) -> Why:
        """Why zones, lines and learned models do not fit the picture, such as `moved`; empty: they fit."""
        return ""

    @property
    def reference(self) -> ReferencePicture | None:
        """An earlier picture that explains the finding."""
        return None


AnyFinding = TypeVar("AnyFinding", bound=Finding)


class Findings:
    """What analysers found in one frame, found again by its type. Never changes."""

    __slots__ = ("_by_type", "misfit", "reference")

    def __init__(self, found: Iterable[Finding] = ()) -> None:
        self._by_type: dict[type[Finding], Finding] = {type(one): one for one in found}
        self.misfit: Why = ""
        """The first misfit of a finding; empty where zones, lines and learned models fit the picture."""
        self.reference: ReferencePicture | None = None
        """The first earlier picture that a finding brings."""
        for one in self._by_type.values():
            self.misfit = self.misfit or one.misfit
            self.reference = self.reference or one.reference

    def get(self, kind: type[AnyFinding]) -> AnyFinding | None:
        """Return the finding of this very type; None where there is none."""
        found = self._by_type.get(kind)
        return found if isinstance(found, kind) else None

    def __iter__(self) -> Iterator[Finding]:
        """Iterate over the findings, in the order in which analysers looked."""
        return iter(self._by_type.values())


NO_FINDINGS = Findings()


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that was seen in one frame: the input of a `CameraEngine`."""

    frame: Frame
    width: int  # px of the original frame
    height: int
    motion: Motion | None = None
    detections: Detections | None = None  # None: the detector did not look
    regions: Floats | None = None
    """float32 (k, 4) px: where the detector looked; None with detections means everywhere."""
    closest: float = 0.0
    """Longer side of the smallest region that it can look at in this picture, px: nothing is seen from closer."""
    findings: Findings = field(default_factory=lambda: NO_FINDINGS)  # of analysers


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One object followed over time, as of one frame."""

    id: int
    label: str
    box: Box
    score: float
    t_first: float
    t_last: float
    """Stream time of the last detection that confirmed it, s."""
    velocity: Point = (0.0, 0.0)
    """px/s of the box centre."""
    stationary: bool = False
    missed: bool = False
    """Whether the last look at its place did not find it."""
    guessed: bool = False
    """Whether its box is a guess: no detection of this frame confirmed it."""
    previous: Box | None = None
    """Where it was in the frame analysed before; None for a new track."""

    @property
    def is_settled(self) -> bool:
        """Whether it is enough to look at it now and then: it stands still, and was there at the last look."""
        return self.stationary and not self.missed

    @property
    def foot(self) -> Point:
        """Bottom centre of the box, px: where an upright object touches the ground."""
        return ((self.box[0] + self.box[2]) / 2, self.box[3])


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules see: an observation and the tracks as of it."""

    observation: Observation
    tracks: tuple[Track, ...]
    """Confirmed tracks seen in this frame or coasting briefly."""

    @property
    def t(self) -> float:
        """Stream time, s."""
        return self.observation.frame.t


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A rule says: this is true now. Lives for one frame."""

    rule: str
    """The rule's name: unique within a camera."""
    key: str
    """Names the episode, not the track: `yard/person`, `door/left`."""
    score: float
    label: str = ""
    zone: str = ""
    line: str = ""
    direction: str = ""
    track: int | None = None
    box: Box | None = None
    text: str = ""
    """What happened, in words; empty: made from the other fields."""
    instant: bool = False
    """The event has no duration of its own (a crossing): it opens at once and each signal is one event."""
    since: float | None = None
    """Stream time, s, since when it is true, where that only shows later (loitering, crossings); None: since now."""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An episode: something that happened, with a duration."""

    id: str
    camera: str
    rule: str
    type: str
    key: str
    t_start: float
    t_wall_start: float
    signal: Signal
    """The strongest signal so far."""
    t_end: float | None = None


Phase = Literal["start", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message about an event. `id` is the idempotency key everywhere."""

    id: str
    event_id: str
    camera: str
    rule: str
    type: str
    """The rule's type; equals `rule` unless the rule was given a name."""
    key: str
    phase: Phase
    t: float
    t_wall: float
    score: float
    text: str
    label: str = ""
    zone: str = ""
    line: str = ""
    direction: str = ""
    track: int | None = None
    box: Box | None = None
    reason: str = ""
    """Why the event ended, a `Reason`; text, since stored alerts may have reasons of other versions."""
    degraded: bool = False
    sinks: tuple[str, ...] | None = None
    """Names of the sinks it goes to; None: all."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Kind (`snapshot`, `clean`, `clip`, …) → path relative to the state directory, or `missing:` and why."""
    details: Mapping[str, object] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    """Display names of its `camera`, `rule`, `zone` and `line`, where they have one."""

    def title(self, what: Literal["camera", "rule", "zone", "line"]) -> str:
        """Return the display name, or the id where there is none."""
        return self.titles.get(what) or str(getattr(self, what))
