"""`surveil check --probe`: progress, the table for people, JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from surveil.alerts.evidence import safe_name
from surveil.app.layout import save, snapshot
from surveil.app.probe.report import Advice, CameraReport, Cost, ProbeReport, SinkReport, StreamReport
from surveil.app.probe.run import Part, probe
from surveil.cli.common import console, errors, print_json, shows_progress
from surveil.config import CameraConfig, Config
from surveil.config.problems import no_camera
from surveil.types import Picture

_NOTHING = "–"


def run_probe(
    config: Config,
    cameras: Sequence[str],
    *,
    seconds: float,
    send_test: bool,
    json: bool,
    pictures: Path | None,
) -> None:
    """Probe, print, and end with the report's exit code; `pictures` gets a picture of every camera."""
    for name in cameras:
        if name not in config.cameras:
            raise typer.BadParameter(no_camera(name, config.cameras), param_hint="--camera")
    parts = len(cameras or config.cameras) + len(config.every_sink) + config.offsite.is_set + 2
    with _progress(parts) as bar:
        report = probe(
            config,
            cameras or None,
            seconds=seconds,
            send_test=send_test,
            on_done=lambda *done: _tell(bar, *done),
            on_picture=_keep_none if pictures is None else partial(_keep, pictures),
        )
    if json:
        print_json(report.to_dict())
    else:
        show(report)
    raise typer.Exit(report.exit_code)


@contextmanager
def _progress(parts: int) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    )
    with Progress(*columns, console=errors, transient=True, disable=not shows_progress()) as bar:
        bar.add_task("probing", total=parts)
        yield bar


def _tell(bar: Progress, part: Part, ok: bool) -> None:
    (task,) = bar.task_ids
    bar.update(task, advance=1, description=f"{' '.join(part).strip()} {'works' if ok else 'fails'}")


def _keep_none(_camera: CameraConfig, _picture: Picture) -> None:
    pass


def _keep(folder: Path, camera: CameraConfig, picture: Picture) -> None:
    save(folder / f"{safe_name(camera.name)}.jpg", snapshot(picture, camera))


def show(report: ProbeReport) -> None:
    """Print the report for people."""
    console.print(_cameras(report))
    _show_failures(report.cameras)
    _show_sight(report.cameras)
    console.print(_sinks(report))
    _show_offsite(report.offsite)
    _show_machine(report)
    for text, about in _grouped(report.advice).items():
        console.print(Text("advice", "yellow"), f"{', '.join(about)}: {text}", soft_wrap=True)
    failed = [f"camera {camera.name}" for camera in report.cameras if not camera.ok]
    failed += [f"sink {sink.name}" for sink in report.sinks if not sink.ok]
    failed += ["the second place"] * (report.offsite is not None and not report.offsite.ok)
    failed += ["the model"] * (not report.model.ok) + ["this machine"] * (not report.host.ok)
    took = f"({report.seconds:.1f} s)"
    if failed:
        console.print(Text("fails:", "red"), f"{', '.join(failed)} {took}; exit code {report.exit_code}")
    else:
        console.print(Text("everything works", "green"), took)


def _grouped(advice: Sequence[Advice]) -> dict[str, list[str]]:
    """Return each text once, with all it is about."""
    grouped: dict[str, list[str]] = {}
    for one in advice:
        grouped.setdefault(one.text, []).append(one.about)
    return grouped


def _cameras(report: ProbeReport) -> Table:
    title = f"{report.config}: cameras"
    # Rules and padding would take a third of a terminal of 80 columns.
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("camera", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("stream", "fps", "key frame", "first picture", "decoding", "clock", "cores"):
        table.add_column(name, overflow="fold")
    for camera in report.cameras:
        if camera.detect is None:
            table.add_row(camera.name, "disabled")
            continue
        table.add_row(camera.name, *_row(camera.detect, report.budget.cameras.get(camera.name)))
        if camera.record is not None:
            table.add_row("  record", *_row(camera.record, None))
    return table


def _row(stream: StreamReport, cost: Cost | None) -> tuple[str | Text, ...]:
    """Return one line; of a stream that fails, its state: the message would leave no room for the others."""
    if not stream.ok:
        return (Text(stream.state, "red"),)
    size = f"{stream.width}×{stream.height}" if stream.width else ""
    gop = f"{stream.gop_s:.1f} s" if stream.gop_s else _NOTHING
    if stream.gop_longer_than_s:
        gop = f"> {stream.gop_longer_than_s:.0f} s"
    cpu = f"{stream.decoder}, {stream.cpu_ms:.1f} ms" if stream.cpu_ms is not None else stream.decoder or ""
    return (
        Text(stream.state, "" if stream.state == "streaming" else "yellow"),
        " ".join(filter(None, (stream.codec, stream.profile, size, stream.transport))),
        _figure(stream.fps, ".1f"),
        gop,
        _figure(stream.first_picture_s, ".2f", " s"),
        cpu,
        _figure(stream.clock_skew_s, "+.1f", " s"),
        f"{_figure(cost.cpu_still, '.2f')} to {_figure(cost.cpu_moving, '.2f')}" if cost else "",
    )


def _show_sight(cameras: Sequence[CameraReport]) -> None:
    """Print how high people must be to be seen, once for all cameras of which it is the same."""
    seen: dict[str, list[str]] = {}
    for camera in cameras:
        for sight, role in ((camera.sight, ""), (camera.record_sight, " (record, if it were analysed)")):
            if sight is not None:
                seen.setdefault(str(sight), []).append(f"{camera.name}{role}")
    for text, names in seen.items():
        console.print(f"{', '.join(names)}: {text}", soft_wrap=True)


def _show_failures(cameras: Sequence[CameraReport]) -> None:
    """Print what is wrong with each stream that fails, one after the other."""
    for camera in cameras:
        for stream, role in ((camera.detect, ""), (camera.record, " (record)")):
            if stream is not None and not stream.ok:
                what = f"{stream.cause}: {stream.message}"
                console.print(Text(f"camera {camera.name}{role}:", "red"), what, soft_wrap=True)


def _figure(value: float | None, form: str, unit: str = "") -> str:
    return _NOTHING if value is None else f"{value:{form}}{unit}"


def _sinks(report: ProbeReport) -> Table:
    table = Table("sink", "type", "shown", title="sinks", title_justify="left")
    for sink in report.sinks:
        shown = f"{sink.shown}{'; test message sent' * sink.test_sent}"
        table.add_row(sink.name, sink.type, shown if sink.ok else Text(sink.message, "red"))
    return table


def _show_offsite(place: SinkReport | None) -> None:
    if place is None:
        return
    shown = f"{place.shown}{'; test file copied' * place.test_sent}"
    told = shown if place.ok else Text(place.message, "red")
    console.print(f"second place {place.name}:", told, soft_wrap=True)


def _show_machine(report: ProbeReport) -> None:
    model, host, budget = report.model, report.host, report.budget
    if model.ok:
        where = f"on {model.provider}, {_figure(model.inference_ms, '.1f')} ms a picture"
        console.print(f"model {model.name}: {where}")
    else:
        console.print(Text(f"model {model.name}:", "red"), model.message, soft_wrap=True)
    for check in (host.state_dir, host.listen):
        console.print(check.shown if check.ok else Text(check.message, "red"), soft_wrap=True)
    held = {True: "synchronised by NTP", False: "not synchronised", None: "synchronisation unknown"}[
        host.clock_synchronised
    ]
    console.print(
        f"{(host.disk_free_bytes or 0) / 1e9:.1f} GB free; clock {held}, {host.time_zone}; "
        f"{host.cores} cores; GPU: {'yes' if host.gpu else 'none'}; user {host.user}"
    )
    console.print(
        f"estimated need: {budget.cpu_still:.2f} cores without motion, "
        f"{_figure(budget.cpu_moving, '.2f')} with motion in every camera; "
        f"{budget.memory_bytes / 1e6:.0f} MB"
    )
