"""`surveil recordings`, `surveil export` and `surveil verify`: what is recorded, as files to hand over."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from surveil import __version__
from surveil.cli import complete
from surveil.cli.bars import bar
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    print_json,
    read_config,
    show_table,
    warn,
)
from surveil.config import Config
from surveil.config.problems import no_camera
from surveil.errors import EXIT_FAILED, ConfigError, StateError
from surveil.extras import Extra, command
from surveil.features.counting import times
from surveil.recording import bundle
from surveil.recording.export import Exported, ExportPart, export
from surveil.recording.files import verify as verify_index
from surveil.recording.footage import Footage, read_footage, recorded_cameras
from surveil.recording.index import DATABASE, Index
from surveil.wording import one_line

if TYPE_CHECKING:
    from surveil.recording.signing import BundleSigner

Value = TypeVar("Value")
CameraArgument = Annotated[
    str, typer.Argument(help="Camera to export.", autocompletion=complete.cameras, show_default=False)
]
From = Annotated[str, typer.Option("--from", help=f"Start: {times.FORMATS}.", metavar="TIME")]
To = Annotated[
    str, typer.Option("--to", help="End; a date without a time includes that day.", metavar="TIME")
]


def recordings(
    camera: Annotated[
        str | None, typer.Argument(help="Only this camera.", autocompletion=complete.cameras)
    ] = None,
    start: From = "4w",
    end: To = "now",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the index with the files instead of listing them.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List recordings, and gaps with their reasons.

    Works while the daemon runs. With `--verify` every file is compared with the index; exit code 1 if something is
    wrong.

    Examples: `surveil recordings`; `surveil recordings gate --from yesterday --json`; `surveil recordings --verify`
    """
    settings = read_config(config)
    if verify:
        _verify_index(settings.state_dir, json=json)
        return
    names = recorded_cameras(settings.state_dir)
    if camera is not None:
        _check_camera(settings, camera, names)
        names = [camera]
    since, until = _span(start, end)
    found = [read_footage(settings.state_dir, name, since, until) for name in names]
    if json:
        print_json(found)
    elif not any(one.segments for one in found):
        console.print("nothing is recorded; set `record: {mode: continuous}` for a camera")
    else:
        show_table(_table(found))


def export_video(
    camera: CameraArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .mp4, or .zip for a bundle.", dir_okay=False),
    ],
    start: From = "1h",
    end: To = "now",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_bundle: Annotated[
        bool,
        typer.Option(
            "--bundle",
            help="Write a ZIP with films, times, SHA-256 and a signature; requires `surveil install --extra export`.",
        ),
    ] = False,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Do not sign the bundle.")] = False,
    json: AsJson = False,
) -> None:
    """Export a camera's recording as MP4, without re-encoding.

    The film begins at the key frame before the start. Gaps are left out, and the output names them. If the camera
    changed its codec or picture size, a second film is written (`-2`). Works while the daemon runs.

    A bundle says when each second was recorded and by which clock, and is signed with a key of this machine. Give
    the receiver the fingerprint of that key by a different route; `surveil verify` checks the bundle against it.

    Examples: `surveil export gate --from 2026-03-01T14:00 --to 2026-03-01T14:10 -o gate.mp4`;
    `surveil export gate --from 2h --bundle -o gate.zip`
    """
    settings = read_config(config)
    asked = _Asked(camera, *_span(start, end), output)
    _check_camera(settings, camera, recorded_cameras(settings.state_dir))
    if settings.hidden(camera):
        warn(f"{camera}: areas of this camera are hidden now; what was recorded before shows them")
    signer = _signer(settings.state_dir) if as_bundle and not unsigned else None
    done = _bundle(settings, asked, signer) if as_bundle else _export(settings, asked, output)
    if json:
        key = signer.fingerprint if signer else None
        print_json({"films": done.films, "parts": done.parts, "missing": done.missing, "key": key})
        return
    for part in done.parts:
        console.print(_line(part), soft_wrap=True)
    for hole in done.missing:
        console.print(f"missing: {_local(hole.start)} to {_local(hole.end)}: {hole.reason}", soft_wrap=True)
    for film in [output] if as_bundle else done.films:
        console.print(f"{film}: {film.stat().st_size} bytes", soft_wrap=True)
    if signer:
        console.print(f"signed by {signer.fingerprint}", soft_wrap=True)


def verify_bundle(
    file: Annotated[
        Path, typer.Argument(help="Bundle that `surveil export` wrote.", dir_okay=False, exists=True)
    ],
    key: Annotated[
        str | None,
        typer.Option(help="Fingerprint that the signing key must have: SHA256:...", metavar="FINGERPRINT"),
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Verify that a bundle is unchanged: the SHA-256 of each file, the signature, and the key that signed it.

    Needs neither a configuration nor a daemon, but `surveil install --extra export`. Without `--key`, a bundle that
    any key has signed is accepted: compare the printed fingerprint. Exit code 1 if something is wrong.

    Example: `surveil verify gate.zip --key SHA256:9ZKpC0...`
    """
    found = bundle.verify(file, _signing().check_signature)
    faults = list(found.faults)
    if key is not None and found.key and found.key != key:
        faults.append(f"signed by another key: {found.key}")
    if json:
        print_json({"files": found.files, "faults": faults, "key": found.key or None, "good": not faults})
    else:
        for name in found.files:
            console.print(Text("good", "green"), one_line(name), soft_wrap=True)
        for fault in faults:
            console.print(Text("wrong", "red"), one_line(fault), soft_wrap=True)
        if found.key:
            console.print(f"signed by {found.key}", soft_wrap=True)
    if faults:
        raise typer.Exit(EXIT_FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is exported, and where to."""

    camera: str
    since: float
    until: float
    output: Path


def _export(settings: Config, asked: _Asked, target: Path) -> Exported:
    found = read_footage(settings.state_dir, asked.camera, asked.since, asked.until)
    with bar() as progress:
        return export(settings.state_dir, found, asked.since, asked.until, target, progress)


def _bundle(settings: Config, asked: _Asked, signer: BundleSigner | None) -> Exported:
    with TemporaryDirectory(dir=asked.output.absolute().parent, prefix=".export-") as folder:
        done = _export(settings, asked, Path(folder) / f"{asked.camera}.mp4")
        films = {film.name: film for film in done.films}
        bundle.pack(asked.output, _sheet(settings, asked, done), films, signer)
    return done


def _sheet(settings: Config, asked: _Asked, done: Exported) -> dict[str, object]:
    """Return what a bundle says of itself."""
    return {
        "format": 1,
        "made_by": f"surveil {__version__}",
        "made_at": _iso(time.time()),
        "instance": settings.instance,
        "host": socket.gethostname(),
        "configuration": settings.digest,
        "camera": asked.camera,
        "asked": {"from": _iso(asked.since), "to": _iso(asked.until)},
        "time_base": "clock of the host when a packet arrived; skew_s: clock of the camera minus that, where known",
        "encoding": "packets as the camera sent them; no picture was encoded again; without sound",
        "parts": [
            {
                "film": part.film, "offset_s": part.offset_s, "seconds": part.seconds, "from": _iso(part.start),
                "to": _iso(part.end), "recording": part.source, "gap_before": part.gap,
                "skew_s": part.skew_s,
            }
            for part in done.parts
        ],
        "missing": [
            {"from": _iso(hole.start), "to": _iso(hole.end), "reason": hole.reason} for hole in done.missing
        ],
    }  # fmt: skip


def _signing() -> ModuleType:
    """Return what signs and checks signatures. Raises StateError with the remedy where the extra is not installed."""
    try:
        from surveil.recording import signing  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise StateError(
            f"signatures need the package cryptography: run `{command(Extra.EXPORT)}`, or export with --unsigned"
        ) from error
    return signing


def _signer(state_dir: Path) -> BundleSigner:
    signer: BundleSigner = _signing().BundleSigner(state_dir)
    return signer


def _iso(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds")


def _verify_index(state_dir: Path, *, json: bool) -> None:
    with closing(Index(state_dir / DATABASE, reading=True)) as index:
        faults, n = verify_index(index, state_dir), len(index.all())
    if json:
        print_json({"files": n, "faults": faults})
    else:
        for fault in faults:
            console.print(Text("wrong", "red"), one_line(f"{fault.path}: {fault.what}"), soft_wrap=True)
        console.print(f"{n} files, {len(faults)} of them not as the index says")
    if faults:
        raise typer.Exit(EXIT_FAILED)


def _check_camera(config: Config, camera: str, recorded: list[str]) -> None:
    """Refuse a camera that neither the configuration nor the index knows."""
    if camera not in config.cameras and camera not in recorded:
        raise ConfigError([f"{config.path}: cameras: {no_camera(camera, config.cameras)}"])


def _span(start: str, end: str) -> tuple[float, float]:
    now = time.time()
    since = _option("--from", lambda: times.parse(start, None, now))
    until = _option("--to", lambda: times.parse(end, None, now, end=True))
    if since >= until:
        raise typer.BadParameter(f"'{start}' is not before '{end}'", param_hint="--from")
    return since, until


def _option(name: str, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=name) from None


def _table(found: list[Footage]) -> Table:
    """Return one row for each stretch without a hole, and one for each hole."""
    table = Table("camera", "from", "to", "video", "bytes")
    for one in found:
        begin, size = 0, 0
        for i, segment in enumerate(one.segments):
            size += segment.bytes
            after = one.segments[i + 1] if i + 1 < len(one.segments) else None
            hole = next((hole for hole in one.missing if after and hole.end == after.start), None)
            if hole is None and after is not None:
                continue
            first = one.segments[begin]
            table.add_row(one.camera, _local(first.start), _local(segment.end), "recorded", str(size))
            if hole is not None:
                table.add_row(one.camera, _local(hole.start), _local(hole.end), hole.reason, "")
            begin, size = i + 1, 0
    return table


def _line(part: ExportPart) -> str:
    return f"{part.film} {part.offset_s:.1f} s: {_local(part.start)}, {part.seconds:.1f} s"


def _local(t: float) -> str:
    return times.local(t, None).strftime("%Y-%m-%d %H:%M:%S")
