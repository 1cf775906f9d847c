"""`surveil cameras discover`: the cameras of this network, and their entries for the configuration."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from surveil import logs
from surveil.cli.common import complain, console, errors, print_json, show_table, shows_progress
from surveil.config import edit
from surveil.discovery.camera import FoundCamera
from surveil.discovery.device import Login
from surveil.discovery.entries import CameraEntry, advice, entries, login_of
from surveil.discovery.find import each_problem, find
from surveil.errors import StateError

PASSWORD = "SURVEIL_CAMERA_PASSWORD"  # noqa: S105 - the name of the variable
SECRET = "passwords/cameras"  # noqa: S105 - a file
"""Where the entries expect the password, beside the configuration."""
_SKEW_S = 5.0


def discover(
    hosts: Annotated[
        list[str] | None,
        typer.Argument(
            help="HOST, HOST:PORT or device-service URL to ask instead of searching.", show_default=False
        ),
    ] = None,
    *,
    user: Annotated[
        str, typer.Option(help="User of the cameras; without one, only open cameras are described.")
    ] = "",
    password_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with the password. Default: the variable {PASSWORD}, or a question.", dir_okay=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time to wait for answers.", min=0.5, max=60)] = 3.0,
    interface: Annotated[
        list[str] | None,
        typer.Option(
            help="Address of this machine to search from. Repeatable. Default: all.", show_default=False
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Add the cameras to this configuration file. Comments are kept; a missing file is created."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find cameras on the network by ONVIF and print their entries for config.yaml.

    Searches all networks of this machine, or asks the named hosts. The analysed stream is the smallest one that shows
    people well, the largest is kept for clips. The password is asked for once, sent only as a digest, and never shown:
    entries refer to the file `passwords/cameras` beside the configuration, which --write makes. Judge the result with
    `surveil check --probe`.

    Exit code 1 if no camera was found.

    Examples: `surveil cameras discover --user viewer`; `surveil cameras discover 192.0.2.7 --user viewer --write
    config.yaml`
    """
    login = Login(user, _password(password_file)) if user else None
    logs.hide([login.password] if login else [])
    found = _search(login, hosts or [], seconds, interface or [])
    made = entries(found, taken=_taken(write))
    values = _values(made, login)
    if write and values:
        _write(write, values, login)
    if json:
        print_json({"cameras": [asdict(camera) for camera in found], "entries": values})
    else:
        _show(found, made)
        if values and not write:
            _print(made, values)
    if not any(camera.streams for camera in found):
        raise typer.Exit(1)


def _password(file: Path | None) -> str:
    try:
        if file is not None:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise StateError(f"{file}: cannot be read: {error.strerror}") from error
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if not sys.stdin.isatty():
        raise StateError(f"no password: set --password-file or {PASSWORD}")
    return getpass.getpass("Password of the cameras: ")


def _search(
    login: Login | None, hosts: Sequence[str], seconds: float, interfaces: Sequence[str]
) -> list[FoundCamera]:
    try:
        if not shows_progress():
            return find(login, seconds=seconds, interfaces=interfaces, hosts=hosts)
        with Progress(console=errors, transient=True) as bar:
            task = bar.add_task("asking", total=None)
            return find(
                login,
                seconds=seconds,
                interfaces=interfaces,
                hosts=hosts,
                progress=lambda answered, known: bar.update(task, total=answered, completed=known),
            )
    except OSError as error:
        raise StateError(
            f"the network cannot be searched: {error.strerror or error}; name hosts instead"
        ) from error


def _show(found: Sequence[FoundCamera], made: Sequence[CameraEntry]) -> None:
    table = Table("address", "maker", "model", "serial", "stream", "codec", "size", "fps", "key frames")
    for camera in found:
        for stream in camera.streams:
            table.add_row(
                camera.address, camera.maker, camera.model, camera.serial, stream.name, stream.codec,
                f"{stream.width}x{stream.height}", f"{stream.fps:g}", f"{stream.gop_s:.1f} s" if stream.gop else "?",
            )  # fmt: skip
    show_table(table)
    for camera in found:
        for note in _notes(camera):
            complain(f"{camera.address}: {note}")
    for line in each_problem(found):
        complain(line)
    for entry in made:
        if word := advice(entry.detect):
            complain(f"{entry.name}: {word}")


def _notes(camera: FoundCamera) -> list[str]:
    skew = camera.clock_skew_s
    wrong = [f"has its clock off by {skew:+.0f} s: set it by NTP"] if skew and abs(skew) > _SKEW_S else []
    return [*camera.notes, *wrong]


def _values(made: Sequence[CameraEntry], login: Login | None) -> dict[str, dict[str, object]]:
    words = login_of(login.user, f"${{file:{SECRET}}}") if login else ""
    return {entry.name: entry.value(words) for entry in made}


def _taken(file: Path | None) -> list[str]:
    """Return the names of the cameras that a file has."""
    if file is None or not file.exists():
        return []
    return edit.camera_names(file.read_text(encoding="utf-8"))


def _print(made: Sequence[CameraEntry], values: dict[str, dict[str, object]]) -> None:
    """Print the entries for the configuration."""
    console.print("cameras:")
    for entry in made:
        console.print(f"  {entry.name}:  # {entry.comment}", soft_wrap=True)
        for line in edit.written(values[entry.name]).splitlines():
            console.print(f"    {line}", soft_wrap=True)


def _write(file: Path, values: dict[str, dict[str, object]], login: Login | None) -> None:
    """Add the entries to a file, and the password to one beside it that only its readers may read."""
    if login:
        edit.write_secret(file, file.parent / SECRET, login.password.encode())
    text = file.read_text(encoding="utf-8") if file.exists() else "version: 1\n"
    edit.replace(file, edit.edited(text, lambda cameras: cameras.update(values)))
    console.print(f"{file} has {', '.join(values)}", soft_wrap=True)
