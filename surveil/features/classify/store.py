"""Deployed classifiers: versions are files that never change, a pointer says which one is in use.

    STATE/classifiers/NAME/0001.onnx 0002.onnx …   current, shadow (each a line with a file name)
    STATE/classifiers/NAME/trained/NAME.onnx       what `surveil train` made last, with its report; not in use

A pointer is replaced atomically, so that a running daemon reads the old one or the new one. The shadow runs
beside the one in use and is only counted.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from surveil.errors import ModelError, StateError
from surveil.features.classify.classifier import Card, Classifier
from surveil.models.files import check_name, write_whole

KEEP = 5
_VERSION = re.compile(r"^(\d{4,})\.onnx$")
Role = Literal["current", "shadow"]


def names(state_dir: Path) -> tuple[str, ...]:
    """Return the names of the classifiers that are there, deployed or only trained. Raises StateError."""
    folder = state_dir / "classifiers"
    try:
        return tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())) if folder.is_dir() else ()
    except OSError as error:
        raise StateError(f"{folder}: cannot be read: {error.strerror}") from None


class ClassifierStore:
    """The versions of one classifier."""

    def __init__(self, state_dir: Path, name: str) -> None:
        """Raises ModelError for a name that cannot be a folder's."""
        check_name(name)
        self.name = name
        self.folder = state_dir / "classifiers" / name

    def versions(self) -> list[str]:
        """Return the file names, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted((p.name for p in self.folder.iterdir() if _VERSION.match(p.name)), key=_number)

    def path(self, role: Role = "current") -> Path | None:
        """Return the file in use, or the shadow; None when there is none. Raises StateError."""
        try:
            name = (self.folder / role).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{self.folder / role}: cannot be read: {error}") from None
        if not _VERSION.match(name):
            raise StateError(f"{self.folder / role}: does not name a version")
        return self.folder / name

    def deploy(self, file: Path, shadow: bool = False) -> Card:
        """Check a trained file by loading it, store it as a version, and put it into use or in the shadow.

        A file that is stored already is not stored again: what was in the shadow may come into use.
        One in use that cannot be read is replaced. Raises ModelError when the file is no classifier, or has other
        classes than the one in use.
        """
        card = Classifier(file).card
        labels = self._labels()
        if labels is not None and set(labels) != set(card.labels):
            raise ModelError(
                f"{file}: has other classes than the deployed {self.name}; deploy it under another name"
            )
        try:
            self._point("shadow" if shadow else "current", self._stored(file))
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None
        in_shadow = self.path("shadow")
        if in_shadow is not None and in_shadow == self.path():
            self.withdraw()
        self._prune()
        return card

    def damage(self) -> str:
        """Return why the classifier in use cannot be read; empty when it can, or there is none."""
        try:
            current = self.path()
            if current is not None:
                Classifier(current)
        except (ModelError, StateError) as error:
            return str(error)
        return ""

    def _labels(self) -> tuple[str, ...] | None:
        """Return the classes of the one in use; None when there is none, or it cannot be read."""
        current = None if self.damage() else self.path()
        return None if current is None else Classifier(current).card.labels

    def _stored(self, file: Path) -> str:
        """Return the name of the version that the file is, storing it unless it is there. Raises OSError."""
        content, versions = file.read_bytes(), self.versions()
        for name in reversed(versions):
            if (self.folder / name).read_bytes() == content:
                return name
        name = f"{_number(versions[-1]) + 1 if versions else 1:04d}.onnx"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / name, content)
        return name

    @property
    def trained(self) -> Path:
        """Where `surveil train` puts what it made; it is in use only once it is deployed."""
        return self.folder / "trained" / f"{self.name}.onnx"

    def withdraw(self) -> None:
        """End the shadow. Raises StateError when there is none."""
        try:
            (self.folder / "shadow").unlink()
        except FileNotFoundError:
            raise StateError(f"{self.name}: nothing runs in the shadow") from None
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def promote(self) -> str:
        """Put the shadow into use; return its file name. Raises StateError when there is none."""
        shadow = self.path("shadow")
        if shadow is None:
            raise StateError(f"{self.name}: has no shadow to promote")
        self._point("current", shadow.name)
        self.withdraw()
        return shadow.name

    def rollback(self) -> str:
        """Put the last version before the one in use that can be read into use; return its file name.

        Raises StateError when there is none.
        """
        current = self.path()
        older = [v for v in self.versions() if current is not None and _number(v) < _number(current.name)]
        why = ""
        for name in reversed(older):
            try:
                Classifier(self.folder / name)
            except ModelError as error:
                why = f" ({error})"
                continue
            self._point("current", name)
            return name
        raise StateError(f"{self.name}: there is no version to go back to{why}")

    def _point(self, role: Role, name: str) -> None:
        write_whole(self.folder / role, f"{name}\n".encode("ascii"))

    def _prune(self) -> None:
        used = {path.name for path in (self.path("current"), self.path("shadow")) if path is not None}
        for name in self.versions()[:-KEEP]:
            if name not in used:
                (self.folder / name).unlink(missing_ok=True)


def _number(name: str) -> int:
    return int(name.removesuffix(".onnx"))
