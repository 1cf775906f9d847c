"""Changes to a configuration file that its owner wrote: comments, order and rights stay."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surveil.config.load import load
from surveil.errors import StateError
from surveil.filesystem import write_atomically


def camera_names(text: str) -> list[str]:
    """Return the names of the cameras in the text of a configuration."""
    return [str(name) for name in _yaml().load(text).get("cameras") or {}]


def merged(text: str, cameras: Mapping[str, Mapping[str, object]]) -> str:
    """Return the text of a configuration with these sections of cameras in it."""
    yaml = _yaml()
    root = yaml.load(text)
    if not root.get("cameras"):
        root["cameras"] = {}
    for name, sections in cameras.items():
        root["cameras"].setdefault(name, {}).update(sections)
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


def replace(config: Path, text: str) -> None:
    """Check `text` at the place of `config`, then put it there. Raises ConfigError, StateError."""
    candidate = config.with_name(f".{config.name}.new.yaml")
    try:
        write_atomically(candidate, text.encode())
        load(candidate, needs_secrets=False)
        write_beside(config, config, text.encode())
    except OSError as error:
        raise StateError(f"{config}: cannot be written: {error.strerror}; run this as its owner") from error
    finally:
        candidate.unlink(missing_ok=True)


def write_beside(config: Path, path: Path, data: bytes) -> None:
    """Write a file with the owner and the rights of `config`, without execution; of none, for its owner alone."""
    owner = config.stat() if config.exists() else None
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o750)
        _give(path.parent, owner)
    write_atomically(path, data)
    path.chmod(owner.st_mode & 0o660 if owner else 0o600)
    _give(path, owner)


def _give(path: Path, owner: os.stat_result | None) -> None:
    now = path.stat()
    if owner and (owner.st_uid, owner.st_gid) != (now.st_uid, now.st_gid):
        os.chown(path, owner.st_uid, owner.st_gid)
