"""`surveil train`: from a data set to a classifier and its evaluation.

Twice the same data, seed and options give the same classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surveil.features.classify.preprocess import CropPreprocess
from surveil.offline.classify.dataset import PictureSet
from surveil.offline.classify.features import Backbone, Sees
from surveil.offline.classify.head import Fitted, Head, Labels, choose, fit, log_loss
from surveil.offline.classify.onnxfile import classifier
from surveil.offline.classify.outcome import Trained, Worth, finish, make_card
from surveil.offline.classify.prepared import Options, Prepared, Progress, prepare, quiet
from surveil.offline.classify.split import TRAIN, VALIDATION
from surveil.offline.classify.views import plain_features, varied_features
from surveil.types import Doubles, Floats


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
    learned = fit_head(ready, options, backbone, progress)
    probabilities = learned.probabilities(ready)
    default = options.preprocess == _default(options)
    worth = None if default else _worth(ready, options, backbone, learned.plain)
    card = make_card(ready, options, probabilities, target.stem, "head")
    content = classifier(backbone.path.read_bytes(), learned.whole, card.metadata())
    return finish(ready, content, card, target, probabilities, learned.chosen, options, worth)


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """What was learned on the frozen network."""

    chosen: Fitted
    """On the training split: what it says of validation is honest, so everything is chosen by it."""
    whole: Head
    """The same penalty and temperature on training and validation split: a third more pictures."""
    plain: Floats
    """Features of every picture as it is, float32 (n, d)."""

    def probabilities(self, ready: Prepared) -> Doubles:
        """Return float64 (n, classes): of the whole head, but on validation of the one that has not learned it."""
        found, held = self.whole.probabilities(self.plain), ready.split.of(VALIDATION)
        found[held] = self.chosen.head.probabilities(self.plain[held])
        return found


def fit_head(ready: Prepared, options: Options, backbone: Sees, progress: Progress = quiet) -> TrainedHead:
    """Fit a head on the frozen network: on the training split, and again with validation when all is chosen."""
    plain = plain_features(ready, options.preprocess, backbone, progress)
    varied, of = varied_features(ready, options, backbone, progress)
    side, labels, classes = ready.split.side, ready.labels, len(ready.classes)

    def pictures(sides: tuple[int, ...]) -> tuple[Floats, Labels]:
        mine, theirs = np.isin(side, sides), np.isin(side[of], sides)
        return np.concatenate([plain[mine], varied[theirs]]), np.concatenate(
            [labels[mine], labels[of[theirs]]]
        )

    progress("fitting", 0.0)
    held = ready.split.of(VALIDATION)
    chosen = choose(pictures((TRAIN,)), (plain[held], labels[held]), classes)
    whole = fit(*pictures((TRAIN, VALIDATION)), classes, chosen.penalty).cooled(chosen.temperature)
    progress("fitting", 1.0)
    return TrainedHead(chosen, whole, plain)


def _default(options: Options) -> CropPreprocess:
    return CropPreprocess(size=options.preprocess.size)


def _worth(ready: Prepared, options: Options, backbone: Backbone, chosen: Floats) -> Worth:
    """Fit with and without the chosen pre-processing, on pictures as they are."""
    without = plain_features(ready, _default(options), backbone, quiet)
    return Worth(_validated(ready, without), _validated(ready, chosen))


def _validated(ready: Prepared, features: Floats) -> tuple[float, float]:
    mine, held = ready.split.of(TRAIN), ready.split.of(VALIDATION)
    fitted = choose(
        (features[mine], ready.labels[mine]), (features[held], ready.labels[held]), len(ready.classes)
    )
    logits = fitted.head.logits(features[held])
    return log_loss(logits, ready.labels[held]), float((logits.argmax(1) == ready.labels[held]).mean())
