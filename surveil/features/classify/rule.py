"""A class that your own classifier sees: in the whole picture, in a zone, or on an object that is followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from surveil.features.classify.finding import Classification, Classifications
from surveil.rules.base import Places, RuleSettings
from surveil.types import Scene, Signal
from surveil.wording import Said, say


class ClassifiedSettings(RuleSettings):
    """A classifier that you trained detects a class (`surveil train`, `surveil models deploy`)."""

    type: Literal["classified"] = Field(
        default="classified", description="Your own classifier detects a class."
    )
    model: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$", description="Name of the deployed classifier.")
    class_: str = Field(alias="class", min_length=1, description="The class to alert on.")
    min_score: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Minimum probability. Default: the threshold chosen in training, else 0.5.",
    )
    on: Literal["frame", "zone", "track"] = Field(
        default="frame",
        description="Input: the whole picture, a zone's bounding box, or each tracked object.",
    )
    zone: str | None = Field(default=None, description="Zone to classify; required with `on: zone`.")
    classes: tuple[str, ...] = Field(
        default=("person",), min_length=1, description="Classes of objects to classify with `on: track`."
    )
    every_s: float = Field(default=1.0, ge=0.05, le=3600, description="Interval between two classifications.")
    after_s: float = Field(default=2.0, ge=0, le=3600, description="Time before an event opens.")
    linger_s: float = Field(
        default=5.0, ge=0, le=600, description="Time without a signal after which an event ends."
    )

    @model_validator(mode="after")
    def _zone_where_needed(self) -> ClassifiedSettings:
        if self.on == "zone" and self.zone is None:
            raise ValueError("`on: zone` needs a 'zone'")
        if self.on != "zone" and self.zone is not None:
            raise ValueError("'zone' applies only with `on: zone`")
        return self

    @property
    def needs_view(self) -> bool:
        """Whether the view matters: objects look alike wherever they are seen."""
        return self.on != "track"


class Classified:
    """Signals `model/class` (and the zone or track) while the class is seen.

    A finding counts until the next look is due and half as long again, since not every frame is looked at.
    """

    type = "classified"

    def __init__(self, settings: ClassifiedSettings, places: Places) -> None:  # noqa: ARG002 - as every rule is made
        self.settings = settings
        self.after_s = settings.after_s
        self._seen: dict[int | None, tuple[float, Signal]] = {}

    def signals(self, scene: Scene) -> Iterator[Signal]:
        """Yield a signal per place or object on which the class was seen at the last look."""
        found = scene.observation.findings.get(Classifications)
        for finding in found.looks if found else ():
            if self._is_mine(finding, scene):
                self._note(finding, scene.t)
        oldest = scene.t - 1.5 * self.settings.every_s
        live = {track.id for track in scene.tracks}
        self._seen = {
            key: (t, signal)
            for key, (t, signal) in self._seen.items()
            if t >= oldest and (key is None or key in live)
        }
        yield from (signal for _, signal in self._seen.values())

    def reset(self) -> None:
        """Forget what was seen: track ids start again."""
        self._seen.clear()

    def _is_mine(self, finding: Classification, scene: Scene) -> bool:
        wanted = self.settings
        if (finding.model, finding.on) != (wanted.model, wanted.on):
            return False
        if wanted.on == "zone":
            return finding.zone == wanted.zone
        return wanted.on == "frame" or any(
            t.id == finding.track and t.label in wanted.classes for t in scene.tracks
        )

    def _note(self, finding: Classification, t: float) -> None:
        score = finding.scores.get(self.settings.class_, 0.0)
        if score < self._limit(finding):
            self._seen.pop(finding.track, None)
        else:
            self._seen[finding.track] = (t, self._signal(finding, score))

    def _limit(self, finding: Classification) -> float:
        if self.settings.min_score is not None:
            return self.settings.min_score
        return finding.thresholds.get(self.settings.class_, 0.5)

    def _signal(self, finding: Classification, score: float) -> Signal:
        what = self.settings.class_
        where = finding.zone or ("picture" if finding.track is None else f"track {finding.track}")
        return Signal(
            rule=self.type,
            key=f"{self.settings.model}/{what}/{where}",
            score=score,
            label=what,
            zone=finding.zone,
            track=finding.track,
            box=finding.box,
            text=_text(finding, what, score),
            details={
                "model": finding.model,
                "version": finding.version,
                "scores": {name: round(value, 4) for name, value in sorted(finding.scores.items())},
            },
        )


def _text(finding: Classification, what: str, score: float) -> Said:
    if finding.zone:
        return say("{label} ({score:.0%}) on {zone}", label=what, score=score, zone=finding.zone)
    if finding.track is None:
        return say("{label} ({score:.0%}) on picture", label=what, score=score)
    return say("{label} ({score:.0%}) on track {track}", label=what, score=score, track=finding.track)
