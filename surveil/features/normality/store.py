"""Models in the state directory: versions are files that never change, one pointer says which is in use.

    STATE/normality/CAMERA/0001.npz 0002.npz …   current (a line with a file name)
    STATE/normality/CAMERA/learning.json         how far a running daemon is

The pointer is replaced atomically, so that a running daemon reads the old one or the new one.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from surveil.errors import ModelError, StateError
from surveil.features.normality.budget import Threshold
from surveil.features.normality.draw import png, usual_maps
from surveil.features.normality.judge import footage_status
from surveil.features.normality.model import SceneModel
from surveil.features.normality.modelfile import LoadedModel, load, save, write_whole
from surveil.features.normality.words import duration_words
from surveil.offline.normality.dataset import Dataset
from surveil.offline.normality.evaluate import BUDGET, NormalityReport, evaluate
from surveil.offline.normality.normality import Progress, quiet

KEEP = 5
"""Versions kept; the one in use and the one before are never removed."""
_VERSION = re.compile(r"^(\d{4,})\.npz$")
_CAMERA = re.compile(r"^[A-Za-z0-9_.-]+$")


@dataclass(frozen=True, slots=True)
class Note:
    """How far a running daemon is with one camera."""

    t_wall: float
    """Unix s."""
    state: str
    reason: str
    watched_s: float
    share: float
    """Of the footage that vouching for the budget takes, 0..1."""

    def words(self, now: float) -> str:
        """Say it in a line."""
        age = duration_words(max(1.0, now - self.t_wall))
        watched = duration_words(max(1.0, self.watched_s))
        why = f": {self.reason}" if self.reason else ""
        return f"the daemon {age} ago: {self.state}{why}; watched {watched}, {self.share:.1%} of what vouching takes"


class NormalityStore:
    """One camera's models. Raises StateError when the directory cannot be used."""

    def __init__(self, state_dir: Path, camera: str) -> None:
        if not _CAMERA.match(camera) or camera.startswith("."):
            raise StateError(f"{camera!r} cannot name a folder")
        self.camera = camera
        self.folder = state_dir / "normality" / camera
        self._pointer = self.folder / "current"

    def versions(self) -> list[str]:
        """Return the file names, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted((p.name for p in self.folder.iterdir() if _VERSION.match(p.name)), key=_number)

    def current(self) -> str | None:
        """Return the file name in use; None when nothing was deployed."""
        try:
            name = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StateError(f"{self._pointer}: cannot be read: {error}") from None
        if not _VERSION.match(name):
            raise StateError(f"{self._pointer}: does not name a version")
        return name

    def load(self, frame: tuple[int, int] | None = None) -> LoadedModel | None:
        """Return the model in use; None when there is none. Raises ModelError when it cannot be used."""
        name = self.current()
        return None if name is None else load(self.folder / name, self.camera, frame)

    def deploy(self, model: SceneModel) -> LoadedModel:
        """Write a new version and put it into use. Raises ModelError for another camera's model."""
        if model.camera != self.camera:
            raise ModelError(f"the model was learned for camera {model.camera!r}, not {self.camera!r}")
        versions = self.versions()
        name = f"{(_number(versions[-1]) if versions else 0) + 1:04d}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            loaded = save(model, self.folder / name)
            before = self.current()
            self._point(name)
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None
        self._prune({name, before})
        return loaded

    def rollback(self) -> str:
        """Put the version before the current one into use; return its name. Raises StateError when there is none."""
        name = self.current()
        older = [v for v in self.versions() if name is not None and _number(v) < _number(name)]
        if not older:
            raise StateError(
                f"camera {self.camera}: there is no version before {name or 'any'} to go back to"
            )
        load(self.folder / older[-1], self.camera)
        self._point(older[-1])
        return older[-1]

    def note(self, note: Note) -> None:
        """Leave word of how far the running daemon is. Raises StateError when it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / "learning.json", json.dumps(asdict(note)).encode())
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def noted(self) -> Note | None:
        """Return what a daemon last left word of; None when none did, or nobody can read it."""
        try:
            return Note(**json.loads((self.folder / "learning.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _point(self, name: str) -> None:
        beside = self._pointer.with_name("current.part")
        with beside.open("w", encoding="ascii") as file:
            file.write(name + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._pointer)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _prune(self, needed: set[str | None]) -> None:
        for name in self.versions()[:-KEEP]:
            if name not in needed:
                (self.folder / name).unlink(missing_ok=True)


def _number(name: str) -> int:
    return int(name.removesuffix(".npz"))


@dataclass(frozen=True, slots=True)
class Shown:
    """What `surveil normality show` prints."""

    camera: str
    name: str
    frame: tuple[int, int]
    seen_s: float
    moving_s: float
    state: str
    """What the footage allows: learning, provisional, ready."""
    threshold: Threshold
    lines: tuple[str, ...]


def show(loaded: LoadedModel, budget: float = BUDGET, picture: Path | None = None) -> Shown:
    """Describe a model; write the maps of what is usual where to `picture` (PNG). Raises StateError."""
    model = loaded.model
    threshold = model.threshold(budget)
    state = footage_status(threshold).state.value
    seen, moved = (duration_words(max(1.0, s)) for s in (model.seen.seconds, model.seen.moving_s))
    lines = [
        f"camera {model.camera}, {model.width}x{model.height}, model {loaded.name}",
        f"learned from {seen}, something moved in {moved}",
        f"state by its footage: {state}",
        threshold.words(),
    ]
    lines += [f"class {label}: seen for {duration_words(max(1.0, float(s.weight.sum()) / 10))}"
              for label, s in sorted(model.objects.classes.items())]  # fmt: skip
    if picture is not None:
        try:
            picture.write_bytes(png(usual_maps(model)))
        except OSError as error:
            raise StateError(f"{picture}: cannot be written: {error.strerror}") from None
    frame = (model.width, model.height)
    return Shown(
        model.camera,
        loaded.name,
        frame,
        model.seen.seconds,
        model.seen.moving_s,
        state,
        threshold,
        tuple(lines),
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A new model beside the one in use, on the same held-out footage."""

    new: NormalityReport
    old: NormalityReport | None

    @property
    def better(self) -> bool:
        """Whether the new model is no worse in frame AUC and in false alarms; true when there is no old one."""
        if self.old is None:
            return True
        new, old = self.new.values(), self.old.values()
        auc = not new["frame_auc"] < old["frame_auc"]
        return auc and not new["false_alarms"] > old["false_alarms"]


def compare(
    new: LoadedModel,
    old: LoadedModel | None,
    held_out: Dataset,
    budget: float = BUDGET,
    progress: Progress = quiet,
) -> Comparison:
    """Evaluate a new model beside the old on held-out footage (labelled, or all normal)."""
    judged = evaluate(held_out, new, budget, progress)
    return Comparison(judged, None if old is None else evaluate(held_out, old, budget, progress))
