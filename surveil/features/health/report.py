"""The finding of picture health for one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from surveil.reasons import Reason, Why
from surveil.types import Finding, PictureTrouble, ReferencePicture


class PictureFault(StrEnum):
    """What can be wrong with a picture: a closed set, because it is a metric label."""

    FROZEN = "frozen"
    DARK = "dark"
    BRIGHT = "bright"
    BLURRED = "blurred"
    COVERED = "covered"
    MOVED = "moved"
    NOISE = "noise"


_HIDING = frozenset({PictureFault.MOVED, PictureFault.COVERED, PictureFault.BLURRED})
"""Pictures that no longer show what a model knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport(Finding):
    """The states that are raised, and the numbers behind them."""

    states: tuple[PictureFault, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    """level, sharpness (share of the usual), lost (share), grain (levels), alike (-1..1)."""
    displacement: tuple[float, float] | None = None
    """Where the picture has moved by, shares of width and height; None: not moved, or no telling."""
    suspected: frozenset[PictureFault] = frozenset()
    """What looks wrong at the moment, whether or not it has lasted."""
    before: ReferencePicture | None = None
    """What the camera showed while all was well; there while anything is raised."""

    @property
    def misfit(self) -> Why:
        """`moved` while the camera looks elsewhere.

        A picture that is covered or blurred is where it was: what can still be seen is worth alerting on.
        """
        return Reason.MOVED if PictureFault.MOVED in self.states else ""

    @property
    def reference(self) -> ReferencePicture | None:
        """The picture from before the fault."""
        return self.before

    @property
    def trouble(self) -> PictureTrouble | None:
        """The states that are raised, as a reason not to learn."""
        if not self.states:
            return None
        return PictureTrouble(
            f"the picture is {', '.join(self.states)}", hides=not _HIDING.isdisjoint(self.states)
        )

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong, nor looks so."""
        return not self.states and not self.suspected
