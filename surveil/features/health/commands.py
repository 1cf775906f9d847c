"""`surveil cameras …`: commands about a single camera while the daemon runs."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from surveil.cli import complete
from surveil.cli.common import DEFAULT_CONFIG, ConfigPath, complain, console, read_config
from surveil.clock import Stop, SystemClock
from surveil.features.health.channel import ViewChannel

_PATIENCE_S = 5.0


def accept(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Accept the current view as the new reference after moving a camera on purpose.

    A moved camera raises an alert. Its rules about zones and lines, learned normality and counting are paused until
    the camera is turned back or the view is accepted. First check that zones and lines still fit. Exit code 1 if no
    running daemon accepts the view within 5 s; the daemon then learns the view at its next start.

    Example: `surveil cameras accept yard`
    """
    settings = read_config(config)
    settings.camera(camera)
    board = ViewChannel(settings.state_dir / "surveil.db")
    board.accept(camera)
    clock, never = SystemClock(), Stop()
    end = time.monotonic() + _PATIENCE_S
    while (waiting := camera in board.waiting()) and time.monotonic() < end:
        clock.sleep(0.1, never)
    board.close()
    if waiting:
        complain(f"no running daemon has taken it; the next start learns the view of {camera}")
        raise typer.Exit(1)
    console.print(
        f"the current view of {camera} is its new reference; check that its zones and lines still fit"
    )
