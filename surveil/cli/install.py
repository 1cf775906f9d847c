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

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
DestDir = Annotated[
    Path, typer.Option(envvar="DESTDIR", help="Put everything below this folder, for a package; run nothing.")
]
Program = Annotated[
    Path | None,
    typer.Option(help="The surveil that the units start; by default this one.", show_default=False),
]
DropIns = Annotated[
    list[str] | None,
    typer.Option(
        "--with", help="Add a drop-in: webcam, nvidia or strict. May be repeated.", show_default=False
    ),
]
Extras = Annotated[
    list[Extra] | None,
    typer.Option(
        "--extra",
        help="Install optional packages into the environment of this program, and no service. May be repeated.",
        show_default=False,
    ),
]


def install(
    *,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="For systemd, which is the only manager there is.")
    ] = True,
    with_: DropIns = None,
    extra: Extras = None,
    program: Program = None,
    destdir: DestDir = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Install the systemd service: units, a user, /etc/surveil and a first configuration. Be root.

    It also puts `surveil` on the PATH (a link in /usr/local/bin), with manual pages and completion for bash, zsh and
    fish.

    With --extra it installs the packages that an optional feature needs: mqtt, apprise, parquet, train (PyTorch) or
    cuda (ONNX Runtime for NVIDIA GPUs with its libraries).

    May be repeated, after an upgrade too: what is as it should be is kept, and a configuration is never
    overwritten. Neither starts nor enables anything.

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
    installer = Installer(program, drop_ins, destdir, dry_run, example(), shared=manual.files())
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
    installer = Installer(program or _this(), (), destdir.resolve(), dry_run, shared=shared)
    for step in installer.uninstall():
        console.print(str(step), soft_wrap=True)


def _extras(wanted: Iterable[Extra], dry_run: bool) -> None:
    for extra in wanted:
        console.print(f"install {' '.join(REQUIREMENTS[extra])}", soft_wrap=True, markup=False)
        if not dry_run:
            install_extra(extra)


def _this() -> Path:
    """Return the script that runs."""
    beside = Path(sys.prefix) / "bin" / "surveil"
    return beside if beside.exists() else Path(shutil.which("surveil") or beside)
