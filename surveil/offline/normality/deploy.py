"""The check before a model is deployed: its footage, and whether it is better than the one in use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surveil.errors import StateError
from surveil.features.normality.budget import Threshold
from surveil.features.normality.draw import png, usual_maps
from surveil.features.normality.judge import footage_status
from surveil.features.normality.modelfile import LoadedModel
from surveil.features.normality.words import duration_words
from surveil.offline.normality.dataset import Dataset
from surveil.offline.normality.evaluate import BUDGET, NormalityReport, evaluate
from surveil.offline.normality.normality import Progress, quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What `surveil normality show` prints."""

    camera: str
    name: str
    frame: tuple[int, int]
    seen_s: float
    moving_s: float
    state: str
    """What the footage allows: learning, provisional, ready."""
    threshold: Threshold
    lines: tuple[str, ...]


def show(loaded: LoadedModel, budget: float = BUDGET, picture: Path | None = None) -> Shown:
    """Describe a model; write the maps of what is usual where to `picture` (PNG). Raises StateError."""
    model = loaded.model
    threshold = model.threshold(budget)
    state = footage_status(threshold).state.value
    seen, moved = (duration_words(max(1.0, s)) for s in (model.seen.seconds, model.seen.moving_s))
    lines = [
        f"camera {model.camera}, {model.width}x{model.height}, model {loaded.name}",
        f"learned from {seen}, something moved in {moved}",
        f"state by its footage: {state}",
        threshold.words(),
    ]
    lines += [f"class {label}: seen for {duration_words(max(1.0, float(s.weight.sum()) / 10))}"
              for label, s in sorted(model.objects.classes.items())]  # fmt: skip
    if picture is not None:
        try:
            picture.write_bytes(png(usual_maps(model)))
        except OSError as error:
            raise StateError(f"{picture}: cannot be written: {error.strerror}") from None
    return Shown(
        camera=model.camera,
        name=loaded.name,
        frame=(model.width, model.height),
        seen_s=model.seen.seconds,
        moving_s=model.seen.moving_s,
        state=state,
        threshold=threshold,
        lines=tuple(lines),
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new model beside the one in use, on the same held-out footage."""

    new: NormalityReport
    old: NormalityReport | None

    @property
    def better(self) -> bool:
        """Whether the new model is no worse in frame AUC and in false alarms; true when there is no old one."""
        if self.old is None:
            return True
        new, old = self.new.values(), self.old.values()
        auc = not new["frame_auc"] < old["frame_auc"]
        return auc and not new["false_alarms"] > old["false_alarms"]


def compare(
    new: LoadedModel,
    old: LoadedModel | None,
    held_out: Dataset,
    budget: float = BUDGET,
    progress: Progress = quiet,
) -> Comparison:
    """Evaluate a new model beside the old on held-out footage (labelled, or all normal)."""
    judged = evaluate(held_out, new, budget, progress)
    return Comparison(judged, None if old is None else evaluate(held_out, old, budget, progress))
