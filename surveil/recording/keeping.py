"""Retention of recordings: by age, by size, by events, and by free disk space.

Recordings leave more of the disk free than evidence does (`record.min_free_bytes`), so evidence never goes because of
them. Age is running time, as for evidence: a clock step deletes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from surveil.capture.settings import RecordSettings
from surveil.clock import DAY_S
from surveil.filesystem import DiskSpace
from surveil.recording.files import recording_file
from surveil.recording.index import Index, Segment

_BATCH = 64
_SHARE_FREE = 10
"""Of the disk, at most one part in so many is kept free."""
_ROOM_BYTES = 32 << 20
"""Room for the next file: what it takes is known only afterwards."""
LATE_S = 90.0
"""How long after what it is about an event may come: a rule's longest wait, and a disk that is slow."""


class Keeping:
    """Deletes recordings. Used by the recorder's thread alone."""

    def __init__(self, state_dir: Path, index: Index, age_s: Callable[[], float]) -> None:
        self._root, self._index, self._age_s = state_dir, index, age_s
        self._disk = DiskSpace(state_dir, _SHARE_FREE, age_s)

    def sweep(self, cameras: Mapping[str, RecordSettings], gone: RecordSettings) -> None:
        """Delete what is too old, too much, or without an event; at most a batch of each.

        Cameras that are recorded no more keep by their settings; those that are not among `cameras`, by `gone`.
        """
        # Whether such a camera recorded events alone is not known: nothing of it goes for want of one.
        gone = gone.model_copy(update={"mode": "off"})
        totals = self._index.totals()
        for camera, (size, _) in totals.items():
            settings = cameras.get(camera, gone)
            self._delete(self._index.older(camera, self._age_s() - settings.keep_days * DAY_S, _BATCH))
            if settings.mode == "events":
                ended = self._age_s() - settings.pre_s - LATE_S
                self._delete(self._index.uneventful(camera, ended, _BATCH))
            if size > settings.max_bytes:
                self._delete_bytes(size - settings.max_bytes, camera)
        self._index.drop_holds()

    def make_room(self, settings: RecordSettings) -> bool:
        """Delete the oldest recordings of all cameras until there is room for one more; return whether there is."""
        return self._disk.make(_ROOM_BYTES, settings.min_free_bytes, self._delete_bytes)

    def _delete_bytes(self, size: int, camera: str | None = None) -> int:
        """Delete the oldest files until `size` bytes are gone, or a batch of them; return how many."""
        chosen: list[Segment] = []
        for segment in self._index.expendable(camera, _BATCH):
            if size <= 0:
                break
            size -= max(segment.bytes, 1)
            chosen.append(segment)
        return self._delete(chosen)

    def _delete(self, segments: Sequence[Segment]) -> int:
        for segment in segments:
            file = recording_file(self._root, segment)
            if file is not None:
                self._disk.remove(file, segment.bytes)
        self._index.forget([segment.id for segment in segments])
        return len(segments)
