"""What is whole is copied, evidence first and the newest first; nothing is forgotten while the second place is away."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.settings import OffsiteSettings
from surveil.clock import ManualClock
from surveil.metrics import Metrics
from surveil.offsite.copier import Copier
from surveil.offsite.places import MountedPlace
from surveil.offsite.queue import DATABASE
from tests.alerts.servers import tmpfs

DAY = "2026-03-01"


class World:
    """A state directory, a second place, and a copier whose clock belongs to the test."""

    def __init__(self, folder, **settings):
        self.state, self.there = folder / "state", folder / "there"
        self.state.mkdir(exist_ok=True)
        self.clock, self.registry, self.open = ManualClock(), CollectorRegistry(), []
        self.settings = OffsiteSettings(path=self.there, **{"same_disk": True, **settings})
        self.copier = self.make()

    def make(self):
        place = MountedPlace(self.there, self.state, same_disk=self.settings.same_disk)
        return Copier(
            self.state,
            self.settings,
            place,
            Metrics(self.registry),
            self.clock,
            self.clock.monotonic,
            lambda: self.open,
        )

    def again(self):
        """As after a crash: nothing but the disk is left."""
        self.registry = CollectorRegistry()
        self.copier = self.make()

    def write(self, path, data=b"data"):
        file = self.state / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def run(self, steps=20):
        for _ in range(steps):
            self.clock.advance(3.0)
            self.copier._step()

    def copies(self):
        found = [path for path in self.there.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.there).as_posix() for path in found)

    def value(self, name, **labels):
        return self.registry.get_sample_value(f"surveil_offsite_{name}", labels)


@pytest.fixture
def world(tmp_path):
    (tmp_path / "there").mkdir()
    return World(tmp_path)


def test_evidence_and_recordings_are_copied_as_they_are(world):
    world.write(f"evidence/yard/{DAY}/a.jpg", b"picture")
    world.write(f"recordings/yard/{DAY}/a.mp4", b"film")
    world.write("surveil.db", b"no evidence")
    world.run()
    assert world.copies() == [f"evidence/yard/{DAY}/a.jpg", f"recordings/yard/{DAY}/a.mp4"]
    copy = world.there / f"evidence/yard/{DAY}/a.jpg"
    assert copy.read_bytes() == b"picture"
    assert copy.stat().st_mode & 0o777 == 0o640
    assert world.value("pending_files", kind="evidence") == 0
    assert world.value("bytes_total", kind="recordings") == 4


def test_evidence_goes_before_recordings_and_the_newest_first(world):
    shutil.rmtree(world.there)
    for n in range(3):
        world.write(f"recordings/yard/{DAY}/{n}.mp4")
        world.run(1)
        world.write(f"evidence/yard/{DAY}/{n}.jpg")
        world.run(1)
    world.there.mkdir()
    arrived = []
    while world.value("files_total", result="copied") < 6:
        before = set(world.copies())
        world.run(1)
        world.clock.advance(400)
        arrived += [path.rpartition("/")[2] for path in set(world.copies()) - before]
    assert arrived == ["2.jpg", "1.jpg", "0.jpg", "2.mp4", "1.mp4", "0.mp4"]


def test_what_is_being_written_waits_until_it_is_whole(world):
    open_one = f"recordings/yard/{DAY}/a.mp4"
    world.open = [open_one]
    world.write(open_one, b"half")
    world.write(f"evidence/yard/{DAY}/.b.jpg.tmp", b"half")
    world.run()
    assert world.copies() == []
    (world.state / open_one).write_bytes(b"whole")
    world.open = []
    world.run()
    assert world.copies() == [open_one]
    assert (world.there / open_one).read_bytes() == b"whole"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_is_begun_while_its_folder_is_scanned_is_copied_once_it_is_whole(world, is_there):
    begun = f"recordings/yard/{DAY}/b.mp4"
    world.write(f"recordings/yard/{DAY}/a.mp4")
    if not is_there:
        shutil.rmtree(world.there)

    def begin():
        """The recorder begins a file right after it was asked."""
        before = list(world.open)
        if not (world.state / begun).exists():
            world.open.append(begun)
            world.write(begun, b"half")
        return before

    world.copier._unfinished = begin
    world.run(4)
    world.there.mkdir(exist_ok=True)
    world.write(begun, b"the whole minute")
    world.run(4)
    world.open.clear()
    world.run(200)
    assert (world.there / begun).read_bytes() == b"the whole minute"
    assert world.copies() == [f"recordings/yard/{DAY}/a.mp4", begun]
    assert world.value("files_total", result="lost") == 0
    assert world.value("pending_files", kind="recordings") == 0


def test_a_file_that_has_changed_since_it_was_copied_is_copied_again(world):
    """What was cut off by a crash is cut to what is whole of it."""
    file = world.write(f"recordings/yard/{DAY}/a.mp4", b"a minute and a half frame")
    world.run()
    file.write_bytes(b"a minute")
    world.again()
    world.run()
    assert (world.there / f"recordings/yard/{DAY}/a.mp4").read_bytes() == b"a minute"
    world.run(50)
    assert world.value("files_total", result="copied") == 1


def test_a_new_second_place_gets_everything(world):
    for name in "ab":
        world.write(f"evidence/yard/{DAY}/{name}.jpg")
    world.run()
    world.there = world.there.with_name("elsewhere")
    world.settings = world.settings.model_copy(update={"path": world.there})
    world.again()
    world.run(1)
    assert world.value("pending_files", kind="evidence") == 2
    assert world.value("oldest_pending_seconds") < 10
    world.there.mkdir()
    world.run(200)
    assert world.copies() == [f"evidence/yard/{DAY}/{name}.jpg" for name in "ab"]
    world.again()
    world.run()
    assert world.value("files_total", result="copied") == 0


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({"url": "s3://bucket/other"}, True),
        ({"endpoint": "https://192.0.2.9:9000"}, True),
        ({"endpoint": "https://192.0.2.8:9000/"}, False),
        ({"secret_key": "other", "access_key": "other"}, False),
    ],
)
def test_what_makes_a_second_place_another_one(change, is_new):
    its = {"url": "s3://bucket/a", "endpoint": "https://192.0.2.8:9000", "access_key": "k", "secret_key": "s"}
    assert (OffsiteSettings(**its).place != OffsiteSettings(**{**its, **change}).place) == is_new


def test_nothing_is_forgotten_while_the_second_place_is_away_and_the_daemon_crashes(world):
    shutil.rmtree(world.there)
    for n in range(5):
        world.write(f"evidence/yard/{DAY}/{n}.jpg")
    world.run()
    assert world.value("pending_files", kind="evidence") == 5
    assert world.value("pending_bytes", kind="evidence") == 20
    assert world.value("oldest_pending_seconds") > 30
    assert world.value("files_total", result="retry") > 1
    world.again()
    world.there.mkdir()
    world.run(200)
    assert len(world.copies()) == 5
    assert world.value("oldest_pending_seconds") == 0


def test_the_pauses_grow_to_their_longest(world):
    shutil.rmtree(world.there)
    world.write(f"evidence/yard/{DAY}/a.jpg")
    world.run(2000)  # 100 minutes
    assert 20 <= world.value("files_total", result="retry") <= 40


def test_a_folder_that_is_not_mounted_is_not_written_to(tmp_path):
    (tmp_path / "there").mkdir()
    world = World(tmp_path, same_disk=False)
    world.write(f"evidence/yard/{DAY}/a.jpg")
    world.run()
    assert world.copies() == []
    assert world.value("pending_files", kind="evidence") == 1


def test_what_is_copied_stays_there_when_it_is_deleted_here_and_what_was_not_is_counted(world):
    first = world.write(f"evidence/yard/{DAY}/a.jpg")
    world.run()
    first.unlink()
    world.run()
    assert world.copies() == [f"evidence/yard/{DAY}/a.jpg"]
    assert world.value("files_total", result="lost") == 0
    shutil.rmtree(world.there)
    second = world.write(f"evidence/yard/{DAY}/b.jpg")
    world.run()
    shutil.rmtree(second.parent)
    world.run()
    assert world.value("files_total", result="lost") == 1
    assert world.value("pending_files", kind="evidence") == 0


@pytest.mark.parametrize(
    ("settings", "copied"), [({"evidence": False}, "recordings"), ({"recordings": False}, "evidence")]
)
def test_what_is_copied_is_a_setting(tmp_path, settings, copied):
    (tmp_path / "there").mkdir()
    world = World(tmp_path, **settings)
    world.write(f"evidence/yard/{DAY}/a")
    world.write(f"recordings/yard/{DAY}/a")
    world.run()
    assert world.copies() == [f"{copied}/yard/{DAY}/a"]


def test_a_damaged_queue_is_set_aside_and_everything_is_copied_again(world):
    world.write(f"evidence/yard/{DAY}/a.jpg")
    world.run()
    world.copier._queue.close()
    shutil.rmtree(world.there)
    world.there.mkdir()
    (world.state / DATABASE).write_bytes(b"no database" * 1000)
    world.again()
    world.run()
    assert world.copies() == [f"evidence/yard/{DAY}/a.jpg"]
    assert list(world.state.glob(f"{DATABASE}.damaged-*"))


def test_a_file_that_cannot_be_copied_does_not_keep_the_others_from_it(world):
    """A folder lies where the copy would."""
    (world.there / f"evidence/yard/{DAY}/b.jpg").mkdir(parents=True)
    for name in "ab":
        world.write(f"evidence/yard/{DAY}/{name}.jpg")
    world.run(400)
    assert world.copies() == [f"evidence/yard/{DAY}/a.jpg"]
    assert world.value("pending_files", kind="evidence") == 1


def test_another_disk_is_taken(tmp_path):
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system: /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as there:
        (tmp_path / "there").symlink_to(there)
        world = World(tmp_path, same_disk=False)
        world.write(f"evidence/yard/{DAY}/a.jpg")
        world.run()
        assert (Path(there) / f"evidence/yard/{DAY}/a.jpg").read_bytes() == b"data"


@pytest.mark.rig
def test_a_full_disk_repeats_no_copy(tmp_path):
    (tmp_path / "there").mkdir()
    with tmpfs(tmp_path / "state", "size=2m"):
        world = World(tmp_path)
        world.write(f"evidence/yard/{DAY}/a.jpg", b"picture")
        world.copier._look()
        hog = tmp_path / "state" / "hog"
        with suppress(OSError), hog.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        world.run()
        copy = world.there / f"evidence/yard/{DAY}/a.jpg"
        made = copy.stat().st_ino
        world.run()
        assert world.value("files_total", result="copied") == 0
        hog.unlink()
        world.run()
        assert copy.stat().st_ino == made
        assert world.value("files_total", result="copied") == 1
        world.copier._queue.close()
