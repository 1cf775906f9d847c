"""A trained classifier, ready to run: pictures in, probabilities out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surveil.detect.session import RunOn, Session
from surveil.errors import ModelError
from surveil.train.features import in_batches
from surveil.train.preprocess import Preprocess
from surveil.types import Bytes, Floats

TASK = "classify"


@dataclass(frozen=True, slots=True)
class Card:
    """What a classifier's file says about itself."""

    name: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    dataset_sha256: str
    positive: str
    """The class that its threshold is about."""
    threshold: float
    figures: Mapping[str, float]
    """On the test split, when it was made."""
    how: str
    """`head` or `finetune`."""
    quantiles: tuple[float, ...] = ()
    """Of the positive class's score on the validation split, 0 %, 5 % … 100 %: what drift is told from."""

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
            "surveil.quantiles": json.dumps(self.quantiles),
        }

    @classmethod
    def of(cls, metadata: Mapping[str, str], path: Path) -> Card:
        """Read it. Raises ModelError for a file that `surveil train` did not write."""
        if metadata.get("surveil.task") != TASK:
            raise ModelError(f"{path}: is no classifier that `surveil train` wrote")
        try:
            return cls(
                name=metadata["surveil.name"], labels=tuple(json.loads(metadata["surveil.labels"])),
                preprocess=Preprocess.from_json(metadata["surveil.preprocess"]),
                dataset_sha256=metadata["surveil.dataset"], positive=metadata["surveil.positive"],
                threshold=float(metadata["surveil.threshold"]), figures=json.loads(metadata["surveil.figures"]),
                how=metadata["surveil.how"], quantiles=tuple(json.loads(metadata["surveil.quantiles"])),
            )  # fmt: skip
        except (KeyError, ValueError) as error:
            raise ModelError(f"{path}: what it says about itself cannot be read: {error}") from None


class Classifier:
    """A loaded model. `probabilities` may be called from one thread at a time."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load. Raises ModelError when it is no classifier of `surveil train`."""
        self._session = Session(path, RunOn("cpu", threads=threads))
        self.card = Card.of(self._session.graph.metadata, path)
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        names = [port.name for port in self._session.graph.outputs]
        if names != ["logits", "probabilities"]:
            raise ModelError(f"{path}: has the outputs {', '.join(names)}")

    def probabilities(self, pictures: Sequence[Bytes]) -> Floats:
        """Return float32 (n, classes) for pictures of any size, uint8 RGB."""
        prepared = (self.card.preprocess.apply(picture) for picture in pictures)
        rows = [self._session.run({"images": batch})[1] for batch in in_batches(prepared)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.card.labels)), np.float32)
