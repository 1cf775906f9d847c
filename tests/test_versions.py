"""One store of versions: what is deployed, and how anything that is wrong with it is got out of."""

import stat
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from surveil.errors import ModelError, StateError
from surveil.filesystem import appearing, write_atomically
from surveil.versions import ModelReloader, VersionedStore, VersionRole


def check(path):
    if not path.exists() or path.read_bytes().startswith(b"bad"):
        raise ModelError(f"{path}: damaged")


@pytest.fixture
def store(tmp_path):
    return VersionedStore(tmp_path / "models" / "yard", ".bin", check, "camera yard", "roll back")


def spoil(store, how, role=VersionRole.CURRENT):
    pointer = store.folder / role
    if how == "missing version":
        pointer.write_text("0099.bin\n")
    elif how == "damaged version":
        (store.folder / "0099.bin").write_bytes(b"bad")
        pointer.write_text("0099.bin\n")
    else:
        pointer.write_bytes(how)


UNREADABLE = [
    b"???",
    b"",
    b"\xff\xfe\x00",
    b"../../etc/passwd",
    b"0001.bin\n0002.bin\n",
    b"0001.npz",
    b"1.bin",
]
BAD = [*UNREADABLE, "missing version", "damaged version"]


@pytest.mark.parametrize("how", BAD, ids=repr)
def test_a_bad_pointer_is_replaced_by_a_new_version(store, how):
    store.publish(b"one")
    spoil(store, how)
    assert store.damage()
    store.publish(b"two")
    assert (store.path().read_bytes(), store.damage()) == (b"two", "")


@pytest.mark.parametrize("how", BAD, ids=repr)
def test_from_a_bad_pointer_one_rolls_back_to_the_newest_version_that_can_be_read(store, how):
    for content in (b"one", b"two", b"bad three"):
        store.publish(content)
    spoil(store, how)
    assert store.rollback() == "0002.bin"
    assert (store.current(), store.damage()) == ("0002.bin", "")


@pytest.mark.parametrize("how", UNREADABLE, ids=repr)
def test_what_cannot_be_read_says_where_and_what_helps(store, how):
    store.publish(b"one")
    spoil(store, how)
    with pytest.raises(StateError, match=r"yard/current: .*; roll back"):
        store.current()


@pytest.mark.parametrize("how", UNREADABLE, ids=repr)
def test_a_bad_pointer_to_a_shadow_goes_with_the_next_version(store, how):
    store.publish(b"one")
    store.publish(b"two", VersionRole.SHADOW)
    spoil(store, how, VersionRole.SHADOW)
    store.publish(b"three")
    assert (store.path().read_bytes(), store.current(VersionRole.SHADOW)) == (b"three", None)


def test_rolling_back_passes_over_damaged_versions(store):
    for content in (b"one", b"bad two", b"three"):
        store.publish(content)
    assert store.rollback() == "0001.bin"
    with pytest.raises(StateError, match=r"camera yard: there is no version before 0001\.bin"):
        store.rollback()


def test_where_nothing_can_be_read_the_reason_is_told(store):
    store.publish(b"bad one")
    spoil(store, b"???")
    with pytest.raises(StateError, match=r"to roll back to \(.*0001\.bin: damaged\)"):
        store.rollback()


def test_where_nothing_was_deployed_there_is_nothing_to_go_back_to(store):
    assert (store.versions(), store.current(), store.damage()) == ([], None, "")
    with pytest.raises(StateError, match="no version before any"):
        store.rollback()


def test_a_refused_deployment_leaves_no_version_behind(store):
    store.publish(b"one")
    (store.folder / "current").unlink()
    (store.folder / "current").mkdir()
    for _ in range(7):
        with pytest.raises(StateError, match="cannot be written"):
            store.publish(b"two")
    assert store.versions() == ["0001.bin"]


def test_the_same_content_is_stored_once_where_that_is_wanted(store):
    store.publish(b"one", reuse=True)
    store.publish(b"two", VersionRole.SHADOW, reuse=True)
    assert store.publish(b"two", reuse=True) == "0002.bin"
    assert (store.versions(), store.current(VersionRole.SHADOW)) == (["0001.bin", "0002.bin"], None)
    assert store.publish(b"two") == "0003.bin"


def test_after_an_older_one_is_deployed_again_the_version_before_is_the_one_that_was_in_use(store):
    for content in (b"one", b"two", b"three"):
        store.publish(content, reuse=True)
    store.publish(b"one", reuse=True)
    assert store.path().read_bytes() == b"one"
    store.publish(b"one", reuse=True)
    store.rollback()
    assert store.path().read_bytes() == b"three"


def test_two_that_deploy_at_a_time_get_a_version_each(store):
    def publish(content):
        other = VersionedStore(store.folder, ".bin", check, "camera yard", "roll back")
        start.wait()
        return other.publish(content)

    for n in range(20):
        start = Barrier(2)
        contents = (b"a" * 200_000 + bytes([n]), b"b" * 200_000 + bytes([n]))
        with ThreadPoolExecutor(2) as pool:
            names = list(pool.map(publish, contents))
        assert len(set(names)) == 2
        assert tuple((store.folder / name).read_bytes() for name in names) == contents


def test_only_old_versions_that_nothing_points_to_are_removed(store):
    store.publish(b"0")
    store.publish(b"shadow", VersionRole.SHADOW)
    for k in range(8):
        store.publish(b"%d" % k)
    assert store.versions() == ["0002.bin", *(f"{k:04d}.bin" for k in range(6, 11))]
    (store.folder / "current").write_text("0002.bin\n")
    store.publish(b"new")
    assert "0002.bin" in store.versions()


def test_a_pointer_is_removed_once(store):
    store.publish(b"one", VersionRole.SHADOW)
    assert store.unpoint(VersionRole.SHADOW)
    assert not store.unpoint(VersionRole.SHADOW)


def test_a_file_is_written_whole_with_its_mode(tmp_path):
    write_atomically(tmp_path / "file", b"one")
    write_atomically(tmp_path / "file", b"two")
    with appearing(tmp_path / "other") as beside:
        beside.write_bytes(b"three")
        assert not (tmp_path / "other").exists()
    assert [(p.name, p.read_bytes()) for p in sorted(tmp_path.iterdir())] == [
        ("file", b"two"),
        ("other", b"three"),
    ]
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {0o640}


def write_half(path):
    with appearing(path) as beside:
        beside.write_bytes(b"half")
        raise ZeroDivisionError


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"one")
    with pytest.raises(ZeroDivisionError):
        write_half(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


class Handed:
    """Notes what a reloader hands over and reports; versions by name."""

    def __init__(self):
        self.versions = {"yard": "0001"}
        self.handed, self.said = [], []
        self.fails: Exception | None = None
        self.reloader = ModelReloader(self.versions.get, self.hand_over, lambda *what: self.said.append(what))

    def hand_over(self, name, user, found, before):
        if self.fails:
            raise self.fails
        self.handed.append((user, found, before))
        return f"{found} is in use"

    def look(self, user):
        with self.reloader.reporting("yard", "cannot be used"):
            self.reloader.look("yard", user)


def test_a_version_is_handed_to_each_user_once():
    found = Handed()
    for user in ("old", "old", "new", "new"):
        found.look(user)
    found.versions["yard"] = "0002"
    found.look("new")
    assert found.handed == [("old", "0001", None), ("new", "0001", "0001"), ("new", "0002", "0001")]


def test_a_failure_is_reported_once_and_tried_again():
    found = Handed()
    found.fails = ModelError("damaged")
    found.look("scene")
    found.look("scene")
    assert found.said == [("yard", "cannot be used: damaged")]
    found.fails = None
    found.look("scene")
    found.fails, found.versions["yard"] = ModelError("damaged"), "0002"
    found.look("scene")
    assert [what for _, what in found.said[1:]] == ["0001 is in use", "cannot be used: damaged"]


def test_names_that_are_wanted_no_more_are_forgotten():
    found = Handed()
    found.look("scene")
    assert found.reloader.forget_others(["yard"]) == []
    assert found.reloader.forget_others([]) == ["yard"]
    assert (found.reloader.in_use("yard"), found.reloader.forget_others([])) == (None, [])
