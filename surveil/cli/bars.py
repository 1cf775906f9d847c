"""Progress bars on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from surveil.cli.common import errors, shows_progress


@contextmanager
def bar() -> Iterator[Callable[[str, float], None]]:
    """Yield what is called with what is being done and the share of it that is done, 0..1."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not shows_progress()) as progress:
        task = progress.add_task("", total=1.0)
        doing = ""

        def show(what: str, share: float) -> None:
            nonlocal doing
            if what != doing:
                doing = what
                progress.reset(task, total=1.0, description=what)
            progress.update(task, completed=share)

        yield show
