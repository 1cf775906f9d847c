"""A JSON Lines file: one alert a line, synced before it counts as delivered.

A line that a crash cut short is removed when the file is opened, and its alert is written again. A file
that was renamed or removed (log rotation) is made again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import Field

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.payload import to_json
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.filesystem import how_written, sync_folder

_BLOCK = 65_536
_BEGINS = b'{"schema":'
"""What every line begins with, and so a file of this sink."""


class FileSinkSettings(SinkSettings):
    """Append alerts to a file as JSON Lines."""

    type: Literal["file"] = Field(default="file", description="JSON Lines file.")
    path: Path = Field(description="File, relative to the state directory.")
    sync: bool = Field(
        default=True, description="Sync each line to disk before the alert counts as delivered."
    )


class FileSink(BaseSink):
    """Appends alerts to a file."""

    def __init__(self, settings: FileSinkSettings, context: Context) -> None:
        super().__init__(context)
        self._path = context.state_dir / settings.path
        self._sync = settings.sync
        self._file: BinaryIO | None = None

    def deliver(self, delivery: Delivery) -> None:
        """Append one line. Raises RetryLater when the file cannot be written."""
        line = to_json(delivery.alert).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            self.close()
            raise RetryLater(f"{self._path}: {error.strerror}") from error

    def probe(self) -> str:
        """Look whether the file, or the folder it would be made in, may be written. Raises RetryLater."""
        try:
            return how_written(self._path, folder=False)
        except OSError as error:
            raise RetryLater(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    def _append(self, line: bytes) -> None:
        file = self._opened()
        end = file.seek(0, os.SEEK_END)
        try:
            written = file.write(line)
        except OSError:
            file.truncate(end)
            raise
        if written != len(line):
            file.truncate(end)
            raise OSError(0, "only part of the line was written: check the free disk space")
        if self._sync:
            os.fdatasync(file.fileno())

    def _opened(self) -> BinaryIO:
        if self._file and not self._same(self._file):
            self.close()
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._file = os.fdopen(handle, "r+b", buffering=0)
            _end_line(self._file)
            sync_folder(self._path.parent)
        return self._file

    def _same(self, file: BinaryIO) -> bool:
        """Return whether the name still leads to the file that is open."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        here = os.fstat(file.fileno())
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _end_line(file: BinaryIO) -> None:
    """Remove a line that a crash has cut short; in a file that others began it stays, and is ended."""
    file.seek(0)
    begins = file.read(len(_BEGINS))
    whole, end = _whole_lines(file), file.seek(0, os.SEEK_END)
    if _BEGINS.startswith(begins):
        file.truncate(whole)
    elif whole < end:
        file.write(b"\n")


def _whole_lines(file: BinaryIO) -> int:
    """Return the length up to the last line end."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        file.seek(start)
        cut = file.read(end - start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        end = start
    return 0
