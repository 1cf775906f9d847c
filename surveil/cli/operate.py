"""`surveil run` and `surveil check`."""

from __future__ import annotations

import sys
from typing import Any

import typer
from rich.table import Table

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


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Watch the cameras until a signal ends it.

    Every intrusion, line crossing, loitering or crowd becomes one alert that opens and closes, is on the disk
    before anything else happens, and goes to the sinks. Metrics are on the address of `http.listen`.

    Exit codes: 0 after SIGTERM or SIGINT, 78 when the configuration must be mended, 1 for any other failure.
    """
    from surveil.app.daemon import Daemon  # noqa: PLC0415 - other commands start faster without it

    settings = read_config(config)
    sys.exit(Daemon(settings, open_detector(settings)).run())


def check(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Check the configuration and the model, without opening a camera.

    Prints every mistake at once, each with its line and a remedy. Exit codes: 0 good, 78 to be mended.
    """
    settings = read_config(config)
    detector = open_detector(settings)
    report = _report(settings, detector)
    if json:
        print_json(report)
        return
    _print(settings, report)


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
