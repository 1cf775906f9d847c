"""`surveil config adopt`: what was set in the console moves into the configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from surveil.cli.common import DEFAULT_CONFIG, ConfigPath, console, read_config
from surveil.config import edit
from surveil.config.draft import ADDRESSES, REMOVED, Plain, draft_file, read_draft
from surveil.config.logins import adopt_logins
from surveil.config.secrets import MAX_SECRET_BYTES
from surveil.errors import StateError


def adopt(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the new file; change nothing.")] = False,
) -> None:
    """Move the settings of the console into the configuration file. Comments are kept.

    Cameras, zones, lines, masks and rules become part of the file. Passwords of cameras move to the folder
    `passwords` beside it, with the owner, the group and at most the permissions of the file, which refers to them
    as `${file:passwords/NAME}`. The file is checked before it is written; then the draft is deleted. The daemon
    continues with the same settings.

    Example: `surveil config adopt -c /etc/surveil/config.yaml`
    """
    settings = read_config(config)
    draft = draft_file(settings.state_dir.absolute())
    before = _content(draft)
    cameras = read_draft(draft)
    if not cameras:
        console.print("nothing was set in the console: there is nothing to adopt")
        return
    cameras, moves = adopt_logins(cameras, settings.state_dir, config)
    text = merged(config.read_text(encoding="utf-8"), cameras)
    if show:
        typer.echo(text, nl=False)
        return
    with _as_owner(settings.state_dir) as state:
        secrets = {target: _secret(state, origin) for origin, target in moves.items()}
    for target, secret in secrets.items():
        edit.write_secret(config, target, secret)
    edit.replace(config, text, draft="cameras: {}")
    if _content(draft) != before:
        raise StateError(
            f"{config} has what was set until now; something else was set in the console meanwhile: run this again"
        )
    with _as_owner(settings.state_dir) as state:
        for file in (draft, *moves):
            _remove(state, file, config)
    console.print(f"{config} has what was set for {', '.join(cameras)}", soft_wrap=True)
    for target in moves.values():
        console.print(
            f"{target} has a password of it, mode {target.stat().st_mode & 0o777:04o}", soft_wrap=True
        )


def _content(draft: Path) -> bytes:
    with suppress(FileNotFoundError):
        return draft.read_bytes()
    return b""


@dataclass(frozen=True, slots=True)
class _Folder:
    """An open folder."""

    path: Path
    handle: int


@contextmanager
def _as_owner(folder: Path) -> Iterator[_Folder]:
    """Give root the rights of a folder's owner alone, so that no link that a daemon left there leads root elsewhere.

    Files are opened from the folder itself: systemd keeps the folders above it from its owner.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StateError(f"{folder}: cannot be opened: {error.strerror}; run this as root") from error
    owner, user, group, groups = os.fstat(handle), os.geteuid(), os.getegid(), os.getgroups()
    changes = user == 0 and owner.st_uid != 0
    try:
        if changes:
            os.setgroups([owner.st_gid])
            os.setegid(owner.st_gid)
            os.seteuid(owner.st_uid)
        yield _Folder(folder.absolute(), handle)
    finally:
        if changes:
            os.seteuid(user)
            os.setegid(group)
            os.setgroups(groups)
        os.close(handle)


def _secret(folder: _Folder, file: Path) -> bytes:
    try:
        # Not waiting for a writer, should it be a pipe.
        handle = os.open(
            file.relative_to(folder.path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder.handle
        )
        with os.fdopen(handle, "rb") as secret:
            return secret.read(MAX_SECRET_BYTES)
    except OSError as error:
        raise StateError(
            f"{file}: cannot be read: {error.strerror}; run this as its owner, or as root"
        ) from error


def _remove(folder: _Folder, file: Path, config: Path) -> None:
    try:
        with suppress(FileNotFoundError):
            os.unlink(file.relative_to(folder.path), dir_fd=folder.handle)
    except OSError as error:
        raise StateError(
            f"{config} has what was set, and {file} cannot be removed: {error.strerror}; run this again as its owner"
        ) from error


def merged(text: str, cameras: Mapping[str, Mapping[str, Plain]]) -> str:
    """Return the text of a configuration file with the cameras of a draft in it, its comments kept."""

    def merge(owners: Any) -> None:
        for name, sections in cameras.items():
            _merge(owners, name, sections)

    return edit.edited(text, merge)


def _merge(owners: Any, name: str, sections: Mapping[str, Plain]) -> None:
    """Put what a draft says of one camera into the cameras of the file, in place."""
    if sections.get(REMOVED):
        owners.pop(name, None)
        return
    if name not in owners and not any(key in sections for key in ADDRESSES):
        return  # what was drawn on a camera that the file does not have any more
    owner = owners.setdefault(name, {})
    for key in ADDRESSES if any(key in sections for key in ADDRESSES) else ():
        owner.pop(key, None)
    for key, value in sections.items():
        owner[key] = value
