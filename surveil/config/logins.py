"""Logins of cameras that were entered in the console: in separate files that only their owner may read.

A draft names such a file as a configuration does, by `${file:PATH}`. Each login gets a new file, so that one that is
refused, or a crash half way, leaves the login in use as it was.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from surveil.config.draft import Plain
from surveil.filesystem import make_folders, sync_folder
from surveil.redact import secrets_of

ADOPTED = "passwords"
"""The folder beside a configuration file that has the logins of an adopted draft."""
_FOLDER = Path("console", "logins")
_LOGIN = re.compile(
    r"(?P<scheme>[a-z]+://)(?P<user>[^/?#@:]+):(?P<password>[^/?#@]+)@(?P<rest>.*)", re.DOTALL
)
_FILE = re.compile(r"\$\{file:([^}]+)\}")


def folder_of(state_dir: Path) -> Path:
    """Return where the logins of a state directory are."""
    return state_dir.absolute() / _FOLDER


def keep_login(state_dir: Path, camera: str, url: str) -> str:
    """Return `url` as a draft may have it: what is secret in it is in a file. Raises OSError.

    A password in its usual place is cut out. An address with a secret anywhere else is secret as a whole.
    """
    if not secrets_of(url):
        return url
    login = _LOGIN.fullmatch(url)
    if login is None or secrets_of(login["scheme"] + login["rest"]):
        return f"${{file:{_write(folder_of(state_dir), camera, url)}}}"
    file = _write(folder_of(state_dir), camera, unquote(login["password"]))
    return f"{login['scheme']}{login['user']}:${{file:{file}}}@{login['rest']}"


def sweep_logins(state_dir: Path, cameras: Mapping[str, Mapping[str, Plain]]) -> None:
    """Delete the files that no camera of a draft names. Raises OSError."""
    folder = folder_of(state_dir)
    named = {file for sections in cameras.values() for file in _files(sections)}
    for file in folder.glob("*") if folder.is_dir() else ():
        if file not in named:
            file.unlink(missing_ok=True)


def adopt_logins(
    cameras: Mapping[str, Mapping[str, Plain]], state_dir: Path, config: Path
) -> tuple[dict[str, dict[str, Plain]], dict[Path, Path]]:
    """Return a draft that names its logins beside the configuration file, and which file goes where. Pure."""
    ours = folder_of(state_dir)
    moves = {
        file: config.absolute().parent / ADOPTED / file.name
        for sections in cameras.values()
        for file in _files(sections)
        if file.parent == ours
    }
    names = {str(file): f"{ADOPTED}/{file.name}" for file in moves}
    adopted = {
        camera: {key: _renamed(value, names) for key, value in sections.items()}
        for camera, sections in cameras.items()
    }
    return adopted, moves


def _write(folder: Path, camera: str, text: str) -> Path:
    make_folders(folder)
    file = folder / f"{camera}-{secrets.token_hex(4)}"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(text.encode())
        out.flush()
        os.fsync(out.fileno())
    sync_folder(folder)
    return file


def _files(value: Plain | Mapping[str, Plain]) -> Iterator[Path]:
    """Yield the files that texts name."""
    match value:
        case str():
            yield from map(Path, _FILE.findall(value))
        case Mapping():
            for item in value.values():
                yield from _files(item)


def _renamed(value: Plain, names: Mapping[str, str]) -> Plain:
    match value:
        case str():
            return _FILE.sub(lambda found: f"${{file:{names.get(found[1], found[1])}}}", value)
        case dict():
            return {key: _renamed(item, names) for key, item in value.items()}
        case _:
            return value
