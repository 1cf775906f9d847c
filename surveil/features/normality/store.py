"""A camera's models of what is usual: STATE/normality/CAMERA (see `surveil.versions`).

Beside them, `learning.json` says how far a running daemon is.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from surveil.errors import ModelError, StateError
from surveil.features.normality.model import SceneModel
from surveil.features.normality.modelfile import LoadedModel, encode, load
from surveil.features.normality.words import duration_words
from surveil.filesystem import make_folders, read_json, write_atomically
from surveil.versions import VersionedStore

_CAMERA = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """How far a running daemon is with one camera."""

    t_wall: float
    """Unix s."""
    state: str
    reason: str
    watched_s: float
    share: float
    """Of the footage that it takes to support the budget, 0..1."""

    def words(self, now: float) -> str:
        """Say it in a line."""
        age = duration_words(max(1.0, now - self.t_wall))
        watched = duration_words(max(1.0, self.watched_s))
        why = f": {self.reason}" if self.reason else ""
        return f"the daemon {age} ago: {self.state}{why}; watched {watched}, {self.share:.1%} of what calibration takes"


class NormalityStore(VersionedStore):
    """One camera's models. Raises StateError when the directory cannot be used."""

    def __init__(self, state_dir: Path, camera: str) -> None:
        if not _CAMERA.fullmatch(camera) or camera.startswith("."):
            raise StateError(f"{camera!r} cannot name a folder")
        self.camera = camera
        super().__init__(
            state_dir / "normality" / camera,
            ".npz",
            lambda path: load(path, camera),
            f"camera {camera}",
            f"`surveil normality rollback {camera}` deploys the newest readable version",
        )

    def load(self, frame: tuple[int, int] | None = None) -> LoadedModel | None:
        """Return the model in use; None when there is none. Raises ModelError when it cannot be used."""
        path = self.path()
        return None if path is None else load(path, self.camera, frame)

    def deploy(self, model: SceneModel) -> LoadedModel:
        """Write a new version and put it into use. Raises ModelError for another camera's model."""
        if model.camera != self.camera:
            raise ModelError(f"the model was learned for camera {model.camera!r}, not {self.camera!r}")
        content, loaded = encode(model)
        self.publish(content)
        return loaded

    def note(self, note: Note) -> None:
        """Leave word of how far the running daemon is. Raises StateError when it cannot be written."""
        try:
            make_folders(self.folder)
            write_atomically(self.folder / "learning.json", json.dumps(asdict(note)).encode())
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def noted(self) -> Note | None:
        """Return what a daemon last left word of; None when none did, or nobody can read it."""
        try:
            return Note(**read_json((self.folder / "learning.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
