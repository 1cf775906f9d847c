"""What is drawn in the console: checked by the loader, kept in the state directory, applied by the reload there is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from surveil.config import load
from surveil.config.document import YamlNode, read
from surveil.config.draft import Plain, draft_file, draft_text, lay_over, plain, read_draft
from surveil.config.problems import Problems
from surveil.console.refusal import Refusal
from surveil.console.running import RunningDaemon
from surveil.errors import ConfigError
from surveil.filesystem import make_folders, write_atomically

SHAPES = ("zones", "lines", "masks", "rules")
_Change = Callable[[dict[str, dict[str, Plain]]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraShapes:
    """What is drawn on one camera, as the file and the draft have it together."""

    sections: Mapping[str, Plain]
    drawn: frozenset[str]
    """Sections that are of the draft."""
    etag: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change that was kept."""

    etag: str
    applied: bool
    why_not: str = ""


class Drafts:
    """The draft of one state directory. Any thread may call any method; one change is made at a time."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self._one = threading.Lock()

    @property
    def _file(self) -> Path:
        return draft_file(self._daemon.config.state_dir)

    def etag(self) -> str:
        """Return what names the configuration and the draft as they are now."""
        found = hashlib.sha256(self._daemon.config.digest.encode())
        if self._file.exists():
            found.update(self._file.read_bytes())
        return found.hexdigest()[:32]

    def shapes(self, camera: str) -> CameraShapes:
        """Return what is drawn on a camera."""
        root = self._tree()
        overlay = lay_over(root, self._file, None, Problems())
        drawn = frozenset(key for key in SHAPES if overlay.covers(f"cameras.{camera}.{key}"))
        return CameraShapes(sections=_sections(root, camera), drawn=drawn, etag=self.etag())

    def change(self, camera: str, sections: Mapping[str, Plain], etag: str) -> Applied:
        """Keep other sections of a camera; those that are as in the file are no longer of the draft.

        Raises Refusal (412) for another `etag` than now, and ConfigError with every mistake.
        """
        of_file = _sections(self._tree(), camera)
        drawn = {key: value for key, value in sections.items() if value != of_file[key]}

        def changed(cameras: dict[str, dict[str, Plain]]) -> None:
            before = cameras.get(camera, {})
            rest = {key: value for key, value in before.items() if key not in SHAPES}
            cameras[camera] = rest | drawn

        return self._write(changed, etag)

    def drop(self, camera: str, etag: str) -> Applied:
        """Go back to what the file says of a camera's shapes and rules. Raises as `change`."""
        return self.change(camera, _sections(self._tree(), camera), etag)

    def _tree(self) -> YamlNode:
        """Return the file's own tree."""
        problems = Problems()
        root = read(self._daemon.config.path, problems)
        if root is None or problems.found:
            raise ConfigError(problems.show(str(self._daemon.config.path)) or ["the configuration is empty"])
        return root

    def _write(self, change: _Change, etag: str) -> Applied:
        with self._one:
            if etag.strip('"') != self.etag():
                raise Refusal(
                    412, "conflict", "the configuration has changed since it was read", remedy="read it again"
                )
            cameras = read_draft(self._file)
            change(cameras)
            text = draft_text(cameras)
            load(self._daemon.config.path, draft=text)
            make_folders(self._file.parent)
            write_atomically(self._file, text.encode())
            why = self._daemon.reload()
            return Applied(self.etag(), why == "", "it is applied within seconds" if why is None else why)


def _sections(root: YamlNode, camera: str) -> dict[str, Plain]:
    """Return the sections of a camera as they are written; masks may be a list without names."""
    found: dict[str, Plain] = {}
    for key in SHAPES:
        own = root.get("cameras", camera, key) or root.get("defaults", key)
        value = plain(own)
        if key == "masks" and isinstance(value, list):
            value = {str(index): item for index, item in enumerate(value)}
        usual: Plain = [] if key == "rules" else {}
        if value is not None and not isinstance(value, type(usual)):
            raise ConfigError(
                [f"cameras.{camera}.{key}: is not what belongs there: correct it in the file first"]
            )
        found[key] = usual if value is None else value
    return found
