"""The draft of the console: checked by the loader, stored in the state directory, applied by a reload."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from surveil import logs
from surveil.capture.address import refers_to_secret
from surveil.config import CameraConfig, load
from surveil.config.document import YamlNode, read
from surveil.config.draft import (
    ADDRESSES,
    REMOVED,
    Plain,
    draft_file,
    draft_text,
    lay_over,
    plain,
    read_draft,
)
from surveil.config.logins import keep_login, sweep_logins
from surveil.config.problems import Problems
from surveil.console.refusal import Refusal, not_found
from surveil.console.running import RunningDaemon
from surveil.errors import ConfigError
from surveil.filesystem import make_folders, write_atomically

SHAPES = ("zones", "lines", "masks", "rules")
_Cameras = dict[str, dict[str, Plain]]
_Change = Callable[[_Cameras], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraShapes:
    """What is drawn on one camera, as the file and the draft have it together."""

    sections: Mapping[str, Plain]
    drawn: frozenset[str]
    """Sections that are of the draft."""
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChange:
    """What is set of a camera beside its shapes and rules. None, and an empty address: as before."""

    title: str | None = None
    enabled: bool | None = None
    url: str = field(default="", repr=False)
    """The stream that is analysed; may hold a login."""
    record_url: str = field(default="", repr=False)
    """The stream that clips are cut from, where that is another one."""


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
        """Return what names the configuration that runs, its file and the draft as they are now.

        Who reads them asks for it first: what changes meanwhile must not have the name of what was read.
        """
        found = hashlib.sha256(self._daemon.config.digest.encode())
        for file in (self._daemon.config.path, self._file):
            found.update(hashlib.sha256(file.read_bytes()).digest() if file.exists() else b"none")
        return found.hexdigest()[:32]

    def shapes(self, camera: str) -> CameraShapes:
        """Return what is drawn on a camera."""
        etag, root = self.etag(), self._tree()
        overlay = lay_over(root, self._file, None, Problems())
        drawn = frozenset(key for key in SHAPES if overlay.covers(f"cameras.{camera}.{key}"))
        return CameraShapes(sections=_sections(root, camera), drawn=drawn, etag=etag)

    def change(self, camera: str, sections: Mapping[str, Plain], etag: str) -> Applied:
        """Keep other sections of a camera; those that are as in the file are no longer of the draft.

        Raises Refusal (412) for another `etag` than now, Refusal (422) for a reference to a secret, and ConfigError
        with every mistake.
        """
        of_file = _sections(self._tree(), camera)
        drawn = {key: value for key, value in sections.items() if value != of_file[key]}
        _check_references(drawn, of_file)

        def changed(cameras: _Cameras) -> None:
            cameras[camera] = _without(cameras.get(camera, {}), SHAPES) | drawn

        return self._write(changed, etag)

    def drop(self, camera: str, etag: str) -> Applied:
        """Go back to what the file says of a camera's shapes and rules. Raises as `change`."""
        return self.change(camera, _sections(self._tree(), camera), etag)

    # Cameras.

    @property
    def removed(self) -> Sequence[str]:
        """The cameras of the file that are left out."""
        return [path.removeprefix("cameras.") for path in self._daemon.config.drawn if path.count(".") == 1]

    def set_of(self, camera: str) -> frozenset[str]:
        """Return the keys of a camera that are of the draft."""
        start = f"cameras.{camera}."
        return frozenset(
            path.removeprefix(start) for path in self._daemon.config.drawn if path.startswith(start)
        )

    def is_of_file(self, camera: str) -> bool:
        """Whether the configuration file has the camera."""
        return self._tree().get("cameras", camera) is not None

    def add_camera(self, camera: str, change: CameraChange) -> Applied:
        """Watch one more camera. Raises Refusal (409) where there is one of this name, and ConfigError."""

        def added(cameras: _Cameras) -> None:
            if camera in self._daemon.config.cameras or self.is_of_file(camera):
                raise Refusal(
                    409, "exists", "there is a camera of this name", remedy="choose another, or restore it"
                )
            cameras[camera] = self._settings(camera, change)

        return self._write(added, None)

    def change_camera(self, camera: str, change: CameraChange, etag: str) -> Applied:
        """Set something else of a camera. Raises as `change`."""

        def changed(cameras: _Cameras) -> None:
            new = self._settings(camera, change)
            old = cameras.get(camera, {})
            cameras[camera] = (_without(old, ADDRESSES) if change.url else old) | new

        return self._write(changed, etag)

    def remove_camera(self, camera: str, etag: str) -> Applied:
        """Watch a camera no more. Raises as `change`."""

        def removed(cameras: _Cameras) -> None:
            cameras.pop(camera, None)
            if self.is_of_file(camera):
                cameras[camera] = {REMOVED: True}

        return self._write(removed, etag)

    def restore_camera(self, camera: str) -> Applied:
        """Go back to what the file says of a camera. Raises Refusal (404) where it says nothing, and ConfigError."""
        if not self.is_of_file(camera):
            raise not_found("camera in the configuration file")

        def restored(cameras: _Cameras) -> None:
            cameras.pop(camera, None)

        return self._write(restored, None)

    def tried(self, camera: str, change: CameraChange) -> CameraConfig:
        """Return a camera as it would be with these addresses; nothing is kept. Raises ConfigError."""
        draft = read_draft(self._file)
        # What is hidden of the camera stays hidden in what the probe shows.
        kept = _without(draft.get(camera, {}), (*ADDRESSES, REMOVED))
        text = draft_text({**draft, camera: kept | _addresses(change.url, change.record_url)})
        config = load(self._daemon.config.path, draft=text)
        logs.hide(config.secrets)
        return config.cameras[camera]

    def _settings(self, camera: str, change: CameraChange) -> dict[str, Plain]:
        """Return a change as a draft has it. What is secret in addresses is in files then. Raises Refusal."""
        _check_references({"title": change.title}, {})
        state_dir = self._daemon.config.state_dir
        urls = [keep_login(state_dir, camera, url) for url in (change.url, change.record_url) if url]
        kept: dict[str, Plain] = dict(_addresses(*urls)) if change.url else {}
        if change.title is not None:
            kept["title"] = change.title
        if change.enabled is not None:
            kept["enabled"] = change.enabled
        return kept

    def _tree(self) -> YamlNode:
        """Return the file's own tree."""
        problems = Problems()
        root = read(self._daemon.config.path, problems)
        if root is None or problems.found:
            raise ConfigError(problems.show(str(self._daemon.config.path)) or ["the configuration is empty"])
        return root

    def _write(self, change: _Change, etag: str | None) -> Applied:
        """Keep and apply a changed draft, once the loader accepts it. Without `etag` whatever it is now."""
        with self._one:
            if etag is not None and etag.strip('"') != self.etag():
                raise Refusal(
                    412, "conflict", "the configuration has changed since it was read", remedy="read it again"
                )
            cameras = read_draft(self._file)
            try:
                change(cameras)
                self._keep(cameras)
            except BaseException:
                # Whatever failed, and when: it may have been kept all the same.
                with suppress(ConfigError):
                    sweep_logins(self._daemon.config.state_dir, read_draft(self._file))
                raise
            why = self._daemon.reload()
            sweep_logins(self._daemon.config.state_dir, cameras)
            return Applied(self.etag(), why == "", "it is applied within seconds" if why is None else why)

    def _keep(self, cameras: _Cameras) -> None:
        text = draft_text(cameras)
        load(self._daemon.config.path, draft=text)
        make_folders(self._file.parent)
        write_atomically(self._file, text.encode())


def _check_references(drawn: Mapping[str, Plain], of_file: Mapping[str, Plain]) -> None:
    """Refuse references to secrets but those of the file: titles are shown, and errors tell which files there are."""
    if set(_references(drawn)) - set(_references(of_file)):
        raise Refusal(
            422,
            "invalid",
            "a text refers to a secret of this machine",
            remedy="set it in the configuration file",
        )


def _references(value: Plain | Mapping[str, Plain]) -> Iterator[str]:
    """Yield the texts that refer to secrets."""
    match value:
        case str() if refers_to_secret(value):
            yield value
        case Mapping():
            yield from (text for item in value.values() for text in _references(item))
        case list():
            yield from (text for item in value for text in _references(item))


def _without(sections: Mapping[str, Plain], keys: Collection[str]) -> dict[str, Plain]:
    return {key: value for key, value in sections.items() if key not in keys}


def _addresses(url: str, record_url: str = "") -> dict[str, Plain]:
    """Return the addresses of a camera as a configuration has them."""
    return {"streams": {"detect": url, "record": record_url}} if record_url else {"url": url}


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
