"""The picture itself is sick: frozen, dark, bright, blurred, covered, moved, noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.features.health.report import HealthReport
from surveil.rules.base import Places, RuleSettings
from surveil.types import Scene, Signal

CAMERA_MOVED = "camera_moved"
"""Name of the rule that is there where nobody else tells that the camera was moved."""
PictureState = Literal["frozen", "dark", "bright", "blurred", "covered", "moved", "noise"]
WORDS: dict[PictureState, str] = {
    "frozen": "the picture is frozen: frames arrive and nothing changes, not even noise",
    "dark": "the picture is black",
    "bright": "the picture is white",
    "blurred": "the picture is out of focus",
    "covered": "the camera is covered",
    "moved": "the camera was turned or shifted",
    "noise": "the picture is noisy",
}


class PictureSettings(RuleSettings):
    """The picture can no longer be trusted."""

    type: Literal["picture"] = Field(
        default="picture",
        description="The picture is frozen, dark, bright, blurred, covered, moved or noisy.",
    )
    states: tuple[PictureState, ...] = Field(
        default=tuple(WORDS), min_length=1, description="Faults that are events."
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
                    text=WORDS[state] + _by(state, health),
                    details=details,
                )

    def reset(self) -> None:
        """It remembers nothing."""


def _by(state: str, health: HealthReport) -> str:
    """Return by how much the camera has moved, in words; empty when that is not known."""
    if state != "moved" or health.displacement is None:
        return ""
    dx, dy = health.displacement
    return f" by {abs(dx):.0%} of the width and {abs(dy):.0%} of the height"
