"""Something that is not usual here: what learned normality found, held to the camera's budget of alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol, cast

from pydantic import Field

from surveil.rules.base import Places, RuleSettings
from surveil.types import Box, Scene, Signal

Attribute = Literal["speed", "direction", "energy", "static", "stay", "object", "hour"]
"""What may be unusual; names as in `surveil.features.normality.attributes`, which this must not know."""
EXTRA = "normality"
"""The finding's key in `Observation.extras`."""


class AnomalyExplanation(Protocol):
    """Why a frame is unusual."""

    @property
    def attribute(self) -> str:
        """What is unusual, an `Attribute`."""

    @property
    def words(self) -> str:
        """The explanation."""

    @property
    def box(self) -> Box:
        """Where, px of the frame."""

    @property
    def once_in_s(self) -> float:
        """How rare, s."""

    @property
    def numbers(self) -> Mapping[str, float]:
        """What was measured and what is usual, in the attribute's units."""


class AnomalyFinding(Protocol):
    """What learned normality says about one frame (see `surveil.features.normality.result`)."""

    @property
    def alarm(self) -> bool:
        """Unusual beyond the budget's threshold, by a valid model that may alert."""

    @property
    def sustained(self) -> float:
        """Decades of surprise."""

    @property
    def threshold(self) -> float:
        """Decades that make an alarm."""

    @property
    def surprise(self) -> Mapping[str, float]:
        """Decades by attribute."""

    @property
    def model(self) -> str:
        """Version and hash of the model."""

    @property
    def sha256(self) -> str:
        """Hash of the model."""

    @property
    def explanation(self) -> AnomalyExplanation | None:
        """Present with an alarm."""


class AnomalySettings(RuleSettings):
    """Something is not usual here, as learned from the camera (needs its `normality`)."""

    type: Literal["anomaly"] = Field(default="anomaly", description="Something is not usual here.")
    linger_s: float = Field(
        default=5.0, ge=0, le=600, description="The event ends when nothing signalled it for so long."
    )
    attributes: tuple[Attribute, ...] = Field(
        default=(),
        description="Alert only on these: speed, direction, energy, static, stay, object, hour. By default on all.",
    )

    @property
    def needs_view(self) -> bool:
        """Whether the view matters: normality was learned of it."""
        return True


class Anomaly:
    """Signals `anomaly` while the sustained score is over the threshold. The score is 1 at a certain alarm."""

    type = "anomaly"
    after_s = 0.0
    """The score has been sustained already."""

    def __init__(self, settings: AnomalySettings, places: Places) -> None:  # noqa: ARG002 - as every rule is made
        self.settings = settings

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield a signal while the finding is an alarm."""
        finding = cast("AnomalyFinding | None", scene.observation.extras.get(EXTRA))
        if finding is None or not finding.alarm or finding.explanation is None:
            return
        why = finding.explanation
        if self.settings.attributes and why.attribute not in self.settings.attributes:
            return
        yield Signal(
            self.type, "anomaly", 1.0 - 10.0**-finding.sustained, why.attribute, box=why.box, text=why.words,
            details=_details(finding, why),
        )  # fmt: skip

    def reset(self) -> None:
        """It remembers nothing."""


def _details(finding: AnomalyFinding, why: AnomalyExplanation) -> dict[str, object]:
    rounded = {name: round(value, 2) for name, value in sorted(finding.surprise.items())}
    details: dict[str, object] = {
        "attribute": why.attribute,
        "surprise": round(finding.sustained, 2),
        "threshold": round(finding.threshold, 2),
        "surprise_by_attribute": rounded,
        "model": finding.model,
        "model_sha256": finding.sha256,
        **{name: round(value, 2) for name, value in why.numbers.items()},
    }
    if why.once_in_s != float("inf"):
        details["once_in_s"] = round(why.once_in_s)
    return details
