"""No more is deleted than a full disk lacks, also where a file system returns the space of a file only later."""

import os
from contextlib import closing

import pytest

from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.rows import StoredAlert
from surveil.alerts.settings import EvidenceSettings
from surveil.capture.settings import RecordSettings
from surveil.clock import ManualClock
from surveil.filesystem import DiskSpace
from surveil.recording.index import DATABASE, Index, Segment
from surveil.recording.keeping import Keeping

MB = 1 << 20
COUNT = 200


class Disk:
    """A disk with room for `capacity` bytes of the files in a folder, as the system shows it.

    `is_late`: what was deleted is free only after `commit`, as on btrfs and ZFS.
    """

    def __init__(self, folder, capacity, *, is_late):
        self.folder, self.capacity, self.is_late = folder, capacity, is_late
        self.pending = 0
        self.used = self._used()

    def statvfs(self, _path):
        used = self._used()
        self.pending += max(0, self.used - used)
        self.used = used
        free = self.capacity - used - (self.pending if self.is_late else 0)
        return os.statvfs_result((1, 1, self.capacity, free, free, 0, 0, 0, 0, 255))

    def commit(self):
        self.statvfs(None)
        self.pending = 0

    def _used(self):
        return sum(file.stat().st_size for file in self.files())

    def files(self):
        return sorted(self.folder.rglob("*.bin"))


def write(folder, name, size=MB):
    """Write a file that holds nothing but its size."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        opened.truncate(size)
    return file


def recordings(root):
    """Return what makes room for a recording, which takes 32 MB, among `COUNT` recordings of 1 MB."""
    index = Index(root / DATABASE)
    for n in range(COUNT):
        path = f"recordings/gate/2026-03-01/{n:03}.bin"
        write(root, path)
        index.add(
            Segment(
                camera="gate", path=path, start=n * 60.0, seconds=60.0, bytes=MB, created_s=0.0, state="whole"
            )
        )
    clock = ManualClock()
    keeping = Keeping(root, index, clock.monotonic)
    return clock, lambda: keeping.make_room(RecordSettings(min_free_bytes=0)), index


def evidence(root):
    """Return what makes room for 32 MB among `COUNT` pictures of 1 MB."""
    clock = ManualClock()
    outbox = Outbox.open(root / "surveil.db", ["hook"], clock)
    names = [f"evidence/gate/2026-03-01/{n:03}.bin" for n in range(COUNT)]
    outbox.evidence.adopt([StoredAlert(name, "gate", write(root, name).stat().st_size) for name in names])
    retention = Retention(root, {"gate": EvidenceSettings(min_free_bytes=0)}, outbox)
    return clock, lambda: retention.make_room(32 * MB), outbox


@pytest.fixture(params=[recordings, evidence])
def full(request, tmp_path, monkeypatch):
    """A late disk with room for 25 MB more, and what makes room on it."""
    clock, make_room, opened = request.param(tmp_path)
    disk = Disk(tmp_path, (COUNT + 25) * MB, is_late=True)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    with closing(opened):
        yield disk, clock, make_room


def test_a_disk_that_returns_space_late_costs_no_more_files_than_were_lacking(full):
    disk, clock, make_room = full
    for _ in range(5):
        assert make_room()
        clock.advance(5.0)
    assert len(disk.files()) == COUNT - 7
    disk.commit()
    assert make_room()
    assert len(disk.files()) == COUNT - 7


def test_what_a_disk_never_returns_is_made_up_for_by_others_a_minute_later(full):
    """A snapshot holds the blocks of what was deleted."""
    disk, clock, make_room = full
    for minute in range(1, 4):
        assert make_room()
        assert len(disk.files()) == COUNT - 7 * minute
        clock.advance(61.0)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_was_returned_counts_once(tmp_path, monkeypatch, is_late):
    disk = Disk(tmp_path, 10 * MB, is_late=is_late)
    files = [write(tmp_path, f"{n}.bin") for n in range(10)]
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    space = DiskSpace(tmp_path, 1, ManualClock().monotonic)

    def delete(size):
        for file in files[: -(-size // MB)]:
            space.remove(file, MB)
            files.remove(file)
        return 1

    assert space.make(3 * MB, 0, delete)
    assert len(files) == 7
    disk.commit()
    assert space.make(4 * MB, 0, delete)
    assert len(files) == 6
    assert space.make(2 * MB, 3 * MB, delete)
    assert len(files) == 5


def test_a_file_that_was_gone_makes_no_room(tmp_path, monkeypatch):
    disk = Disk(tmp_path, 0, is_late=False)
    monkeypatch.setattr(os, "statvfs", disk.statvfs)
    space, calls = DiskSpace(tmp_path, 1, ManualClock().monotonic), iter((1, 0))

    def delete(size):
        space.remove(tmp_path / "gone.bin", size)
        return next(calls)

    assert not space.make(MB, 0, delete)
