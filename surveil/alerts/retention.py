"""Retention of evidence: by age, by size, and by free disk space.

Age is the outbox's own count of running time, so a clock step deletes nothing. When the disk is full the
oldest evidence of all cameras goes first; the space of `min_free_bytes` stays for the outbox. What belongs to an alert
that still waits for a sink stays, whatever its age and size, until the disk is full and nothing else is left to delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from surveil.alerts.evidence import FOLDER, safe_name
from surveil.alerts.links import stored_file
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import StoredAlert
from surveil.alerts.settings import EvidenceSettings
from surveil.clock import DAY_S
from surveil.filesystem import DiskSpace

log = structlog.get_logger(__name__)
_BATCH = 64
"""Files deleted at once; a sweep that has more to do goes on at the next tick."""
_SHARE_FREE = 20
"""Of the disk, at most one part in so many is kept free."""


class Retention:
    """Deletes evidence. Used by the commit thread alone."""

    def __init__(self, state_dir: Path, cameras: Mapping[str, EvidenceSettings], outbox: Outbox) -> None:
        self._root = state_dir
        self._cameras = {safe_name(name): settings for name, settings in cameras.items()}
        self._index, self._age_s = outbox.evidence, outbox.db.age_s
        self._disk = DiskSpace(state_dir, _SHARE_FREE, self._age_s)
        self._gone = EvidenceSettings()
        self.deleted: int = 0
        """Files deleted since the start."""

    def keep(self, camera: str, settings: EvidenceSettings) -> None:
        """Keep a camera's evidence by `settings` from now on; a camera that has gone stays under its last ones."""
        self._cameras[safe_name(camera)] = settings

    def keep_gone(self, settings: EvidenceSettings) -> None:
        """Keep the evidence of cameras that were gone before this start by `settings` from now on."""
        self._gone = settings

    def adopt(self) -> int:
        """Take in files that the database does not know (a crash, a new database); return how many.

        Half-written files are removed.
        """
        known = self._index.paths()
        found: list[StoredAlert] = []
        for path in sorted((self._root / FOLDER).rglob("*")):
            relative = path.relative_to(self._root).as_posix()
            if path.name.endswith(".tmp"):
                with suppress(OSError):
                    path.unlink()
            elif path.is_file() and relative not in known:
                found.append(
                    StoredAlert(relative, path.relative_to(self._root).parts[1], path.stat().st_size)
                )
        self._index.adopt(found)
        return len(found)

    def sweep(self) -> int:
        """Delete what is too old or too much; return how many files."""
        gone = 0
        for camera in self._index.cameras():
            settings = self._cameras.get(camera, self._gone)
            oldest = self._age_s() - settings.keep_days * DAY_S
            gone += self._delete(self._oldest(oldest, camera))
            excess = self._index.bytes_of(camera) - settings.max_bytes
            if excess > 0:
                gone += self._delete_bytes(excess, camera)
        return gone

    def make_room(self, size: int) -> bool:
        """Delete the oldest evidence until `size` bytes fit beside what must stay free; return whether they do.

        That of alerts which wait goes after all other.
        """
        kept = max((settings.min_free_bytes for settings in self._cameras.values()), default=0)
        return self._disk.make(size, kept, self._delete_any)

    def _delete_any(self, size: int) -> int:
        """Delete the oldest files of all cameras; those of alerts that wait only where there are no others."""
        return self._delete_bytes(size, None) or self._delete_bytes(size, None, spare=False)

    def _oldest(self, created_s: float, camera: str | None, *, spare: bool = True) -> list[StoredAlert]:
        """Return a batch of the oldest files, without those that alerts which wait name if they are spared."""
        found = self._index.before(created_s, camera, _BATCH)
        wanted = self._index.pending() if found and spare else set()
        if wanted.intersection(stored.path for stored in found):
            found = self._index.before(created_s, camera, _BATCH + len(wanted))
        return [stored for stored in found if stored.path not in wanted][:_BATCH]

    def _delete_bytes(self, size: int, camera: str | None, *, spare: bool = True) -> int:
        """Delete the oldest files until `size` bytes are gone, or a batch of them."""
        chosen: list[StoredAlert] = []
        for stored in self._oldest(float("inf"), camera, spare=spare):
            if size <= 0:
                break
            size -= max(stored.size, 1)
            chosen.append(stored)
        return self._delete(chosen)

    def _delete(self, files: list[StoredAlert]) -> int:
        if not files:
            return 0
        for stored in files:
            path = stored_file(self._root, stored.path)
            # A row that names anything else was not written here: it is forgotten, the file stays.
            if path and path.is_relative_to(self._root / FOLDER):
                self._remove(path, stored.size)
        self._index.forget([stored.path for stored in files])
        return len(files)

    def _remove(self, path: Path, size: int) -> None:
        """Delete a file. One that cannot be deleted is forgotten until the next start, so that others go instead."""
        try:
            self._disk.remove(path, size)
        except OSError as error:
            log.error("evidence cannot be deleted", file=str(path), why=error.strerror)  # noqa: TRY400 - it says where
        else:
            self.deleted += 1
