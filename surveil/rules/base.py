"""Common part of all rules: settings, the filter of objects, zones and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from pydantic import Field

from surveil.geometry import Line, inside
from surveil.reasons import Why
from surveil.rules.movers import ANY, IGNORED, is_ignored, unknown
from surveil.settings import Settings, Title
from surveil.types import Point, Polygon, Scene, Signal, Track

WhyOff = Callable[[float], Why]
"""Why a rule may not alert at a Unix time: `schedule` or `disarmed`; empty: it may."""


class RuleSettings(Settings):
    """Settings that every rule has; each names its `type`."""

    type: str

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        description="Name in alerts and metrics. Default: the type.",
    )
    title: Title = Field(default="", description="Display name in alerts and pictures; by default the name.")
    schedule: str | None = Field(
        default=None,
        description="Name of the schedule (`schedules`) within which the rule may alert. Default: the rule may always "
        "alert.",
    )
    linger_s: float = Field(
        default=2.0, ge=0, le=600, description="Time without a signal after which an event ends."
    )
    cooldown_s: float = Field(
        default=0.0,
        ge=0,
        le=86_400,
        description="Time after an alert during which no new event of the same zone and class opens. The signals that "
        "this suppresses are counted.",
    )

    decode: Literal["auto", "full"] = Field(
        default="auto",
        description="`full`: while the rule is armed and within its schedule, every picture of the camera is decoded, "
        "from the next key frame on, so that no short visit is missed. `auto`: the camera's `decode` "
        "applies.",
    )

    @property
    def needs_view(self) -> bool:
        """Whether the rule means nothing once the camera shows something else."""
        return bool(places_of(self))


class ObjectRuleSettings(RuleSettings):
    """Settings of rules about tracked objects."""

    classes: tuple[str, ...] = Field(
        default=("person",),
        min_length=1,
        description="Classes of objects. `any` means all classes, and also whatever moves on its own path (class "
        "`object`).",
    )
    ignore: tuple[str, ...] = Field(
        default=IGNORED,
        description="With `classes: [any]`: classes that are ignored if the model is sure of them.",
    )
    min_score: float = Field(default=0.0, ge=0, le=1, description="Minimum score of the object.")
    min_height: float = Field(
        default=0.0, ge=0, le=1, description="Minimum height, as a share of the frame's height."
    )
    max_height: float = Field(
        default=1.0, gt=0, le=1, description="Maximum height, as a share of the frame's height."
    )
    min_aspect: float = Field(default=0.0, ge=0, le=100, description="Minimum width ÷ height of the box.")
    max_aspect: float = Field(default=100.0, gt=0, le=100, description="Maximum width ÷ height of the box.")
    anchor: str = Field(
        default="foot",
        pattern="^(foot|centre)$",
        description="Reference point of the box: `foot` (bottom centre, on the ground) or `centre`.",
    )


@dataclass(frozen=True, slots=True)
class Places:
    """A camera's zones and lines, in fractions of the frame."""

    zones: Mapping[str, Polygon] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)


class Rule(Protocol):
    """Says what is true in a scene. Owned by one engine; pure: it may remember scenes, but knows no clock."""

    @property
    def settings(self) -> RuleSettings:
        """How long things must last, linger and cool down."""

    @property
    def type(self) -> str:
        """Its name in `RULES`."""

    @property
    def after_s(self) -> float:
        """An event opens when its key was signalled for so long, s."""

    def signals(self, scene: Scene) -> Iterable[Signal]:
        """Return what is true now."""

    def reset(self) -> None:
        """Forget objects: the camera was lost and track ids start again."""


@runtime_checkable
class Resumable(Protocol):
    """A rule that measures absence: it would take a time without pictures for one."""

    def resume(self, t: float) -> None:
        """Go on at stream time `t` (s) after a short loss, which does not count as absence."""


def rule_name(settings: RuleSettings) -> str:
    """Return the rule's name in alerts and metrics: its type unless it was given one."""
    return settings.name or settings.type


def name_of(rule: Rule) -> str:
    """Return the rule's name in alerts and metrics."""
    return rule_name(rule.settings)


def places_of(settings: RuleSettings) -> frozenset[str]:
    """Return the names of the zones and lines that a rule is about."""
    named = (getattr(settings, key, None) for key in ("zone", "line"))
    return frozenset(name for name in named if isinstance(name, str))


def anchor(track: Track, which: str, size: tuple[int, int]) -> Point:
    """Return the point of the track that counts, in fractions of the frame."""
    x1, y1, x2, y2 = track.box
    y = y2 if which == "foot" else (y1 + y2) / 2
    return ((x1 + x2) / 2 / size[0], min(y / size[1], 1.0))


def size_of(scene: Scene) -> tuple[int, int]:
    """Return width and height of the frame, px."""
    return scene.observation.width, scene.observation.height


def _of_classes(settings: ObjectRuleSettings, scene: Scene) -> Iterator[Track]:
    """Yield the tracks of the rule's classes; with `any` what else moves on its own path, too."""
    if ANY not in settings.classes:
        yield from (track for track in scene.tracks if track.label in settings.classes)
        return
    named = settings.classes
    for track in scene.tracks:
        if track.label in named or not is_ignored(track, settings.ignore):
            yield track
    yield from unknown(scene, scene.tracks)


def wanted(settings: ObjectRuleSettings, scene: Scene) -> Iterator[Track]:
    """Yield the tracks that pass the rule's filter."""
    _, height = size_of(scene)
    for track in _of_classes(settings, scene):
        if track.score < settings.min_score:
            continue
        w, h = track.box[2] - track.box[0], track.box[3] - track.box[1]
        tall = settings.min_height <= h / height <= settings.max_height
        if tall and settings.min_aspect <= w / max(h, 1e-6) <= settings.max_aspect:
            yield track


def within(settings: ObjectRuleSettings, zone: Polygon | None, scene: Scene) -> list[Track]:
    """Return the wanted tracks whose anchor lies in the zone (None: everywhere)."""
    size = size_of(scene)
    tracks = wanted(settings, scene)
    return [t for t in tracks if zone is None or inside(anchor(t, settings.anchor, size), zone)]


def by_class(tracks: Iterable[Track]) -> dict[str, Track]:
    """Return the surest track of each class."""
    best: dict[str, Track] = {}
    for track in tracks:
        if track.label not in best or track.score > best[track.label].score:
            best[track.label] = track
    return best
