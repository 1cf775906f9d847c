"""`surveil check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from surveil.app.certificate import certificate_doubts
from surveil.app.probe.report import SCHEMA, SECONDS
from surveil.app.state_dir import usable
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    open_detector,
    print_json,
    read_config,
    warn,
)
from surveil.clock import SystemClock
from surveil.config import Config
from surveil.detect.detector import Detector
from surveil.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, Mistake, SurveilError
from surveil.logs import scrub


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="Also open every camera, sink and the second place; nothing is sent or changed."
        ),
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="With --probe: only this camera. Repeatable.", autocompletion=complete.cameras),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=60, help="With --probe: observation time of each stream.")
    ] = SECONDS,
    send_test: Annotated[
        bool,
        typer.Option(
            "--send-test",
            help="With --probe: send a test message to every sink, and a file to the second place.",
        ),
    ] = False,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="With --probe: folder for a picture of each camera with its zones, lines and a grid."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Check the configuration and the model; with --probe also cameras, sinks and this machine.

    Prints all mistakes at once, each with its line and a remedy. `--probe` opens all cameras at the same time for
    some seconds, as `surveil run` would, and shows for each what it sends, its estimated cost, why it fails and
    which settings to improve. It also connects to the sinks and the second place, and checks this machine.

    Exit codes: 0: good; 78: mistake in the configuration; 1: the model cannot run on this machine (no GPU where
    one is required). With --probe, the lowest of: 3: the model or its GPU cannot be used; 4: this machine
    (state directory, port) is not ready; 5: a camera fails; 6: a sink or the second place fails.

    With --json, mistakes are printed as `{"ok": false, "exit_code": 78, "problems": [{file, line, path,
    message}]}` on stdout.

    Example: `surveil check --probe --camera gate --json | jq .cameras.gate.detect.fps`
    """
    if (camera or send_test or pictures) and not probe:
        raise typer.BadParameter("--camera, --send-test and --pictures need --probe")
    if pictures is not None:
        usable(pictures, "--pictures")
    with _told_as_json(config) if json else nullcontext(), _without_traceback(config):
        settings = _judged(read_config(config, needs_model=not probe, needs_secrets=True))
        if probe:
            from surveil.cli.probe import run_probe  # noqa: PLC0415 - only here

            run_probe(
                settings, camera or (), seconds=seconds, send_test=send_test, json=json, pictures=pictures
            )
        report = _report(settings, open_detector(settings))
    if json:
        print_json(report)
        return
    _print(settings, report)


@contextmanager
def _told_as_json(file: Path) -> Iterator[None]:
    """Print what keeps `check` from a report as JSON, too."""
    try:
        yield
    except SurveilError as error:
        mistakes: Sequence[Mistake] = [Mistake(str(file), None, "", scrub(str(error)))]
        code = EXIT_FAILED
        if isinstance(error, ConfigError):
            mistakes, code = error.mistakes or mistakes, EXIT_CONFIG
        print_json({"schema": SCHEMA, "ok": False, "exit_code": code, "problems": mistakes})
        raise


@contextmanager
def _without_traceback(file: Path) -> Iterator[None]:
    """Report an unexpected exception in one line: `check` is there to say what is wrong."""
    try:
        yield
    except (SurveilError, BrokenPipeError, typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        raise SurveilError(f"{file}: cannot be checked: {type(error).__name__}: {error}") from error


def _of_console(config: Config) -> list[str]:
    """Return what is to be said of the console's state."""
    if not config.http.console:
        return []
    from surveil.console.auth.database import users_are_lost  # noqa: PLC0415 - only here

    if not users_are_lost(config.state_dir):
        return []
    return [
        "the users of the console were lost with a damaged database; it is closed until `surveil users add`"
    ]


def _judged(config: Config) -> Config:
    """Return the configuration with what is to be said of console and certificate among its warnings; print that."""
    doubts = (*_of_console(config), *certificate_doubts(config.http, SystemClock().wall()))
    for doubt in doubts:
        warn(doubt)
    return replace(config, warnings=(*config.warnings, *doubts))


def _report(config: Config, detector: Detector) -> dict[str, Any]:
    return {
        "config": str(config.path),
        "digest": config.digest,
        "warnings": list(config.warnings),
        "drawn": list(config.drawn),
        "cameras": {
            name: {
                "enabled": camera.enabled,
                "rules": [rule.type for rule in camera.rules],
                "fps": camera.detect.fps,
            }
            for name, camera in config.cameras.items()
        },
        "model": {
            "name": detector.name,
            "provider": detector.provider,
            "classes": len(detector.labels),
            "inference_ms": round(detector.canary.seconds * 1000, 2),
        },
        "sinks": {name: getattr(sink, "type", "") for name, sink in config.sinks.items()},
        "state_dir": str(config.state_dir),
    }


def _print(config: Config, report: dict[str, Any]) -> None:
    table = Table(title=f"{config.path}: good", title_justify="left")
    for column in ("camera", "analysed", "rules"):
        table.add_column(column)
    for name, camera in report["cameras"].items():
        rate = f"{camera['fps']:g} fps" if camera["enabled"] else "disabled"
        table.add_row(name, rate, ", ".join(camera["rules"]) or "none")
    console.print(table)
    for path in report["drawn"]:
        what = "removed in" if path.count(".") == 1 else "from"
        console.print(
            f"{path}: {what} the console; `surveil config adopt` moves it into the file", soft_wrap=True
        )
    model = report["model"]
    console.print(f"model {model['name']} on {model['provider']}: {model['inference_ms']} ms a picture")
    console.print(
        f"sinks: {', '.join(f'{name} ({kind})' for name, kind in report['sinks'].items()) or 'none'}"
    )
    if not report["cameras"]:
        raise typer.Exit
