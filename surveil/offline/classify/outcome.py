"""The result of a training: a model file with its card, judged on pictures that it has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surveil.errors import ConfigError, ModelError, StateError
from surveil.features.classify.classifier import Card, Classifier
from surveil.filesystem import make_folders, write_atomically
from surveil.offline.classify.dataset import Item, PictureSet
from surveil.offline.classify.evaluation import Evaluation, doubts, few_bins, judge, threshold_for
from surveil.offline.classify.head import Fitted, Labels
from surveil.offline.classify.measures import operating
from surveil.offline.classify.objections import promises
from surveil.offline.classify.prepared import Options, Prepared, Progress, near_duplicates, quiet
from surveil.offline.classify.split import TEST, TRAIN, VALIDATION, units
from surveil.types import Doubles


@dataclass(frozen=True, slots=True)
class Worth:
    """What the chosen pre-processing is worth: log loss and accuracy on validation, without and with it."""

    plain: tuple[float, float]
    chosen: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training made."""

    path: Path
    card: Card
    evaluation: Evaluation
    sizes: dict[str, int]
    """Pictures in train, validation, test."""
    duplicates: int
    """Pairs of near-duplicates that were kept on one side."""
    problems: tuple[str, ...]
    """Pictures that were left out, and why."""
    warnings: tuple[str, ...]
    """What the data cannot carry."""
    penalties: tuple[tuple[float, float], ...]
    """(L2 penalty, log loss on validation)."""
    worth: Worth | None = None
    history: tuple[tuple[float, float, float], ...] = ()
    """Fine-tuning: loss on train, loss and accuracy on validation, per epoch."""
    beside: Evaluation | None = None
    """The deployed classifier on the same test pictures."""
    share: float | None = None
    """Fine-tuning: how much of it was taken, 0 (the frozen network) to 1."""


def make_card(ready: Prepared, options: Options, probabilities: Doubles, name: str, how: str) -> Card:
    """Choose the threshold on validation and describe the model with its figures on the test split."""
    positive = options.positive or ready.classes[-1]
    held, tested = ready.split.of(VALIDATION), ready.split.of(TEST)
    items = ready.data.items
    threshold = threshold_for(
        ready.classes, probabilities[held], [items[i] for i in held], positive, options.wanted
    )
    scores = probabilities[held, ready.classes.index(positive)]
    of_class = np.array([items[i].label == positive for i in held])
    promised = promises(operating(scores, of_class, threshold), of_class, options.wanted)
    evaluation = judge(
        name,
        ready.classes,
        probabilities[tested],
        [items[i] for i in tested],
        ready.split.unit[tested],
        positive,
        threshold,
        promised,
    )
    learned = sorted(items[i].sha256[:12] for side in (TRAIN, VALIDATION) for i in ready.split.of(side))
    quantiles = tuple(round(float(q), 5) for q in np.quantile(scores, np.linspace(0, 1, 21)))
    return Card(
        name=name,
        labels=ready.classes,
        preprocess=options.preprocess,
        dataset_sha256=ready.data.sha256,
        positive=positive,
        threshold=threshold,
        figures={k: round(v, 5) for k, v in evaluation.values().items() if np.isfinite(v)},
        how=how,
        seen=tuple(learned),
        quantiles=quantiles,
        promised=promised,
        objections=evaluation.objections,
    )


def finish(
    ready: Prepared, content: bytes, card: Card, target: Path, probabilities: Doubles,
    fitted: Fitted, options: Options, worth: Worth | None = None,
    history: tuple[tuple[float, float, float], ...] = (),
) -> Trained:  # fmt: skip
    """Judge what the file will say, then write it whole or not at all: what is written is what is tested."""
    tested = ready.split.of(TEST)
    items = [ready.data.items[i] for i in tested]
    unit = ready.split.unit[tested]
    scores = probabilities[tested]
    evaluation = judge(
        card.name, ready.classes, scores, items, unit, card.positive, card.threshold, card.promised
    )
    cautions = (*doubts(ready.data.items, items, len(set(unit.tolist()))), *few_bins(evaluation))
    other, why = _beside(options, ready, items, unit)
    try:
        make_folders(target.parent)
        write_atomically(target, content)
    except OSError as error:
        raise StateError(f"{target}: cannot be written: {error.strerror}") from None
    return Trained(
        path=target,
        card=card,
        evaluation=evaluation,
        sizes={
            "train": len(ready.split.of(TRAIN)),
            "validation": len(ready.split.of(VALIDATION)),
            "test": len(tested),
        },
        duplicates=ready.duplicates,
        problems=ready.data.problems,
        warnings=(*cautions, *why),
        penalties=fitted.losses,
        worth=worth,
        history=history,
        beside=other,
    )


def _beside(
    options: Options, ready: Prepared, items: Sequence[Item], unit: Labels
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Judge the deployed classifier on the same pictures; also say why that would not be fair."""
    if options.beside is None:
        return None, ()
    try:
        model = Classifier(options.beside, options.threads)
    except ModelError as error:
        return None, (f"the deployed classifier cannot be compared: {error}",)
    if set(model.card.labels) != set(ready.classes):
        return None, (f"the deployed classifier has other classes: {', '.join(model.card.labels)}",)
    known = sum(item.sha256[:12] in model.card.seen for item in items)
    why = f"the deployed classifier was trained on {known} of the test pictures; its figures are too good"
    return _judged(model, ready.data, items, unit), (why,) if known else ()


def _judged(model: Classifier, data: PictureSet, items: Sequence[Item], unit: Labels) -> Evaluation:
    """Judge a file on pictures, read as the daemon reads them."""
    scores = model.probabilities([data.read(item) for item in items]).astype(np.float64)
    card = model.card
    return judge(card.name, card.labels, scores, items, unit, card.positive, card.threshold, card.promised)


def evaluate_file(path: Path, data: PictureSet, threads: int = 2, progress: Progress = quiet) -> Trained:
    """Judge a classifier's file on the pictures of `data` that it has not learned from, nor anything alike.

    On the data set that it was trained on these are the pictures of the test split; on another one, all of it.
    Raises ConfigError when no such pictures of two classes are left, or `data` lacks a class.
    """
    model = Classifier(path, threads)
    data = data.only(model.card.labels)
    pairs = near_duplicates(data, progress)
    unit = units(data.items, pairs)
    seen = {int(unit[i]) for i, item in enumerate(data.items) if item.sha256[:12] in model.card.seen}
    fresh = [i for i in range(len(data.items)) if int(unit[i]) not in seen]
    items = [data.items[i] for i in fresh]
    lacking = sorted(set(data.classes) - {item.label for item in items})
    if len(data.classes) - len(lacking) < 2:
        raise ConfigError(
            [(f"{data.folder}: {path.name} was trained on all but {len(items)} pictures of one class, or on "
              f"near-duplicates; collect pictures of {', '.join(lacking)} at other times or places")]
        )  # fmt: skip
    evaluation = _judged(model, data, items, unit[fresh])
    return Trained(
        path=path,
        card=model.card,
        evaluation=evaluation,
        sizes={"trained on or alike": len(data.items) - len(items), "judged": len(items)},
        duplicates=len(pairs),
        problems=data.problems,
        warnings=(*doubts(items, items, len(set(unit[fresh].tolist()))), *few_bins(evaluation)),
        penalties=(),
    )
