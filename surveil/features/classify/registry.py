"""The classifiers that run: loaded in the background, handed to whoever prepares and runs crops.

Deploying, rolling back and withdrawing replace a pointer in the store; the keeper looks at the pointers and
puts what they name on the shelf. A running daemon needs no restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from surveil.detect.session import RunOn
from surveil.errors import ModelError, StateError
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.store import ClassifierStore


@dataclass(frozen=True, slots=True)
class InUse:
    """The versions of one classifier that run."""

    current: Classifier | None
    """Its word counts."""
    shadow: Classifier | None = None
    """It is only counted."""


class ClassifierRegistry:
    """The classifiers that cameras want, by name. Any thread may ask; each answer is whole and never changes."""

    def __init__(self) -> None:
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._in_use: dict[str, InUse] = {}

    def want(self, camera: str, names: tuple[str, ...]) -> None:
        """Note what a camera's rules name; instead of what they named before."""
        self._wanted[camera] = names

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Return the cameras that want each classifier, by its name."""
        cameras = list(self._wanted.items())
        return {
            name: tuple(c for c, names in cameras if name in names) for _, all_ in cameras for name in all_
        }

    def get(self, name: str) -> InUse | None:
        """Return what runs under a name; None when nothing is deployed."""
        return self._in_use.get(name)

    def put(self, name: str, in_use: InUse) -> None:
        """Replace what runs under a name."""
        self._in_use[name] = in_use

    def take_away(self, name: str) -> None:
        """Run nothing under a name."""
        self._in_use.pop(name, None)


@dataclass(frozen=True, slots=True)
class _InPlace:
    """What is on the shelf under a name, and for whom."""

    cameras: tuple[str, ...] = ()
    current: Path | None = None
    shadow: Path | None = None


class ClassifierKeeper:
    """Puts what is deployed on the shelf. One thread's; `report(name, what)` hears of each transition once."""

    def __init__(
        self,
        state_dir: Path,
        classifiers: ClassifierRegistry,
        where: RunOn,
        report: Callable[[str, str], None],
    ) -> None:
        self._state_dir = state_dir
        self._classifiers = classifiers
        self._where = where
        self._report = report
        self._seen: dict[str, _InPlace] = {}
        self._failed: dict[str, str] = {}

    def run_once(self) -> None:
        """Load what was deployed since the last time. What cannot be used is reported; the old goes on.

        What no rule names any more is taken off the shelf.
        """
        wanted = self._classifiers.wanted()
        for name in (self._seen.keys() | self._failed.keys()) - wanted.keys():
            self._forget(name)
        for name, cameras in wanted.items():
            try:
                self._look(name, cameras)
                self._failed.pop(name, None)
            except (ModelError, StateError) as error:
                if self._failed.get(name) != str(error):
                    self._report(name, f"cannot be used, what ran before goes on: {error}")
                self._failed[name] = str(error)

    def _look(self, name: str, cameras: tuple[str, ...]) -> None:
        store = ClassifierStore(self._state_dir, name)
        found = _InPlace(cameras, store.path("current"), store.path("shadow"))
        before = self._seen.get(name, _InPlace())
        if name in self._seen and found == before:
            return
        old = self._classifiers.get(name) or InUse(None)
        current = self._loaded(found.current, before.current, old.current)
        shadow = self._loaded(found.shadow, before.shadow, old.shadow)
        self._classifiers.put(name, InUse(current, shadow))
        self._seen[name] = found
        self._report(name, _words(found))

    def _forget(self, name: str) -> None:
        self._seen.pop(name, None)
        self._failed.pop(name, None)
        self._classifiers.take_away(name)
        self._report(name, "no rule names it any more")

    def _loaded(self, path: Path | None, before: Path | None, old: Classifier | None) -> Classifier | None:
        if path is None or path == before:
            return None if path is None else old
        model = Classifier(path, where=self._where)
        model.warm_up()
        return model


def _words(found: _InPlace) -> str:
    paths = (found.current, found.shadow)
    current, shadow = (None if path is None else f"version {path.stem}" for path in paths)
    beside = f", {shadow} runs in its shadow" if shadow else ""
    return f"{current} is in use{beside}" if current else f"none is deployed: its rules see nothing{beside}"
