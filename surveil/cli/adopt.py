"""`surveil config adopt`: what was drawn in the console moves into the configuration file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from surveil.cli.common import DEFAULT_CONFIG, ConfigPath, console, read_config
from surveil.config import load
from surveil.config.draft import Plain, draft_file, read_draft
from surveil.errors import StateError
from surveil.filesystem import sync_folder, write_atomically


def adopt(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the new file; change nothing.")] = False,
) -> None:
    """Move what was drawn in the console into the configuration file, comments kept.

    The file is checked before it is written; then the draft is deleted. The daemon runs on with the same settings.

    Example: `surveil config adopt -c /etc/surveil/config.yaml`
    """
    settings = read_config(config)
    draft = draft_file(settings.state_dir)
    cameras = read_draft(draft)
    if not cameras:
        console.print("nothing was drawn in the console: there is nothing to adopt")
        return
    text = merged(config.read_text(encoding="utf-8"), cameras)
    if show:
        typer.echo(text, nl=False)
        return
    _replace(config, text)
    try:
        draft.unlink()
    except OSError as error:
        raise StateError(
            f"{config} has what was drawn, and {draft} cannot be removed: {error.strerror}; run this again as its owner"
        ) from error
    console.print(f"{config} has what was drawn of {', '.join(cameras)}", soft_wrap=True)


def _replace(config: Path, text: str) -> None:
    """Put a new text in the place of a configuration file, once it has been checked. Raises ConfigError, StateError."""
    before = config.stat()
    candidate = config.with_name(f".{config.name}.adopted.yaml")
    try:
        write_atomically(candidate, text.encode())
        load(candidate, needs_secrets=False, draft="cameras: {}")
        candidate.chmod(before.st_mode & 0o777)
        now = candidate.stat()
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            os.chown(candidate, before.st_uid, before.st_gid)
        candidate.replace(config)
        sync_folder(config.parent)
    except OSError as error:
        raise StateError(f"{config}: cannot be written: {error.strerror}; run this as its owner") from error
    finally:
        candidate.unlink(missing_ok=True)


def merged(text: str, cameras: dict[str, dict[str, Plain]]) -> str:
    """Return the text of a configuration file with the sections of a draft in it, its comments kept."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only here

    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    root = yaml.load(text)
    if not root.get("cameras"):
        root["cameras"] = {}
    for name, sections in cameras.items():
        owner = root["cameras"].setdefault(name, {})
        for key, value in sections.items():
            owner[key] = value
    out = io.StringIO()
    yaml.dump(root, out)
    return out.getvalue()
