"""The rule `picture`: frozen, dark, bright, blurred, covered, moved, noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.features.health.report import HealthReport
from surveil.rules.base import Places, RuleSettings
from surveil.types import Scene, Signal
from surveil.wording import Said, say

CAMERA_MOVED = "camera_moved"
"""Name of the rule that is there where nobody else tells that the camera was moved."""
PictureState = Literal["frozen", "dark", "bright", "blurred", "covered", "moved", "noise"]
WORDS: dict[PictureState, Said] = {
    "frozen": say("the picture is frozen: frames arrive and nothing changes, not even noise"),
    "dark": say("the picture is black"),
    "bright": say("the picture is white"),
    "blurred": say("the picture is out of focus"),
    "covered": say("the camera is covered"),
    "moved": say("the camera was turned or shifted"),
    "noise": say("the picture is noisy"),
}


class PictureSettings(RuleSettings):
    """The picture can no longer be trusted."""

    type: Literal["picture"] = Field(
        default="picture",
        description="The picture is frozen, dark, bright, blurred, covered, moved or noisy.",
    )
    states: tuple[PictureState, ...] = Field(
        default=tuple(WORDS), min_length=1, description="Faults that raise events."
    )
    after_s: float = Field(default=0.0, ge=0, le=86_400, description="Time from a raised fault to an event.")


class PictureRule:
    """Signals one key per state while it is raised."""

    type = "picture"

    def __init__(self, settings: PictureSettings, _places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield a signal for each state that is raised and wanted."""
        health = scene.observation.findings.get(HealthReport)
        if health is None:
            return
        for state in self.settings.states:
            if state in health.states:
                details: dict[str, object] = {k: round(v, 4) for k, v in health.measures.items()}
                details["state"] = state
                yield Signal(
                    rule=self.type,
                    key=state,
                    score=1.0,
                    label=state,
                    text=_text(state, health),
                    details=details,
                )

    def reset(self) -> None:
        """It remembers nothing."""


def _text(state: PictureState, health: HealthReport) -> Said:
    """Return what is wrong, and by how much the camera has moved where that is known."""
    if state != "moved" or health.displacement is None:
        return WORDS[state]
    dx, dy = health.displacement
    return say(
        "the camera was turned or shifted by {dx:.0%} of the width and {dy:.0%} of the height",
        dx=abs(dx),
        dy=abs(dy),
    )
