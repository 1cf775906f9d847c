"""The running training: `surveil train` as a separate process, one at a time.

STATE/training/job.jsonl has a line about the job, then what the process writes: progress as JSON, and errors as text.
The process inherits the lock on this file, so a daemon that was restarted meanwhile knows that it still runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from surveil.console.refusal import Refusal
from surveil.errors import EXIT_CONFIG
from surveil.filesystem import make_folders, read_json

_MOST_MESSAGE = 4000
_MOST_BYTES = 1 << 20
_WARNING, _REPORT = "warning ", "report: "
"""How lines of `surveil train` begin."""


_ENDING_S = 5.0
"""A process without its files needs so long to end at most."""


class JobState(StrEnum):
    """What became of a training."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """The pictures cannot be trained on; the message says what is missing."""
    FAILED = "failed"
    KILLED = "killed"
    """By the kernel for want of memory, as a rule."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is trained."""

    dataset: Path
    name: str
    """Of the classifier."""
    positive: str
    """The class to alert on; empty: the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The last training."""

    set: str
    state: JobState
    doing: str
    """The step it is at."""
    share: float
    """Of the step, 0..1."""
    started_at: float
    """Unix s."""
    message: str
    """What the process said of its failure."""


class Trainings:
    """Starts and watches the one training of a state directory. Any thread may call any method."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "training" / "job.jsonl"
        self._one = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, config: Path, wanted: Wanted, now: float) -> None:
        """Start a training. Raises Refusal (409) while one runs, OSError where it cannot be started."""
        with self._one:
            make_folders(self._file.parent)
            with self._locked() as file:
                if file is None:
                    raise Refusal(
                        409, "training", "a training runs already", remedy="wait for its end, or cancel it"
                    )
                os.ftruncate(file, 0)
                # Its output is appended after the line about it, by the same description.
                about = {"set": wanted.dataset.name, "started_at": now}
                os.write(file, (json.dumps(about) + "\n").encode())
                self._child = _spawned(_command(config, wanted), file)

    def job(self) -> Job | None:
        """Return the training that runs, or else the last one; None where there was none."""
        with self._one:
            runs = self._is_held()
            code = None if runs else self._exit_code()
            # A file that is damaged tells of no training.
            with suppress(LookupError, TypeError, ValueError):
                return _read(self._file, code, runs=runs)
            return None

    def cancel(self) -> None:
        """End the training that runs. Raises Refusal (409) where this daemon has started none."""
        with self._one:
            if self._child is None or self._child.poll() is not None:
                raise Refusal(409, "training", "no training that was started here is running")
            self._child.terminate()

    @property
    def pid(self) -> int | None:
        """The process of the training that was started last; None: none was."""
        return None if self._child is None else self._child.pid

    def _exit_code(self) -> int | None:
        """Return how the process has ended, which lets go of the file a moment before; None: it is another daemon's."""
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._child.wait(_ENDING_S)
        return None

    def _is_held(self) -> bool:
        try:
            file = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _lock(file)
        finally:
            os.close(file)

    @contextmanager
    def _locked(self) -> Iterator[int | None]:
        """Open the file and lock it; None where a process that runs has the lock."""
        file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            yield file if _lock(file) else None
        finally:
            os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spawned(command: list[str], output: int) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "NO_PROGRESS"}
    nothing = subprocess.DEVNULL
    # Our own program, without a shell, with words of a closed form.
    return subprocess.Popen(  # noqa: S603
        command, stdin=nothing, stdout=nothing, stderr=output, env=environment
    )


def _command(config: Path, wanted: Wanted) -> list[str]:
    words = [sys.executable, "-m", "surveil", "train", str(wanted.dataset), "--config", str(config)]
    words += ["--name", wanted.name, "--background", "--json"]
    return [*words, f"--positive={wanted.positive}"] if wanted.positive else words


def _read(file: Path, code: int | None, *, runs: bool) -> Job:
    """Return what the file says of a process with this exit code; None: it runs, or a daemon before started it.

    Raises LookupError, TypeError and ValueError for a file that is damaged or not there.
    """
    lines = _lines(file)
    objects = [found for line in lines if (found := _object(line)) is not None]
    said = [line for line in lines if _object(line) is None and not line.startswith(_WARNING)]
    state = JobState.RUNNING if runs else _ended(code, said)
    last: dict[str, Any] = next((one for one in reversed(objects) if "doing" in one), {})
    return Job(
        set=str(objects[0]["set"]),
        state=state,
        doing=str(last.get("doing", "")),
        share=float(last.get("share", 0.0)),
        started_at=float(objects[0]["started_at"]),
        message="" if state in {JobState.RUNNING, JobState.DONE} else "\n".join(said)[-_MOST_MESSAGE:],
    )


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _object(line: str) -> dict[str, Any] | None:
    with suppress(ValueError):
        found = read_json(line)
        return found if isinstance(found, dict) else None
    return None


def _ended(code: int | None, said: list[str]) -> JobState:
    """Return what became of a process by its exit code, or where that is not known by what it said last."""
    if code is None:
        return JobState.DONE if said and said[-1].startswith(_REPORT) else JobState.KILLED
    known = {0: JobState.DONE, EXIT_CONFIG: JobState.REFUSED, -signal.SIGTERM: JobState.CANCELLED}
    return known.get(code, JobState.KILLED if code < 0 else JobState.FAILED)
