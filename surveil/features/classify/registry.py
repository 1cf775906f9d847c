"""The running classifiers: loaded in the background, used by the stages that prepare and run crops.

Deploying, rolling back and withdrawing replace a pointer in the store; the keeper looks at the pointers and
puts what they name on the shelf. A running daemon needs no restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from surveil.damage import Damaged
from surveil.detect.session import RunOn
from surveil.detect.settings import ModelSettings
from surveil.errors import DamagedModel, ModelError
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.metrics import ClassifierMetrics
from surveil.features.classify.store import ClassifierStore
from surveil.metrics import Metrics
from surveil.versions import ModelReloader, VersionRole, recovering

log = structlog.get_logger(__name__)


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
class _Deployed:
    """The files that the pointers name."""

    current: Path | None = None
    shadow: Path | None = None

    def words(self) -> str:
        current, shadow = (path and f"version {path.stem}" for path in (self.current, self.shadow))
        beside = f", {shadow} runs in shadow mode" if shadow else ""
        return (
            f"{current} is in use{beside}" if current else f"none is deployed: its rules are inactive{beside}"
        )


class ClassifierKeeper:
    """Puts what is deployed into the registry. One thread's; `report(name, what)` hears of each transition once."""

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
        self._reloader: ModelReloader[tuple[str, ...], _Deployed] = ModelReloader(
            self._deployed, self._put, report
        )

    def run_once(self) -> None:
        """Load what was deployed since the last time. What cannot be used is reported; the old goes on.

        What no rule names any more is taken out of the registry.
        """
        wanted = self._classifiers.wanted()
        for name in self._reloader.forget_others(wanted):
            self._classifiers.take_away(name)
            self._report(name, "no rule uses it any more")
        for name, cameras in wanted.items():
            with self._reloader.reporting(name, "cannot be used, the previous one stays in use"):
                self._reloader.look(name, cameras)

    def _deployed(self, name: str) -> _Deployed:
        store = ClassifierStore(self._state_dir, name)
        return _Deployed(_pointed(store, VersionRole.CURRENT), _pointed(store, VersionRole.SHADOW))

    def _put(self, name: str, _cameras: tuple[str, ...], found: _Deployed, before: _Deployed | None) -> str:
        known, old = before or _Deployed(), self._classifiers.get(name) or InUse(None)
        store = ClassifierStore(self._state_dir, name)
        current = self._loaded(store, VersionRole.CURRENT, (found.current, known.current, old.current))
        shadow = self._loaded(store, VersionRole.SHADOW, (found.shadow, known.shadow, old.shadow))
        self._classifiers.put(name, InUse(current, shadow))
        return found.words()

    def _loaded(
        self,
        store: ClassifierStore,
        role: VersionRole,
        versions: tuple[Path | None, Path | None, Classifier | None],
    ) -> Classifier | None:
        """Return what runs in a role. `versions`: the file now, the file before, what runs."""
        path, before, old = versions
        if path is None or path == before:
            return None if path is None else old
        try:
            model = Classifier(path, where=self._where)
        except ModelError as error:
            if not store.damage(role):
                raise  # The file is whole: it is the GPU.
            with recovering(store, Damaged.CLASSIFIER, role):
                raise DamagedModel(str(error)) from None
        model.warm_up()
        return model


def _pointed(store: ClassifierStore, role: VersionRole) -> Path | None:
    """Return the file of a role. A pointer that is damaged is an error once: it is replaced."""
    with recovering(store, Damaged.CLASSIFIER, role):
        return store.path(role)


def make_keeper(
    state_dir: Path, classifiers: ClassifierRegistry, model: ModelSettings, metrics: Metrics
) -> ClassifierKeeper:
    """Return what puts deployed classifiers into the registry; they run where the detection model runs."""
    where = RunOn(
        provider=model.provider,
        require_gpu=model.require_gpu,
        gpu=model.gpu,
        gpu_memory_mb=model.gpu_memory_mb,
        threads=model.threads,
    )
    return ClassifierKeeper(state_dir, classifiers, where, partial(_report, classifiers, metrics))


def _report(classifiers: ClassifierRegistry, metrics: Metrics, name: str, what: str) -> None:
    in_use, wanted = classifiers.get(name), classifiers.wanted().get(name, ())
    current, shadow = (in_use.current, in_use.shadow) if in_use else (None, None)
    if wanted:
        labels, others = (one.card.labels if one else () for one in (current, shadow))
        metrics.of(ClassifierMetrics).add(name, wanted, labels, others)
    else:
        metrics.of(ClassifierMetrics).forget(model=name)
    say: Callable[..., None] = log.info if current or not wanted else log.warning
    say("classifier", classifier=name, what=what)
