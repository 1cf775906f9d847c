"""The picture itself is sick: frozen, dark, bright, blurred, covered, moved, noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol, runtime_checkable

from pydantic import Field

from surveil.rules.base import Places, RuleSettings
from surveil.types import Observation, Scene, Signal

EXTRA = "health"
"""The report's key in `Observation.extras`."""
CAMERA_MOVED = "camera_moved"
"""Name of the rule that is there where nobody else tells that the camera was moved."""
PictureState = Literal["frozen", "dark", "bright", "blurred", "covered", "moved", "noise"]
WORDS: dict[PictureState, str] = {
    "frozen": "the picture is frozen: frames arrive and nothing changes, not even the grain",
    "dark": "the picture is black",
    "bright": "the picture is white",
    "blurred": "the picture is out of focus",
    "covered": "the camera is covered",
    "moved": "the camera was turned or shifted",
    "noise": "the picture is full of noise",
}


@runtime_checkable
class Health(Protocol):
    """What is found in `Observation.extras`."""

    @property
    def states(self) -> tuple[str, ...]:
        """The states that are raised."""

    @property
    def measures(self) -> Mapping[str, float]:
        """The numbers behind them."""

    @property
    def displacement(self) -> tuple[float, float] | None:
        """Where the picture has moved by, shares of width and height."""


class PictureSettings(RuleSettings):
    """The picture can no longer be trusted."""

    type: Literal["picture"] = Field(
        default="picture",
        description="The picture is frozen, dark, bright, blurred, covered, moved or noisy.",
    )
    states: tuple[PictureState, ...] = Field(
        default=tuple(WORDS), min_length=1, description="Which of them are events."
    )
    after_s: float = Field(
        default=0.0, ge=0, le=86_400, description="Seconds before a raised state is an event."
    )


class PictureRule:
    """Signals one key per state while it is raised."""

    type = "picture"

    def __init__(self, settings: PictureSettings, _places: Places) -> None:
        self.settings = settings
        self.after_s = settings.after_s

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield a signal for each state that is raised and wanted."""
        health = _health(scene.observation)
        if health is None:
            return
        for state in self.settings.states:
            if state in health.states:
                details: dict[str, object] = {k: round(v, 4) for k, v in health.measures.items()}
                details["state"] = state
                yield Signal(
                    self.type, state, 1.0, state, text=WORDS[state] + _by(state, health), details=details
                )

    def reset(self) -> None:
        """It remembers nothing."""


def misfit(observation: Observation) -> str:
    """Say why zones, lines and learned models do not fit the picture: `moved`; nothing where they do.

    A picture that is covered or blurred is where it was: what can still be seen is worth alerting on.
    """
    # Asked of every frame: `isinstance` with a protocol takes ten times as long.
    states: tuple[str, ...] = getattr(observation.extras.get(EXTRA), "states", ())
    return "moved" if "moved" in states else ""


def _health(observation: Observation) -> Health | None:
    found = observation.extras.get(EXTRA)
    return found if isinstance(found, Health) else None


def _by(state: str, health: Health) -> str:
    """Return by how much the camera has moved, in words; empty when that is not known."""
    if state != "moved" or health.displacement is None:
        return ""
    dx, dy = health.displacement
    return f" by {abs(dx):.0%} of the width and {abs(dy):.0%} of the height"
