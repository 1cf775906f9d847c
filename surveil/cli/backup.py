"""`surveil backup` and `surveil restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surveil.app import backup as copies
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, console, print_json, read_config, warn


def backup(
    file: Annotated[Path, typer.Argument(help="Tar archive to write.", dir_okay=False)],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    evidence: Annotated[
        bool,
        typer.Option("--evidence", help="Include pictures, clips and recordings (possibly many gigabytes)."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Back up alerts, counts and models while the daemon runs.

    Includes users and the settings of the console. Each database is copied as a consistent snapshot; the daemon
    does not wait. Pictures, clips and recordings are included only with `--evidence`. The configuration file and
    its secrets are not included. The passwords of cameras that were added in the console are included, so only the
    owner may read the backup. Exit code 1 if the outbox is damaged: the backup is written, and older ones should
    be kept.

    Example: `surveil backup /var/backups/surveil.tar -c /etc/surveil/config.yaml`
    """
    copied = copies.backup(read_config(config).state_dir, file, evidence=evidence)
    if copied.damaged:
        warn(f"damaged and copied as they are: {', '.join(copied.damaged)}")
    if json:
        print_json(copied)
    else:
        console.print(f"{file}: {copied.files} files, {copied.bytes} bytes", soft_wrap=True)
    if copies.OUTBOX in copied.damaged:
        raise typer.Exit(1)


def restore(
    file: Annotated[Path, typer.Argument(help="Archive that `surveil backup` wrote.", dir_okay=False)],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move an existing state aside instead of refusing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Restore a backup into the state directory. Stop the daemon first.

    Alerts that were undelivered when the backup was taken are delivered at the next start, under the same ids.
    With `--replace`, the existing content of the state directory is moved to its folder `before-restore`.

    Example: `surveil restore /var/backups/surveil.tar -c /etc/surveil/config.yaml`
    """
    state_dir = read_config(config).state_dir
    copied = copies.restore(file, state_dir, replace=replace)
    if copied.damaged:
        warn(
            f"damaged when they were backed up: {', '.join(copied.damaged)}; the daemon recovers what can be read"
        )
    if json:
        print_json(copied)
        return
    console.print(f"{state_dir}: {copied.files} files restored", soft_wrap=True)
    if copied.before:
        console.print(f"the previous state is in {state_dir / copied.before}", soft_wrap=True)
