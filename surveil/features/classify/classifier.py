"""A trained classifier, ready to run: pictures in, probabilities out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import numpy as np

from surveil.detect.session import CPU, ModelSession, RunOn
from surveil.errors import DamagedModel, ModelError
from surveil.features.classify.preprocess import CropPreprocess
from surveil.filesystem import read_json
from surveil.models.files import sha256_of
from surveil.models.onnxfields import metadata
from surveil.types import Bytes, Floats

TASK = "classify"
BATCH = 16
"""Pictures in one call of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a classifier's file says about itself."""

    name: str
    labels: tuple[str, ...]
    preprocess: CropPreprocess
    dataset_sha256: str
    positive: str
    """The class that its threshold is about."""
    threshold: float
    figures: Mapping[str, float]
    """On the test split, when it was made."""
    how: str
    """`head` or `finetune`."""
    seen: tuple[str, ...] = ()
    """First 12 digits of the sha256 of every picture it was trained or validated on: it is judged on others."""
    quantiles: tuple[float, ...] = ()
    """Of the positive class's score on the validation split, 0 %, 5 % … 100 %: what drift is told from."""
    promised: Mapping[str, float] = field(default_factory=dict)
    """`false_alarms` and `missed`: shares that its threshold promises, by the validation split."""
    objections: tuple[str, ...] = ()
    """Why it should not be deployed, found on the test split."""

    def __post_init__(self) -> None:
        """Check what running it depends on. Raises ValueError."""
        if self.positive not in self.labels or len({*self.labels}) < len(self.labels):
            raise ValueError(f"the classes {self.labels} do not go with {self.positive!r}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold {self.threshold} is no probability")
        if len(self.quantiles) < 2 or not all(map(isfinite, self.quantiles)):
            raise ValueError("the scores of its validation are missing")

    def said(self, scores: Sequence[float]) -> str:
        """Return the class that these probabilities mean: the positive one at its threshold, else the likeliest."""
        which = self.labels.index(self.positive)
        if scores[which] >= self.threshold:
            return self.positive
        others = [k for k in range(len(self.labels)) if k != which]
        return self.labels[max(others, key=lambda k: scores[k])]

    def metadata(self) -> dict[str, str]:
        """Return it as stored in the file."""
        return {
            "surveil.task": TASK,
            "surveil.name": self.name,
            "surveil.labels": json.dumps(self.labels),
            "surveil.preprocess": self.preprocess.to_json(),
            "surveil.dataset": self.dataset_sha256,
            "surveil.positive": self.positive,
            "surveil.threshold": repr(self.threshold),
            "surveil.figures": json.dumps(dict(self.figures), sort_keys=True),
            "surveil.how": self.how,
            "surveil.seen": json.dumps(self.seen),
            "surveil.quantiles": json.dumps(self.quantiles),
            "surveil.promised": json.dumps(dict(self.promised), sort_keys=True),
            "surveil.objections": json.dumps(self.objections),
        }

    @classmethod
    def of(cls, metadata: Mapping[str, str], path: Path) -> Card:
        """Read it. Raises ModelError for a file that `surveil train` did not write."""
        if metadata.get("surveil.task") != TASK:
            raise DamagedModel(f"{path}: is not a classifier written by `surveil train`")
        try:
            return cls(
                name=metadata["surveil.name"], labels=tuple(read_json(metadata["surveil.labels"])),
                preprocess=CropPreprocess.from_json(metadata["surveil.preprocess"]),
                dataset_sha256=metadata["surveil.dataset"], positive=metadata["surveil.positive"],
                threshold=float(metadata["surveil.threshold"]), figures=read_json(metadata["surveil.figures"]),
                how=metadata["surveil.how"], seen=tuple(read_json(metadata["surveil.seen"])),
                quantiles=tuple(read_json(metadata["surveil.quantiles"])),
                # Files of earlier versions have neither.
                promised=read_json(metadata.get("surveil.promised", "{}")),
                objections=tuple(read_json(metadata.get("surveil.objections", "[]"))),
            )  # fmt: skip
        except (LookupError, ValueError, TypeError, AttributeError) as error:
            raise DamagedModel(f"{path}: its metadata cannot be read: {error}") from None


def read_card(path: Path) -> Card:
    """Return what a file says about itself, without loading the network. Raises ModelError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error.strerror}") from None
    return Card.of(metadata(content), path)


class Classifier:
    """A loaded model. `run` and `probabilities` may be called from one thread at a time."""

    def __init__(self, path: Path, threads: int = 1, where: RunOn | None = None) -> None:
        """Load. Raises ModelError when it is no classifier of `surveil train`."""
        self._session = ModelSession(path, where or RunOn(provider="cpu", threads=threads))
        self.card = Card.of(self._session.graph.metadata, path)
        self.sha256 = sha256_of(path)
        names = [port.name for port in self._session.graph.outputs]
        if names != ["logits", "probabilities"]:
            raise ModelError(f"{path}: has the outputs {', '.join(names)}")
        if (width := self._session.graph.outputs[1].shape[-1]) not in {None, len(self.card.labels)}:
            raise DamagedModel(
                f"{path}: names {len(self.card.labels)} classes, and its network tells {width} apart"
            )
        # A GPU stands still for seconds whenever the shape changes, also to one that it has seen: it gets one only.
        self._pads = self._session.provider != CPU

    def warm_up(self) -> None:
        """Run once: a GPU chooses its algorithms then."""
        size = self.card.preprocess.size
        self.run(np.zeros((1, size, size, 3), np.uint8))

    def run(self, batch: Bytes) -> Floats:
        """Return float32 (n, classes) for prepared pictures uint8 (n, size, size, 3); n at most `BATCH`."""
        whole = batch
        if self._pads and len(batch) < BATCH:
            whole = np.concatenate([batch, np.zeros((BATCH - len(batch), *batch.shape[1:]), np.uint8)])
        return np.asarray(self._session.run({"images": whole})[1][: len(batch)], np.float32)

    def probabilities(self, pictures: Sequence[Bytes]) -> Floats:
        """Return float32 (n, classes) for pictures of any size, uint8 RGB."""
        prepared = (self.card.preprocess.apply(picture) for picture in pictures)
        rows = [self.run(batch) for batch in in_batches(prepared)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.card.labels)), np.float32)


def in_batches(pictures: Iterable[Bytes], size: int = BATCH) -> Iterator[Bytes]:
    """Yield stacks of at most `size` pictures."""
    held: list[Bytes] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
