"""`surveil alerts arm`, `disarm` and `armed`: the operator's switches for rules."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from surveil.alerts import arming as switching
from surveil.alerts.arming import ArmingChannel, RuleKey, Switches
from surveil.app.arming import Arming
from surveil.cli import complete
from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    print_json,
    read_config,
    show_table,
)
from surveil.clock import SystemClock
from surveil.config import Config
from surveil.config.problems import no_camera, suggest
from surveil.rules.base import rule_name

_PARTS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")


def parse_duration(text: str) -> float:
    """Return the seconds of `2h`, `90m`, `1d12h`. Raises typer.BadParameter."""
    if not _DURATION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is not a duration; write for example 30m, 2h or 1d12h")
    found = re.findall(r"([\d.]+)([dhms])", text)
    return sum(float(number) * _PARTS[unit] for number, unit in found)


Cameras = Annotated[
    list[str] | None,
    typer.Option("--camera", help="Only this camera. Repeatable.", autocompletion=complete.cameras),
]
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only rules of this name. Repeatable.", autocompletion=complete.rules),
]
For = Annotated[
    float | None,
    typer.Option(
        "--for", parser=parse_duration, metavar="DURATION", help="Duration, such as 30m, 2h or 1d12h."
    ),
]


def arm(
    config: ConfigPath = DEFAULT_CONFIG,
    camera: Cameras = None,
    rule: Rules = None,
    for_: For = None,
    *,
    json: AsJson = False,
) -> None:
    """Enable alerting for all or selected rules.

    With --for, rules that were disarmed are disarmed again afterwards. A running daemon applies the change within two
    seconds; it survives a restart. Schedules of rules still apply.

    Example: `surveil alerts arm --camera yard`
    """
    _switch(read_config(config), camera, rule, for_, json=json, on=True)


def disarm(
    config: ConfigPath = DEFAULT_CONFIG,
    camera: Cameras = None,
    rule: Rules = None,
    for_: For = None,
    *,
    json: AsJson = False,
) -> None:
    """Disable alerting for all or selected rules, until re-armed or for a given time.

    A running daemon applies the change within two seconds; it survives a restart. Open events of these rules end, and
    further signals are counted as suppressed (`disarmed`). A lost camera or a full disk still raises an alert.

    Example: `surveil alerts disarm --camera yard --rule intrusion --for 2h`
    """
    _switch(read_config(config), camera, rule, for_, json=json, on=False)


def armed(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Show which rules are armed and which are within their schedule.

    Example: `surveil alerts armed --json`
    """
    settings = read_config(config)
    board = ArmingChannel(settings.state_dir / "surveil.db")
    _show(settings, board.read(), json=json)
    board.close()


def _switch(
    config: Config,
    cameras: list[str] | None,
    rules: list[str] | None,
    for_s: float | None,
    *,
    json: bool,
    on: bool,
) -> None:
    now = SystemClock().wall()
    chosen = _chosen(config, cameras or [], rules or [])
    board = ArmingChannel(config.state_dir / "surveil.db")
    make = switching.arm if on else switching.disarm
    switches = board.change(make(chosen, now, for_s), now)
    board.close()
    _show(config, switches, json=json)


def _keys(config: Config) -> list[RuleKey]:
    return [(c.name, rule_name(rule)) for c in config.cameras.values() for rule in c.rules]


def _chosen(config: Config, cameras: list[str], rules: list[str]) -> list[RuleKey]:
    """Return the rules that are meant. Raises typer.BadParameter for a name that is not there."""
    keys = _keys(config)
    for name in cameras:
        if name not in config.cameras:
            raise typer.BadParameter(no_camera(name, config.cameras), param_hint="--camera")
    here = [key for key in keys if not cameras or key[0] in cameras]
    for name in rules:
        if name not in {rule for _, rule in here}:
            known = suggest(name, {rule for _, rule in here})
            raise typer.BadParameter(f"no rule '{name}'{known}", param_hint="--rule")
    return [key for key in here if not rules or key[1] in rules]


def _show(config: Config, switches: Switches, *, json: bool) -> None:
    now = SystemClock().wall()
    arming = Arming()
    arming.switches = switches
    table = Table("camera", "rule", "armed", "schedule")
    found = list(arming.states(config, now))
    if json:
        print_json([asdict(s) | {"changes": _change(switches, (s.camera, s.rule), now)} for s in found])
        return
    for state in found:
        change = _change(switches, (state.camera, state.rule), now)
        word = Text("armed") if state.armed else Text("disarmed", "yellow")
        schedule = Text("on") if state.scheduled else Text("off now", "yellow")
        until = f" until {change}" if change else ""
        table.add_row(state.camera, state.rule, Text.assemble(word, until), schedule)
    show_table(table)


def _change(switches: Switches, key: RuleKey, now: float) -> str | None:
    """Return when a switch changes by itself, as RFC 3339 in local time; None: it does not."""
    switch = switches.get(key)
    moment = None if switch is None else switch.since if switch.since > now else switch.until
    if moment is None or moment <= now:
        return None
    return datetime.fromtimestamp(moment, UTC).astimezone().isoformat(timespec="seconds")
