"""The thread that copies evidence and recordings to the second place, with a back-off while it is unavailable."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import structlog

from surveil.alerts.evidence import FOLDER
from surveil.alerts.settings import OffsiteSettings
from surveil.capture.settings import RECORDINGS
from surveil.clock import Clock, Every, Stop
from surveil.errors import StateError
from surveil.logs import LogThrottle
from surveil.metrics import Metrics
from surveil.offsite.metrics import KINDS, OffsiteMetrics
from surveil.offsite.places import Place
from surveil.offsite.queue import OffsiteBacklog, Waiting, open_queue

log = structlog.get_logger(__name__)
_LOOK_S = 2.0
"""How often new files are looked for."""
_NOTHING = OffsiteBacklog(files=0, bytes=0, oldest_s=0.0)


class Copier:
    """Owned by its thread.

    `unfinished`: names the files, below the state directory, that are still being written. Raises StateError where the
    queue cannot be opened.
    """

    def __init__(
        self,
        state_dir: Path,
        settings: OffsiteSettings,
        place: Place,
        metrics: Metrics,
        clock: Clock,
        age_s: Callable[[], float],
        unfinished: Callable[[], Collection[str]],
    ) -> None:
        self._root, self._settings, self._place = state_dir, settings, place
        self._clock, self._age_s, self._unfinished = clock, age_s, unfinished
        self._metrics = metrics.of(OffsiteMetrics)
        self._queue = open_queue(state_dir)
        if n := self._queue.go_to(settings.place, age_s()):
            log.info("second place changed, files are copied again", files=n)
        self._listed: dict[str, int] = {}
        """When a folder changed that was looked at, ns."""
        self._skipped: Collection[str] = ()
        """Files that were being written at the last look."""
        self._vanished = set(self._queue.folders())
        """Folders that the queue knows and that were not scanned yet."""
        self._arrived: tuple[Waiting, int] | None = None
        """A file that was copied, and its bytes, until the queue has noted it: a full disk repeats no copy."""
        self._looks = Every(_LOOK_S)
        self._failures, self._resume_at = 0, float("-inf")
        self._told = LogThrottle(clock, 600.0)

    def run(self, stop: Stop) -> None:
        """Copy until `stop`. Nothing of a disk or a network ends the program."""
        while not self._clock.sleep(0.0 if self._step() else _LOOK_S / 2, stop):
            pass
        self._place.close()
        self._queue.close()

    def _step(self) -> bool:
        try:
            return self.step()
        except (StateError, OSError) as error:
            if n := self._told.take():
                log.error("second place not updated", why=str(error), times=n)  # noqa: TRY400 - it says where
            return False

    def step(self) -> bool:
        """Look for new files if that is due, copy one; return whether one was copied. Raises StateError, OSError."""
        if self._arrived:
            # Before the look: it may give the number of the row to another file.
            self._note(*self._arrived)
        if self._looks.due(self._clock.monotonic()):
            self._look()
        if self._clock.monotonic() < self._resume_at:
            return False
        file = self._queue.next()
        return file is not None and self._copy(file)

    def _copy(self, file: Waiting) -> bool:
        source = self._root / file.path
        if self._is_unfinished(file):
            return True
        try:
            size = source.stat().st_size
            self._place.put(source, file.path)
        except OSError as error:
            if not source.is_file():
                self._queue.forget(file)
                self._metrics.files.labels("lost").inc()
                return True
            self._back_off(error)
            self._queue.failed(file)
            return False
        if self._failures:
            log.info("second place available again", after_failures=self._failures)
        self._failures = 0
        self._note(file, size)
        return True

    def _note(self, file: Waiting, size: int) -> None:
        """Note that a file was copied. Raises StateError when that cannot be stored; it is not forgotten."""
        self._arrived = file, size
        self._queue.copied(file, size)
        self._arrived = None
        self._metrics.files.labels("copied").inc()
        self._metrics.bytes.labels(file.kind).inc(size)

    def _is_unfinished(self, file: Waiting) -> bool:
        """Return whether a file is still being written, and look for it again in that case.

        One that was begun while its folder was scanned looks like one that is whole.
        """
        if file.kind != RECORDINGS or file.path not in self._unfinished():
            return False
        self._queue.forget(file)
        self._listed.pop(file.folder, None)
        return True

    def _back_off(self, error: OSError) -> None:
        """Pause twice as long as before, less up to a quarter of jitter."""
        pause = min(self._settings.backoff_max_s, self._settings.backoff_s * 2 ** min(self._failures, 30))
        pause *= 1 - 0.25 * random.random()  # noqa: S311 - jitter needs no cryptography
        self._failures += 1
        self._resume_at = self._clock.monotonic() + pause
        self._metrics.files.labels("retry").inc()
        if n := self._told.take():
            why = error.strerror or str(error)
            log.warning(
                "second place unavailable, files wait", why=why, times=n, next_try_in_s=round(pause, 1)
            )

    # What there is.

    def _look(self) -> None:
        """Take note of new files and of those that have gone, in every folder that has changed."""
        lost, unfinished = 0, set(self._unfinished())
        there = set()
        for folder in self._folders():
            name = folder.relative_to(self._root).as_posix()
            there.add(name)
            changed = folder.stat().st_mtime_ns
            # A file that was being written changes no folder when it is done.
            if self._listed.get(name) != changed or any(path.startswith(name) for path in self._skipped):
                # Another file may come in the same tick of the disk's clock.
                is_settled = self._clock.wall() - changed / 1e9 > _LOOK_S
                self._listed[name] = changed if is_settled else 0
                lost += self._take_in(folder, name, unfinished)
        for name in (self._listed.keys() | self._vanished) - there:
            lost += self._queue.settle(name, {}, self._age_s())
            self._listed.pop(name, None)
        self._vanished, self._skipped = set(), unfinished
        self._metrics.files.labels("lost").inc(lost)
        self._show()

    def _take_in(self, folder: Path, name: str, unfinished: Collection[str]) -> int:
        """Note what lies in a folder; return how many files have gone uncopied."""
        being_written = {path.rpartition("/")[2] for path in unfinished if path.startswith(f"{name}/")}
        return self._queue.settle(name, dict(_files(folder)), self._age_s(), being_written)

    def _folders(self) -> Iterator[Path]:
        """Yield the folders of days that are copied."""
        wanted = {FOLDER: self._settings.evidence, RECORDINGS: self._settings.recordings}
        for kind in (kind for kind, is_wanted in wanted.items() if is_wanted):
            yield from (path for path in sorted((self._root / kind).glob("*/*")) if path.is_dir())

    def _show(self) -> None:
        backlog = self._queue.backlog()
        for kind in KINDS:
            waits = backlog.get(kind, _NOTHING)
            self._metrics.pending_files.labels(kind).set(waits.files)
            self._metrics.pending_bytes.labels(kind).set(waits.bytes)
        oldest = min((waits.oldest_s for waits in backlog.values()), default=self._age_s())
        self._metrics.oldest.set(max(0.0, self._age_s() - oldest))


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the files of a folder that have their names, with their sizes."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                yield entry.name, entry.stat(follow_symlinks=False).st_size
