"""What every test gets: whoever leaves a thread or a file descriptor behind fails."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Writes to the stderr of its import: first imported under a command's runner, it would write to what is closed.
from surveil import logs

__all__ = ["logs"]
_GRACE_S = 3.0
"""A thread that was asked to end may need so long to do it."""


def pytest_collection_finish() -> None:
    """Leave what is imported out of every later collection of garbage: tests ask for hundreds of them."""
    gc.collect()
    gc.freeze()


def _threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def open_files() -> dict[int, str]:
    """What every file descriptor of this process refers to; empty where /proc cannot be had."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir() if Path("/proc/self/fd").exists() else ():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:  # the listing's own descriptor
            continue
    return found


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = _threads()
    yield
    for thread in _threads() - before:
        thread.join(_GRACE_S)
    left = sorted(thread.name for thread in _threads() - before if thread.is_alive())
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def no_file_left_open() -> Iterator[None]:
    """Fail a test that leaves a file, socket or pipe open. Ask for it where files are opened and closed."""
    gc.collect()
    before = set(open_files().values())
    yield
    gc.collect()
    left = sorted(name for name in open_files().values() if name not in before)
    assert not left, f"files left open: {left}"
