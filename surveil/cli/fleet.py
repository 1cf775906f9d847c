"""`surveil fleet`: many machines that share the cameras of one configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from surveil.cli.common import (
    DEFAULT_CONFIG,
    AsJson,
    ConfigPath,
    console,
    print_json,
    read_config,
    show_table,
)
from surveil.clock import Stop, SystemClock
from surveil.config import Config
from surveil.config.file import FleetSettings
from surveil.errors import ConfigError, StateError
from surveil.extras import Extra, command
from surveil.fleet import rayprocess
from surveil.fleet.messages import Policy
from surveil.fleet.rayprocess import RayTls

if TYPE_CHECKING:
    from types import ModuleType

_REFRESH_S = 2.0

Ip = Annotated[
    str,
    typer.Option(
        "--ip",
        help="Address at which other nodes reach this machine. Default: that of the interface towards the head.",
    ),
]
Off = Annotated[bool, typer.Option("--off", help="End the draining: the node may have cameras again.")]


def start(config: ConfigPath = DEFAULT_CONFIG, ip: Ip = "") -> None:
    """Run the head of a fleet: Ray, the coordinator, and this machine's agent. Ends with SIGTERM.

    The daemon of each node runs beside it (`surveil run`). Nodes need the token that this command writes into the state
    directory.

    Example: `surveil fleet start -c /etc/surveil/config.yaml`
    """
    settings, fleet = _read(config)
    _ray(settings, fleet)
    from surveil.app.fleetrun import FleetHead  # noqa: PLC0415 - needs Ray

    raise typer.Exit(FleetHead(settings, fleet, ip or rayprocess.own_address(fleet.listen)).run())


def join(
    address: Annotated[
        str, typer.Argument(help="Address and port of the head. Default: `fleet.listen`.")
    ] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    ip: Ip = "",
) -> None:
    """Run a node of a fleet: Ray and this machine's agent. Ends with SIGTERM, or when the head is lost.

    Example: `surveil fleet join 10.0.0.1:6379 --ip 10.0.0.2`
    """
    settings, fleet = _read(config)
    _ray(settings, fleet)
    from surveil.app.fleetrun import Member  # noqa: PLC0415 - needs Ray

    head = address or fleet.listen
    raise typer.Exit(Member(settings, fleet, head, ip or rayprocess.own_address(head)).run())


def status(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat the output until Ctrl-C.")] = False,
    json: AsJson = False,
) -> None:
    """Show the cameras with their nodes and epochs, and the alerts that wait on each node.

    Example: `surveil fleet status --watch`
    """
    settings, fleet = _read(config)
    ask, policy = _asking(settings, fleet), Policy(fleet.on_lost_coordinator)
    if json:
        print_json(ask("view"))
        return
    if not watch:
        for table in _tables(ask("view"), policy):
            show_table(table)
        return
    with Live(console=console, refresh_per_second=1) as live:
        while True:
            live.update(_grid(ask("view"), policy))
            SystemClock().sleep(_REFRESH_S, Stop())


def move(
    camera: Annotated[str, typer.Argument(help="Name of the camera.")],
    node: Annotated[str, typer.Argument(help="Name of the node; empty: any.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Move a camera to a node, for as long as that node can watch it.

    Example: `surveil fleet move yard east-1`
    """
    _done(_connected(config)("move", camera, node))


def drain(
    node: Annotated[str, typer.Argument(help="Name of the node.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    off: Off = False,
) -> None:
    """Take all cameras from a node, for example before maintenance.

    Example: `surveil fleet drain east-1`
    """
    _done(_connected(config)("drain", node, on=not off))


def rebalance(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Forget all moves by hand and place the cameras again.

    Example: `surveil fleet rebalance`
    """
    _done(_connected(config)("rebalance"))


def check(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Check what a node of a fleet needs: Ray, addresses, token, store, and the daemon's control socket.

    Exit codes: 0: all well; 1: something is wrong.

    Example: `surveil fleet check`
    """
    settings, fleet = _read(config)
    from surveil.app.fleetcheck import look  # noqa: PLC0415

    findings = look(settings, fleet)
    if json:
        print_json(findings)
    else:
        for one in findings:
            state = Text("ok  ", "green") if one.good else Text("bad ", "red")
            console.print(state, f"{one.what}: {one.text}")
    raise typer.Exit(not all(one.good for one in findings))


def _read(path: Path) -> tuple[Config, FleetSettings]:
    settings = read_config(path)
    if settings.fleet is None:
        example = "fleet: {store: /srv/surveil}"
        raise ConfigError([f"{path}: fleet: is missing: name the shared folder, for example '{example}'"])
    return settings, settings.fleet


def _ray(settings: Config, fleet: FleetSettings) -> ModuleType:
    """Return the module that needs Ray. Raises StateError with the remedy where Ray is missing."""
    rayprocess.settle(settings.state_dir / rayprocess.TOKEN, _tls(fleet))
    try:
        from surveil.fleet import ray_backend  # noqa: PLC0415
    except ImportError as error:
        raise StateError(f"a fleet needs Ray ({error}); install it with `{command(Extra.FLEET)}`") from error
    return ray_backend


def _tls(fleet: FleetSettings) -> RayTls | None:
    """Return what Ray's connections are encrypted by; None: by nothing."""
    if fleet.certificate is None or fleet.key is None or fleet.authority is None:
        return None
    return RayTls(certificate=fleet.certificate, key=fleet.key, authority=fleet.authority)


def _connected(path: Path) -> Any:
    return _asking(*_read(path))


def _asking(settings: Config, fleet: FleetSettings) -> Any:
    """Return what asks the coordinator."""
    backend = _ray(settings, fleet)
    backend.connect(fleet.listen, rayprocess.own_address(fleet.listen))
    return backend.ask_coordinator


def _done(problem: str) -> None:
    if problem:
        raise StateError(problem)


def _grid(view: Mapping[str, Any], policy: Policy) -> Table:
    grid = Table.grid()
    for table in _tables(view, policy):
        grid.add_row(table)
    return grid


def _tables(view: Mapping[str, Any], policy: Policy) -> list[Table]:
    nodes = Table("node", "state", "cameras", "load", "alerts waiting", "heard", title=_title(view))
    for node in view["nodes"]:
        nodes.add_row(
            node["name"],
            _state(node),
            str(node["cameras"]),
            f"{node['load']:.2f} of {node['capacity']:g}",
            str(node["pending"]),
            f"{node['silent_s']:.0f} s ago",
        )
    cameras = Table("camera", "node", "epoch", "")
    for camera in view["cameras"]:
        cameras.add_row(
            camera["name"],
            camera["node"] or Text("none", "red"),
            str(camera["epoch"] or ""),
            _remark(camera, policy),
        )
    return [nodes, cameras]


def _title(view: Mapping[str, Any]) -> str | Text:
    if view["superseded"]:
        return Text("another coordinator has taken over: this one orders nothing", "red")
    waiting = f", places in {view['waiting_s']:.0f} s" if view["waiting_s"] else ""
    return f"term {view['term']}{waiting}"


def _state(node: Mapping[str, Any]) -> Text:
    if not node["alive"]:
        return Text("lost", "red")
    return Text("draining", "yellow") if node["draining"] else Text("ok")


def _remark(camera: Mapping[str, Any], policy: Policy) -> str | Text:
    node, readers, lost = camera["node"], camera["readers"], camera["lost_readers"]
    if len(readers) > 1:
        return Text(f"read by {', '.join(readers)}", "red")
    if camera["target"] and camera["target"] != node:
        return f"moves to {camera['target']}"
    if node and node not in readers:
        return Text(f"{node} does not read it", "red")
    perhaps = f"perhaps read by {', '.join(lost)} (lost)" if lost and policy is Policy.WATCH else ""
    return ", ".join(filter(None, (str(camera["why"]).replace("_", " "), perhaps)))
