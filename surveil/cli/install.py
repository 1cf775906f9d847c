"""`surveil install` and `surveil uninstall`: the service, its user and its folders."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from surveil.cli.common import console
from surveil.errors import ConfigError
from surveil.extras import REQUIREMENTS, Extra
from surveil.extras import install as install_extra

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the steps without executing them.")]
DestDir = Annotated[
    Path,
    typer.Option(envvar="DESTDIR", help="Write all files below this folder, for packaging; run nothing."),
]
Program = Annotated[
    Path | None,
    typer.Option(help="Program that the units start; default: this one.", show_default=False),
]
DropIns = Annotated[
    list[str] | None,
    typer.Option("--with", help="Drop-in to add: webcam, nvidia or strict. Repeatable.", show_default=False),
]
Extras = Annotated[
    list[Extra] | None,
    typer.Option(
        "--extra",
        help="Install optional packages into this program's environment instead of the service. Repeatable.",
        show_default=False,
    ),
]


def install(
    *,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Install for systemd, the only supported service manager.")
    ] = True,
    with_: DropIns = None,
    extra: Extras = None,
    program: Program = None,
    destdir: DestDir = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Install the systemd service: units, a user, /etc/surveil and a first configuration. Run as root.

    Also links `surveil` into /usr/local/bin and installs manual pages and completion for bash, zsh and fish.

    With --extra, installs only the packages of an optional feature: mqtt, apprise, parquet, train (PyTorch) or
    cuda (ONNX Runtime for NVIDIA GPUs with its libraries).

    Repeat it after an upgrade: unchanged files are kept, and a configuration is never overwritten. It neither
    starts nor enables the service.

    Examples: `surveil install --systemd --dry-run`; `surveil install --systemd --with nvidia --with strict`;
    `surveil install --extra mqtt`
    """
    del systemd
    if extra:
        _extras(dict.fromkeys(extra), dry_run)
    else:
        _service(tuple(with_ or ()), program or _this(), destdir.resolve(), dry_run)


def _service(drop_ins: tuple[str, ...], program: Path, destdir: Path, dry_run: bool) -> None:
    from surveil.app.install import DROP_INS, Installer  # noqa: PLC0415 - other commands start faster without it
    from surveil.cli import manual  # noqa: PLC0415
    from surveil.config.reference import example  # noqa: PLC0415

    if unknown := set(drop_ins) - set(DROP_INS):
        raise ConfigError([f"--with {name}: there are {', '.join(DROP_INS)}" for name in sorted(unknown)])
    installer = Installer(
        program=program,
        drop_ins=drop_ins,
        destdir=destdir,
        dry_run=dry_run,
        sample=example(),
        shared=manual.files(),
    )
    for step in installer.install():
        console.print(str(step), soft_wrap=True)
    console.print(
        "\nNow write your cameras into /etc/surveil/config.yaml, then: systemctl enable --now surveil",
        soft_wrap=True,
    )


def uninstall(*, program: Program = None, destdir: DestDir = Path("/"), dry_run: DryRun = False) -> None:
    """Stop the service and remove what `surveil install` wrote. Configuration and alerts stay.

    Example: `surveil uninstall --dry-run`
    """
    from surveil.app.install import Installer  # noqa: PLC0415 - as above
    from surveil.cli import manual  # noqa: PLC0415

    shared = dict.fromkeys(manual.places(), "")
    installer = Installer(
        program=program or _this(), drop_ins=(), destdir=destdir.resolve(), dry_run=dry_run, shared=shared
    )
    for step in installer.uninstall():
        console.print(str(step), soft_wrap=True)


def _extras(wanted: Iterable[Extra], dry_run: bool) -> None:
    for extra in wanted:
        console.print(f"install {' '.join(REQUIREMENTS[extra])}", soft_wrap=True)
        if not dry_run:
            install_extra(extra)


def _this() -> Path:
    """Return the script that runs."""
    beside = Path(sys.prefix) / "bin" / "surveil"
    return beside if beside.exists() else Path(shutil.which("surveil") or beside)
