"""Something that is not usual here: what learned normality found, held to the camera's budget of alerts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surveil.features.normality.result import Explanation, NormalityResult
from surveil.rules.base import Places, RuleSettings
from surveil.types import Scene, Signal

Attribute = Literal["speed", "direction", "energy", "static", "stay", "shape", "place", "object", "hour"]
"""What may be unusual; names as in `surveil.features.normality.attributes`."""


class AnomalySettings(RuleSettings):
    """Activity that is not normal here, as learned from the camera (needs `normality`)."""

    type: Literal["anomaly"] = Field(default="anomaly", description="Activity that is not normal here.")
    linger_s: float = Field(
        default=5.0, ge=0, le=600, description="Time without a signal after which an event ends."
    )
    attributes: tuple[Attribute, ...] = Field(
        default=(),
        description="Attributes to alert on: speed, direction, energy, static, stay, shape, place, object, hour. "
        "Default: all.",
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
        finding = scene.observation.findings.get(NormalityResult)
        if finding is None or not finding.alarm or finding.explanation is None:
            return
        why = finding.explanation
        if self.settings.attributes and why.attribute not in self.settings.attributes:
            return
        yield Signal(
            rule=self.type,
            key="anomaly",
            score=1.0 - 10.0**-finding.sustained,
            label=why.attribute,
            box=why.box,
            text=why.words,
            details=_details(finding, why),
        )

    def reset(self) -> None:
        """It remembers nothing."""


def _details(finding: NormalityResult, why: Explanation) -> dict[str, object]:
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
