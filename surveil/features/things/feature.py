"""The feature of left and removed objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surveil.features.base import CameraParts, Feature, Shared
from surveil.features.things.left_object import LeftObject, LeftObjectSettings
from surveil.features.things.removed_object import RemovedObject, RemovedObjectSettings
from surveil.features.things.things import ThingSettings
from surveil.rules import RuleKind

if TYPE_CHECKING:
    from surveil.pipeline.work import Analyser


def _needs(camera: CameraParts) -> object:
    return any(isinstance(rule, ThingSettings) for rule in camera.rules) or None


def _analyser(_camera: CameraParts, _shared: Shared) -> Analyser:
    from surveil.features.things.static_objects import StaticObjects  # noqa: PLC0415 - only where it is wanted

    return StaticObjects()


THINGS = Feature(
    rules={
        "left_object": RuleKind(LeftObjectSettings, LeftObject),
        "removed_object": RuleKind(RemovedObjectSettings, RemovedObject),
    },
    needs=_needs,
    analyser=_analyser,
)
