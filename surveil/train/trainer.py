"""`surveil train`: from a data set to a classifier and its evaluation.

Twice the same data, seed and options give the same classifier.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surveil.train.dataset import PictureSet
from surveil.train.features import Backbone, Sees
from surveil.train.head import Fitted, choose, log_loss
from surveil.train.onnxfile import classifier
from surveil.train.outcome import Trained, Worth, finish, make_card
from surveil.train.prepared import Options, Prepared, Progress, prepare, quiet
from surveil.train.preprocess import Preprocess
from surveil.train.split import TRAIN, VALIDATION
from surveil.train.views import plain_features, varied_features
from surveil.types import Floats


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
    plain = plain_features(ready, options.preprocess, backbone, progress)
    varied, of = varied_features(ready, options, backbone, progress)
    mine, held = ready.split.of(TRAIN), ready.split.of(VALIDATION)
    learned = np.concatenate([plain[mine], varied]), np.concatenate([ready.labels[mine], ready.labels[of]])
    progress("fitting", 0.0)
    fitted = choose(learned, (plain[held], ready.labels[held]), len(ready.classes))
    progress("fitting", 1.0)
    return fitted, plain


def _default(options: Options) -> Preprocess:
    return Preprocess(size=options.preprocess.size)


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
