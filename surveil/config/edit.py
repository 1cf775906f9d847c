"""Edits a configuration file in place: comments, order and permissions are kept."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from surveil.config.load import load
from surveil.errors import StateError
from surveil.filesystem import sync_folder, write_atomically

_SHARED = 0o640
"""What of a configuration's rights a password beside it may have: its owner and its group read it."""


def camera_names(text: str) -> list[str]:
    """Return the names of the cameras in the text of a configuration."""
    return [str(name) for name in _yaml().load(text).get("cameras") or {}]


def edited(text: str, change: Callable[[Any], None]) -> str:
    """Return the text of a configuration after `change`, which is called with its mapping of cameras."""
    yaml = _yaml()
    root = yaml.load(text)
    if not root.get("cameras"):
        root["cameras"] = {}
    change(root["cameras"])
    return _dumped(yaml, root)


def written(mapping: Mapping[str, object]) -> str:
    """Return a mapping as it would stand in a configuration."""
    return _dumped(_yaml(), mapping)


def _dumped(yaml: Any, root: Mapping[str, object]) -> str:
    out = io.StringIO()
    yaml.dump(root, out)
    return out.getvalue()


def _yaml() -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415 - the daemon reads its file without it

    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def replace(config: Path, text: str, *, draft: str | None = None) -> None:
    """Check `text` at the place of `config`, then put it there with the rights of the file before.

    `draft`: as for `load`. Raises ConfigError, StateError.
    """
    candidate = config.with_name(f".{config.name}.new.yaml")
    before = config.stat() if config.exists() else None
    try:
        write_atomically(candidate, text.encode())
        load(candidate, needs_secrets=False, draft=draft)
        candidate.chmod(before.st_mode & 0o777 if before else _SHARED)
        _give(candidate, before)
        candidate.replace(config)
        sync_folder(config.parent)
    except OSError as error:
        raise StateError(f"{config}: cannot be written: {error.strerror}; run this as its owner") from error
    finally:
        candidate.unlink(missing_ok=True)


def write_secret(config: Path, path: Path, secret: bytes) -> None:
    """Write a password beside a configuration, for those who may read that. Raises StateError."""
    owner = config.stat() if config.exists() else None
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700)
            _give(path.parent, owner)
            path.parent.chmod(0o750)
        write_atomically(path, secret)
        path.chmod(owner.st_mode & _SHARED if owner else 0o600)
        _give(path, owner)
    except OSError as error:
        raise StateError(
            f"{path}: cannot be written: {error.strerror}; run this as the owner of {config}"
        ) from error


def _give(path: Path, owner: os.stat_result | None) -> None:
    now = path.stat()
    if owner and (now.st_uid, now.st_gid) != (owner.st_uid, owner.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid)
