"""Deployed classifiers: STATE/classifiers/NAME (see `surveil.versions`).

Beside them, `trained/NAME.onnx` is what `surveil train` made last, with its report; it is not in use.
"""

from __future__ import annotations

from pathlib import Path

from surveil.errors import ModelError, StateError
from surveil.features.classify.classifier import Card, Classifier
from surveil.models.files import check_name
from surveil.versions import VersionedStore, VersionRole

FEEDBACK = "feedback"
"""In the state directory: the data sets that verdicts fill."""


def names(state_dir: Path) -> tuple[str, ...]:
    """Return the names of the classifiers that are there, deployed or only trained. Raises StateError."""
    folder = state_dir / "classifiers"
    try:
        return tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())) if folder.is_dir() else ()
    except OSError as error:
        raise StateError(f"{folder}: cannot be read: {error.strerror}") from None


class ClassifierStore(VersionedStore):
    """The versions of one classifier. Raises StateError when the directory cannot be used."""

    def __init__(self, state_dir: Path, name: str) -> None:
        """Raises ModelError for a name that cannot be a folder's."""
        check_name(name)
        self.name = name
        super().__init__(
            state_dir / "classifiers" / name,
            ".onnx",
            Classifier,
            name,
            f"`surveil models rollback {name}` deploys the newest readable version, "
            "with --shadow it ends shadow mode",
        )

    @property
    def trained(self) -> Path:
        """Where `surveil train` puts what it made; it is in use only once it is deployed."""
        return self.folder / "trained" / f"{self.name}.onnx"

    def deploy(self, file: Path, shadow: bool = False) -> Card:
        """Check a trained file by loading it, store it as a version, and put it into use or in the shadow.

        A file that is stored already is not stored again: what was in the shadow may come into use.
        One in use that cannot be read is replaced. Raises ModelError when the file is no classifier, or has other
        classes than the one in use.
        """
        card = Classifier(file).card
        current = None if self.damage() else self.path()
        if current is not None and set(Classifier(current).card.labels) != set(card.labels):
            raise ModelError(
                f"{file}: has other classes than the deployed {self.name}; deploy it under another name"
            )
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ModelError(f"{file}: the model cannot be read: {error.strerror}") from None
        self.publish(content, VersionRole.SHADOW if shadow else VersionRole.CURRENT, reuse=True)
        return card

    def withdraw(self) -> None:
        """Remove the pointer to the shadow. Raises StateError when there is none."""
        if not self.unpoint(VersionRole.SHADOW):
            raise StateError(f"{self.name}: no classifier runs in shadow mode")
