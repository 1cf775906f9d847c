"""Progress bars on a terminal; elsewhere a line now and then."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from surveil.cli.common import errors, shows_progress
from surveil.clock import Clock, Every, SystemClock

LINE_S = 10.0
"""Without a terminal, a line of progress is written this often."""
JSON_LINE_S = 0.5
"""The same for a program that reads it."""


@contextmanager
def bar(clock: Clock | None = None, *, as_json: bool = False) -> Iterator[Callable[[str, float], None]]:
    """Yield what is called with what is being done and the share of it that is done, 0..1.

    `as_json`: a program reads the output; where no terminal is there, progress is one JSON object a line.
    """
    if not shows_progress():
        lines = _json_lines if as_json else _lines
        yield _silent if os.environ.get("NO_PROGRESS") else lines(clock or SystemClock())
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        doing = ""

        def show(what: str, share: float) -> None:
            nonlocal doing
            if what != doing:
                doing = what
                progress.reset(task, total=1.0, description=what)
            progress.update(task, completed=share)

        yield show


def _silent(_what: str, _share: float) -> None:
    """Show nothing."""


def _lines(clock: Clock) -> Callable[[str, float], None]:
    """Return what writes a line every `LINE_S`, the first one that long after the beginning."""
    every = Every(LINE_S, clock.monotonic())

    def show(what: str, share: float) -> None:
        if every.due(clock.monotonic()):
            errors.print(f"{what}: {share:.0%}")

    return show


def _json_lines(clock: Clock) -> Callable[[str, float], None]:
    """Return what writes an object at each new step, and every `JSON_LINE_S` of one that takes long."""
    every = Every(JSON_LINE_S)
    doing = ""

    def show(what: str, share: float) -> None:
        nonlocal doing
        if every.due(clock.monotonic()) or what != doing:
            doing = what
            sys.stderr.write(json.dumps({"doing": what, "share": round(share, 3)}) + "\n")
            sys.stderr.flush()

    return show
