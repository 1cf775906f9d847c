"""`surveil cameras snapshot`: one picture of a camera, with its layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surveil.app.layout import save, snapshot
from surveil.app.probe.report import SECONDS
from surveil.app.probe.stream import probe_stream
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.cli import complete
from surveil.cli.common import DEFAULT_CONFIG, ConfigPath, console, read_config
from surveil.clock import Stop, SystemClock
from surveil.errors import StateError


def take(
    camera: Annotated[str, typer.Argument(help="Name of the camera.", autocompletion=complete.cameras)],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    output: Annotated[
        Path | None, typer.Option(help="JPEG to write. Default: CAMERA.jpg in this folder.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Draw no zones, lines, masks and grid.")] = False,
) -> None:
    """Take a picture of a camera and draw its zones, lines, masks and a grid of tenths.

    Opens the analysed stream as the daemon would; the daemon need not run. Use the grid to read coordinates for
    config.yaml. Areas that must not be stored are blanked.

    Example: `surveil cameras snapshot gate --output gate.jpg`
    """
    settings = read_config(config, needs_secrets=True)
    chosen = settings.camera(camera)
    pins = Pins(settings.state_dir / CERTIFICATES, keeps=False)
    report, picture = probe_stream(chosen.stream, SystemClock(), Stop(), seconds=min(SECONDS, 1.0), pins=pins)
    if picture is None:
        raise StateError(f"camera {camera} sent no picture: {report.message or report.state}")
    path = output or Path(f"{camera}.jpg")
    save(path, snapshot(picture, chosen, plain=plain))
    console.print(f"{path}: {picture.width}x{picture.height} px", soft_wrap=True)
