"""What a feature is: one folder and one line in `surveil.features.registry`.

A feature adds to the settings of a camera, to its rules, to what looks at its pictures, and to the metrics.
Whatever is costly to import is imported by the functions that a `Feature` names, when a camera wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from surveil.detect.settings import DetectSettings
from surveil.geometry import Line
from surveil.rules import RuleKind
from surveil.rules.base import RuleSettings
from surveil.settings import Settings
from surveil.types import Polygon

if TYPE_CHECKING:  # The registry is read by commands that run no pipeline.
    from surveil.alerts.evidence import Illustrate
    from surveil.clock import Clock
    from surveil.detect.settings import ModelSettings
    from surveil.metrics import Metrics, MetricsPart
    from surveil.pipeline.detect import SecondStage
    from surveil.pipeline.work import Analyser, CropSource
    from surveil.versions import Keeper

AnySettings = TypeVar("AnySettings", bound=Settings)
AnyResource = TypeVar("AnyResource")


class CameraParts(Protocol):
    """What a feature may know of a camera's configuration."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def rules(self) -> tuple[RuleSettings, ...]:
        """Its rules, those of all features among them."""

    @property
    def zones(self) -> Mapping[str, Polygon]:
        """Its zones, in fractions of the frame."""

    @property
    def lines(self) -> Mapping[str, Line]:
        """Its lines, in fractions of the frame."""

    @property
    def detect(self) -> DetectSettings:
        """How often the detector looks, and what it must find."""

    @property
    def masks(self) -> Mapping[str, Polygon]:
        """Areas in which nothing counts, in fractions of the frame."""

    @property
    def unstored(self) -> tuple[Polygon, ...]:
        """Areas that are blanked in whatever is stored."""

    def section(self, kind: type[AnySettings]) -> AnySettings:
        """Return the feature's own section of the camera's settings."""


class Shared:
    """What all cameras share: the metrics, and one resource of each type that features ask for."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self.metrics = metrics
        self.clock = clock
        self._resources: dict[type[object], object] = {}

    def get(self, kind: type[AnyResource]) -> AnyResource:
        """Return the resource of this type, made without arguments when it is first asked for."""
        if kind not in self._resources:
            self._resources[kind] = kind()
        found = self._resources[kind]
        assert isinstance(found, kind)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a camera's settings."""

    name: str
    settings: type[Settings]
    about: str
    """Its description in the reference."""


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where models are stored, and how they run."""

    state_dir: Path
    settings: ModelSettings


def _needs_nothing(_camera: CameraParts) -> object:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One optional ability, with everything that belongs to it."""

    section: Section | None = None
    rules: Mapping[str, RuleKind] = field(default_factory=dict)
    """By the `type` that the configuration names."""
    needs: Callable[[CameraParts], object] = _needs_nothing
    """What of a camera's settings its analyser or its crops are made of: equal needs, no new ones. None: the
    camera does not use the feature."""
    analyser: Callable[[CameraParts, Shared], Analyser] | None = None
    crops: Callable[[CameraParts, Shared], CropSource] | None = None
    second_stage: Callable[[Shared], SecondStage] | None = None
    """Runs further models on what `crops` cut out."""
    leave: Callable[[str, Shared], None] | None = None
    """Called with the name of a camera that used the feature and no longer does."""
    keeper: Callable[[Shared, ModelPlace], Keeper] | None = None
    """Makes what looks after the models of the feature, once a camera uses it."""
    metrics: Callable[[], type[MetricsPart]] | None = None
    illustrators: Mapping[str, Illustrate] = field(default_factory=dict)
    """By the type of rule: more pictures for its alerts."""
