"""`surveil run` and `surveil check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from surveil.app.probe.report import SCHEMA, SECONDS
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    open_detector,
    print_json,
    read_config,
)
from surveil.config import Config
from surveil.detect.detector import Detector
from surveil.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, Mistake, SurveilError
from surveil.logs import scrub
from surveil.threads import leave


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Run the daemon until it receives a signal.

    Every intrusion, line crossing, loitering or crowd becomes one alert that opens and closes, is on the disk
    before anything else happens, and goes to the sinks. Metrics are on the address of `http.listen`.

    Exit codes: 0 after SIGTERM or SIGINT, 78 when the configuration must be mended (a model or a state directory
    that cannot be used among it), 70 when it was told to end and a thread did not (the log has its stack), 1 for
    what another start may mend: no GPU where one is required, a full disk, a damaged database, a fault of the
    program.

    Example: `surveil run -c /etc/surveil/config.yaml`
    """
    from surveil.app.daemon import Daemon  # noqa: PLC0415 - other commands start faster without it

    settings = read_config(config, needs_model=True, needs_secrets=True)
    leave(Daemon(settings, open_detector(settings)).run())


def check(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    probe: Annotated[
        bool, typer.Option("--probe", help="Open every camera and sink, too; nothing is sent or changed.")
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(
            help="With --probe: only this camera; may be given again.", autocompletion=complete.cameras
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=60, help="With --probe: how long each stream is watched.")
    ] = SECONDS,
    send_test: Annotated[
        bool, typer.Option("--send-test", help="With --probe: send a test message to every sink.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Check the configuration and the model; with --probe also cameras, sinks and this machine.

    Prints every mistake at once, each with its line and a remedy. `--probe` watches all cameras for some
    seconds, side by side, as `surveil run` would, and says of each what it sends, what it will cost, why it
    fails, and what to set better.

    Exit codes: 0 good, 78 the file is to be mended, 1 the file is good and its model cannot run on this machine
    (no GPU where one is required). With --probe, the lowest of: 3 the model or its GPU cannot
    be used, 4 this machine (state directory, port) is not ready, 5 a camera fails, 6 a sink fails.

    With --json, a file that is to be mended gives `{"ok": false, "exit_code": 78, "problems": [{file, line, path,
    message}]}` on stdout.

    Example: `surveil check --probe --camera gate --json | jq .cameras.gate.detect.fps`
    """
    if (camera or send_test) and not probe:
        raise typer.BadParameter("--camera and --send-test need --probe")
    with _told_as_json(config) if json else nullcontext(), _without_traceback(config):
        settings = read_config(config, needs_model=not probe, needs_secrets=True)
        if probe:
            from surveil.cli.probe import run_probe  # noqa: PLC0415 - only here

            run_probe(settings, camera or (), seconds=seconds, send_test=send_test, json=json)
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
    """Tell in a line what nobody foresaw: `check` is there to say what is wrong."""
    try:
        yield
    except (SurveilError, BrokenPipeError, typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        raise SurveilError(f"{file}: cannot be checked: {type(error).__name__}: {error}") from error


def _report(config: Config, detector: Detector) -> dict[str, Any]:
    return {
        "config": str(config.path),
        "digest": config.digest,
        "warnings": list(config.warnings),
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
    model = report["model"]
    console.print(f"model {model['name']} on {model['provider']}: {model['inference_ms']} ms a picture")
    console.print(
        f"sinks: {', '.join(f'{name} ({kind})' for name, kind in report['sinks'].items()) or 'none'}"
    )
    if not report["cameras"]:
        raise typer.Exit
