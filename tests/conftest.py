"""What every test gets: whoever leaves a thread or a file descriptor behind fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

# Writes to the stderr of its import: first imported under a command's runner, it would write to what is closed.
from surveil import logs

__all__ = ["logs"]
# Nothing that is collected is garbage, and looking for it takes a third of the collection.
gc.disable()
# How fast a machine is says nothing about what is right.
hypothesis.settings.register_profile("surveil", deadline=None)
hypothesis.settings.load_profile("surveil")
_GRACE_S = 3.0
"""A thread that was asked to end may need so long to do it."""


_WHOLE = {"integration", "ops", "probe", "train", "learn", "demo", "console"}
"""Folders of tests that start daemons, cameras and servers, or draw and learn for seconds."""
_OUTSIDE = {"rig", "server", "slow"}
"""Marks, and below fixtures, with which a test is no unit test."""
_FIXTURES = {"clips", "certificate", "apprise_threads"}
_NAMES = {
    "Camera", "Listener", "Process", "Receiver", "RtspServer", "ThreadingHTTPServer", "Webhook", "aiosmtpd", "forked",
    "free_port", "model", "mosquitto", "socket", "socketserver", "subprocess",
}  # fmt: skip
"""What a module of tests imports when it opens servers, starts processes or learns a model (`model`: 3 s)."""
_DOES = {"socket.bind": "opens a server", "subprocess.Popen": "starts a process"}
_culprits: list[str] = []
_unit: list[str] = []
"""The unit test that runs."""


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what `-m unit` leaves out."""
    return (config.option.markexpr == "unit" and _folder(collection_path) in _WHOLE) or None


_LONGEST = ("fleet/test_faults.py", "system/test_soak.py", "ops/test_boot.py", "console/test_browser.py")
"""Files of a minute and more: begun last, they would keep one worker busy alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; mark what needs neither server nor camera nor model.

    The mark depends on the folder, imports, marks and fixtures.
    """
    items.sort(key=lambda item: not str(item.path).endswith(_LONGEST))
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        needs = set(getattr(item, "fixturenames", ()))
        has = set(vars(item.module)) if isinstance(item, pytest.Function) else set()
        if _folder(item.path) not in _WHOLE and not (marks & _OUTSIDE or needs & _FIXTURES or has & _NAMES):
            item.add_marker("unit")


def _is_private(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether it is a socket of the file system, or what libraries bind to learn whether there is IPv6."""
    return event == "socket.bind" and (isinstance(arguments[1], str | bytes) or arguments[1] == ("::1", 0))


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note a unit test that is none."""
    if _unit and event in _DOES and not _is_private(event, arguments):
        _culprits.append(f"{_unit[0]} {_DOES[event]} ({arguments[:2]}): mark it `rig`")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def nothing_but_a_unit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a unit test that opens a server or starts a process."""
    if request.node.get_closest_marker("unit") is None:
        yield
        return
    _culprits.clear()
    _unit.append(request.node.nodeid)
    yield
    _unit.clear()
    assert not _culprits, _culprits[0]


def pytest_collection_finish() -> None:
    """Leave what is imported out of every later collection of garbage: tests ask for hundreds of them."""
    gc.collect()
    gc.freeze()
    gc.enable()


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
def no_secret_left_behind() -> Iterator[None]:
    """Show again what a test had hidden: a secret of one letter would be cut from what the next test reads."""
    strings = logs._secrets.strings
    yield
    logs._secrets.strings = strings


@pytest.fixture(autouse=True)
def no_log_left_behind() -> Iterator[None]:
    """Take back what a test has set up as its log: it would hold back lines that the next test waits for."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = _threads()
    yield
    for thread in _threads() - before:
        thread.join(_GRACE_S)
    left = sorted(thread.name for thread in _threads() - before if thread.is_alive())
    assert not left, f"threads left behind: {left}"


@pytest.fixture(autouse=True)
def no_running_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test run an event loop of its own: while its browser is open, Playwright's is marked as running here."""
    if "browser" in request.fixturenames:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture
def no_file_left_open() -> Iterator[None]:
    """Fail a test that leaves a file, socket or pipe open. Ask for it where files are opened and closed."""
    gc.collect()
    before = set(open_files().values())
    yield
    gc.collect()
    left = sorted(name for name in open_files().values() if name not in before)
    assert not left, f"files left open: {left}"
