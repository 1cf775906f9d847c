"""`surveil train`: from a data set to a classifier and its evaluation.

Twice the same data, seed and options give the same classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from surveil.errors import ConfigError, StateError
from surveil.models.files import write_whole
from surveil.train.augment import augment
from surveil.train.classifier import Card, Classifier
from surveil.train.dataset import Item, PictureSet
from surveil.train.duplicates import find_duplicates, fingerprint
from surveil.train.evaluation import Evaluation, doubts, judge, threshold_for
from surveil.train.features import Backbone, Sees, in_batches
from surveil.train.head import Doubles, Fitted, Labels, choose, log_loss
from surveil.train.measures import Wanted
from surveil.train.onnxfile import classifier
from surveil.train.preprocess import Preprocess, resized
from surveil.train.split import TEST, TRAIN, VALIDATION, Split, split, units
from surveil.types import Bytes, Floats

Progress = Callable[[str, float], None]
"""What is being done, and how much of it, 0..1."""
FEWEST = 5
_WORK_PX = 512


def quiet(_what: str, _share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to train."""

    classes: tuple[str, ...] = ()
    """In this order, the last being what alerts are about; empty: all, sorted."""
    positive: str = ""
    """The class that the threshold is about; empty: the last."""
    preprocess: Preprocess = field(default_factory=Preprocess)
    variations: int = 4
    """Augmented variations of each training picture."""
    flip: bool = True
    """Mirroring keeps the class."""
    wanted: Wanted = field(default_factory=Wanted)
    test_cameras: frozenset[str] = frozenset()
    beside: Path | None = None
    """A deployed classifier, to be judged on the same test pictures."""
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Worth:
    """What the chosen pre-processing is worth: log loss and accuracy on validation, without and with it."""

    plain: tuple[float, float]
    chosen: tuple[float, float]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data set, divided, with class numbers."""

    data: PictureSet
    classes: tuple[str, ...]
    labels: Labels
    split: Split
    duplicates: int


def prepare(data: PictureSet, options: Options, progress: Progress = quiet) -> Prepared:
    """Choose the classes, find near-duplicates, divide. Raises ConfigError for data that cannot be trained on."""
    classes = options.classes or data.classes
    data = data.only(classes)
    if len(set(classes)) < 2:
        raise ConfigError(
            [f"{data.folder}: has one class only, {classes[0]!r}: there is nothing to tell apart"]
        )
    if options.positive and options.positive not in classes:
        raise ConfigError([f"positive class {options.positive!r} is none of {', '.join(classes)}"])
    few = [f"{data.folder}: class {c!r} has {n} pictures; at least {FEWEST} are needed, better hundreds"
           for c, n in data.counts.items() if n < FEWEST]  # fmt: skip
    if few:
        raise ConfigError(few)
    pairs = near_duplicates(data, progress)
    labels = np.array([classes.index(item.label) for item in data.items], np.int64)
    divided = split(data.items, pairs, options.seed, options.test_cameras)
    return Prepared(data, classes, labels, divided, len(pairs))


def near_duplicates(data: PictureSet, progress: Progress = quiet) -> list[tuple[int, int]]:
    """Return pairs of pictures that are nearly the same."""
    prints = []
    for i, item in enumerate(data.items):
        prints.append(fingerprint(data.read(item)))
        progress("looking for near-duplicates", (i + 1) / len(data.items))
    return find_duplicates(prints)


def train(
    data: PictureSet, target: Path, options: Options | None = None, progress: Progress = quiet
) -> Trained:
    """Learn a head on the frozen network, calibrate it, choose the threshold, test it, write it to `target`.

    Raises ConfigError for data that cannot be trained on, ModelError when the network cannot be loaded,
    StateError when the file cannot be written; then nothing is left behind.
    """
    options = options or Options()
    ready = prepare(data, options, progress)
    backbone = Backbone(options.threads)
    fitted, plain = fit_head(ready, options, backbone, progress)
    probabilities = fitted.head.probabilities(plain)
    worth = _worth(ready, options, backbone, plain) if options.preprocess != _default(options) else None
    card = make_card(ready, options, probabilities, target.stem, "head")
    content = classifier(backbone.path.read_bytes(), fitted.head, card.metadata())
    return finish(ready, content, card, target, probabilities, fitted, options, worth)


def fit_head(
    ready: Prepared, options: Options, backbone: Sees, progress: Progress = quiet
) -> tuple[Fitted, Floats]:
    """Fit a head on the frozen network; return it, and the features of every picture as it is."""
    plain = _plain_features(ready, options.preprocess, backbone, progress)
    varied, of = _varied_features(ready, options, backbone, progress)
    mine, held = ready.split.of(TRAIN), ready.split.of(VALIDATION)
    learned = np.concatenate([plain[mine], varied]), np.concatenate([ready.labels[mine], ready.labels[of]])
    progress("fitting", 0.0)
    fitted = choose(learned, (plain[held], ready.labels[held]), len(ready.classes))
    progress("fitting", 1.0)
    return fitted, plain


def make_card(ready: Prepared, options: Options, probabilities: Doubles, name: str, how: str) -> Card:
    """Choose the threshold on validation and describe the model with its figures on the test split."""
    positive = options.positive or ready.classes[-1]
    held, tested = ready.split.of(VALIDATION), ready.split.of(TEST)
    items = ready.data.items
    threshold = threshold_for(
        ready.classes, probabilities[held], [items[i] for i in held], positive, options.wanted
    )
    evaluation = judge(
        name,
        ready.classes,
        probabilities[tested],
        [items[i] for i in tested],
        ready.split.unit[tested],
        positive,
        threshold,
    )
    learned = sorted(items[i].sha256[:12] for side in (TRAIN, VALIDATION) for i in ready.split.of(side))
    scores = probabilities[held, ready.classes.index(positive)]
    quantiles = tuple(round(float(q), 5) for q in np.quantile(scores, np.linspace(0, 1, 21)))
    return Card(
        name, ready.classes, options.preprocess, ready.data.sha256, positive, threshold,
        {k: round(v, 5) for k, v in evaluation.values().items() if np.isfinite(v)}, how, tuple(learned),
        quantiles,
    )  # fmt: skip


def finish(
    ready: Prepared, content: bytes, card: Card, target: Path, probabilities: Doubles,
    fitted: Fitted, options: Options, worth: Worth | None = None,
    history: tuple[tuple[float, float, float], ...] = (),
) -> Trained:  # fmt: skip
    """Write the file whole or not at all, and judge what it will say: what is written is what is tested."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, content)
    except OSError as error:
        raise StateError(f"{target}: cannot be written: {error.strerror}") from None
    tested = ready.split.of(TEST)
    items = [ready.data.items[i] for i in tested]
    unit = ready.split.unit[tested]
    scores = probabilities[tested]
    evaluation = judge(card.name, ready.classes, scores, items, unit, card.positive, card.threshold)
    cautions = doubts(ready.data.items, items, len(set(unit.tolist())))
    other, why = _beside(options, ready, items, unit)
    return Trained(
        target, card, evaluation,
        {"train": len(ready.split.of(TRAIN)), "validation": len(ready.split.of(VALIDATION)), "test": len(tested)},
        ready.duplicates, ready.data.problems, (*cautions, *why), fitted.losses, worth, history, other,
    )  # fmt: skip


def _beside(
    options: Options, ready: Prepared, items: Sequence[Item], unit: Labels
) -> tuple[Evaluation | None, tuple[str, ...]]:
    """Judge the deployed classifier on the same pictures; also say why that would not be fair."""
    if options.beside is None:
        return None, ()
    model = Classifier(options.beside, options.threads)
    if set(model.card.labels) != set(ready.classes):
        return None, (f"the deployed classifier has other classes: {', '.join(model.card.labels)}",)
    known = sum(item.sha256[:12] in model.card.seen for item in items)
    why = f"the deployed classifier has learned from {known} of the test pictures and looks better than it is"
    return _judged(model, ready.data, items, unit), (why,) if known else ()


def _judged(model: Classifier, data: PictureSet, items: Sequence[Item], unit: Labels) -> Evaluation:
    """Judge a file on pictures, read as the daemon reads them."""
    scores = model.probabilities([data.read(item) for item in items]).astype(np.float64)
    card = model.card
    return judge(card.name, card.labels, scores, items, unit, card.positive, card.threshold)


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
    if len({item.label for item in items}) < 2:
        raise ConfigError(
            [f"{data.folder}: {path.name} has learned from all but {len(items)} pictures of one class, or from alike"]
        )  # fmt: skip
    evaluation = _judged(model, data, items, unit[fresh])
    return Trained(
        path, model.card, evaluation, {"learned from or alike": len(data.items) - len(items), "judged": len(items)},
        len(pairs), data.problems, doubts(items, items, len(set(unit[fresh].tolist()))), (),
    )  # fmt: skip


def shrunk(rgb: Bytes) -> Bytes:
    """Return a large picture at twice the network's size, so that varying it costs what a small one costs."""
    scale = _WORK_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    return resized(rgb, max(2, round(rgb.shape[1] * scale)), max(2, round(rgb.shape[0] * scale)))


def _plain_features(ready: Prepared, preprocess: Preprocess, backbone: Sees, progress: Progress) -> Floats:
    """Features of every picture as it is: float32 (n, d)."""
    pictures = (preprocess.apply(ready.data.read(item)) for item in ready.data.items)
    return _run(pictures, len(ready.data.items), backbone, "looking at pictures", progress)


def _varied_features(
    ready: Prepared, options: Options, backbone: Sees, progress: Progress
) -> tuple[Floats, Labels]:
    """Features of variations of the training pictures, and which picture each is of."""
    mine = ready.split.of(TRAIN)

    def vary() -> Iterator[Bytes]:
        for i in mine:
            picture = shrunk(ready.data.read(ready.data.items[i]))
            rng = np.random.default_rng([options.seed, int(ready.data.items[i].sha256[:12], 16)])
            for _ in range(options.variations):
                yield options.preprocess.apply(augment(picture, rng, options.flip))

    of = np.repeat(mine, options.variations)
    return _run(vary(), len(of), backbone, "varying pictures", progress), of


def _run(pictures: Iterator[Bytes], count: int, backbone: Sees, what: str, progress: Progress) -> Floats:
    rows: list[Floats] = []
    done = 0
    for batch in in_batches(pictures):
        rows.append(backbone.features(batch))
        done += len(batch)
        progress(what, done / max(1, count))
    return np.concatenate(rows) if rows else np.zeros((0, 1392), np.float32)


def _default(options: Options) -> Preprocess:
    return Preprocess(size=options.preprocess.size)


def _worth(ready: Prepared, options: Options, backbone: Backbone, chosen: Floats) -> Worth:
    """Fit with and without the chosen pre-processing, on pictures as they are."""
    without = _plain_features(ready, _default(options), backbone, quiet)
    return Worth(_validated(ready, without), _validated(ready, chosen))


def _validated(ready: Prepared, features: Floats) -> tuple[float, float]:
    mine, held = ready.split.of(TRAIN), ready.split.of(VALIDATION)
    fitted = choose(
        (features[mine], ready.labels[mine]), (features[held], ready.labels[held]), len(ready.classes)
    )
    logits = fitted.head.logits(features[held])
    return log_loss(logits, ready.labels[held]), float((logits.argmax(1) == ready.labels[held]).mean())
