"""A backup of a running daemon's state, proven by restoring it."""

import json
import os
import sqlite3
import tarfile
import threading
from contextlib import closing

import pytest

from surveil.alerts.admin import check
from surveil.alerts.outbox import Outbox
from surveil.app.backup import backup, restore
from surveil.app.state_dir import StateLock
from surveil.clock import ManualClock
from surveil.errors import StateError
from surveil.features.counting.store import CountStore
from surveil.features.normality.store import NormalityStore
from tests.alerts.helpers import alert
from tests.commands import surveil
from tests.integration.world import config_text
from tests.users import NOBODY


@pytest.fixture
def state(tmp_path):
    """A state directory in use: its outbox is open and has something in its log alone."""
    folder = tmp_path / "state"
    outbox = Outbox.open(folder / "surveil.db", ["ops"], ManualClock())
    outbox.committer.commit([alert(n) for n in range(20)])
    CountStore(folder / "counts.db").close()
    models = folder / "normality" / "yard"
    models.mkdir(parents=True)
    (models / "0001.npz").write_bytes(b"a model")
    (models / "current").write_text("0001.npz\n")
    picture = folder / "evidence" / "yard" / "a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"jpeg")
    with closing(sqlite3.connect(folder / "console.db")) as users:
        users.execute("CREATE TABLE users (name)")
    (folder / "console" / "logins").mkdir(parents=True)
    (folder / "console" / "logins" / "gate-1").write_text("a password")
    (folder / "console" / "logins" / "gate-1").chmod(0o600)
    (folder / "alerts.jsonl").write_text("{}\n")
    (folder / "decisions.db").write_bytes(b"made anew")
    yield folder, outbox
    outbox.close()


def ids(outbox):
    found = []
    while (delivery := outbox.queue.next("ops")) is not None:
        found.append(delivery.alert.id)
        outbox.queue.delivered("ops", delivery.seq)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes what is not its own")
def test_what_root_restores_belongs_to_the_owner_of_the_state_directory(state, tmp_path):
    folder, _ = state
    file, again = tmp_path / "backup.tar", tmp_path / "again"
    backup(folder, file)
    again.mkdir()
    (again / "surveil.db").touch()
    for path in (again, again / "surveil.db"):
        os.chown(path, NOBODY, NOBODY)
    restore(file, again, replace=True)
    assert {path.stat().st_uid for path in again.rglob("*")} == {NOBODY}


@pytest.mark.parametrize("evidence", [False, True])
def test_a_backup_of_a_state_in_use_is_restored_whole(state, tmp_path, evidence):
    folder, outbox = state
    file, again = tmp_path / "backup.tar", tmp_path / "again"
    copied = backup(folder, file, evidence=evidence)
    assert file.stat().st_mode & 0o777 == 0o600
    outbox.committer.commit([alert(99)])
    assert restore(file, again).files == copied.files
    assert check(again / "surveil.db").problems == ()
    restored = Outbox.open(again / "surveil.db", ["ops"], ManualClock())
    assert ids(restored) == [alert(n).id for n in range(20)]
    restored.close()
    assert NormalityStore(again, "yard").path().read_bytes() == b"a model"
    assert (again / "counts.db").is_file()
    # Also what no list of names knew: users, logins with their rights, the files of sinks.
    assert (again / "console.db").is_file()
    login = again / "console" / "logins" / "gate-1"
    assert (login.read_text(), login.stat().st_mode & 0o777) == ("a password", 0o600)
    assert (again / "alerts.jsonl").is_file()
    assert not (again / "decisions.db").exists()
    assert (again / "evidence" / "yard" / "a.jpg").exists() == evidence
    assert sorted(p.name for p in again.iterdir() if p.name.startswith(".")) == []


def test_a_backup_under_way_is_of_one_moment_and_holds_nobody_up(state, tmp_path):
    folder, outbox = state
    done = threading.Event()

    def writes():
        for n in range(100, 160):
            outbox.committer.commit([alert(n), alert(n, "end")])
        done.set()

    writer = threading.Thread(target=writes)
    writer.start()
    for k in range(5):
        backup(folder, tmp_path / f"{k}.tar")
    writer.join()
    assert done.is_set()
    for k in range(5):
        again = tmp_path / f"again{k}"
        restore(tmp_path / f"{k}.tar", again)
        assert check(again / "surveil.db").problems == ()
        copy = Outbox.open(again / "surveil.db", ["ops"], ManualClock())
        assert not copy.open_events() or len(copy.open_events()) == 20
        copy.close()


def test_a_state_in_use_is_not_overwritten(state, tmp_path):
    folder, _ = state
    backup(folder, tmp_path / "b.tar")
    lock = StateLock(folder)
    with pytest.raises(StateError, match="in use by another surveil"):
        restore(tmp_path / "b.tar", folder, replace=True)
    lock.release()


def test_what_was_there_before_is_kept(state, tmp_path):
    folder, _ = state
    backup(folder, tmp_path / "b.tar")
    with pytest.raises(
        StateError, match=r"already has a state \(surveil\.db\): use --replace to move it aside"
    ):
        restore(tmp_path / "b.tar", folder)
    assert (folder / "surveil.db").exists()
    assert [restore(tmp_path / "b.tar", folder, replace=True).before for _ in range(2)] == [
        "before-restore",
        "before-restore-2",
    ]
    assert (folder / "before-restore" / "evidence" / "yard" / "a.jpg").exists()


def test_a_damaged_database_is_copied_as_it_is_and_the_rest_whole(state, tmp_path):
    folder, _ = state
    (folder / "counts.db").write_bytes(b"no database at all" * 500)
    config = tmp_path / "config.yaml"
    config.write_text(config_text("rtsp://127.0.0.1:9/x", folder))
    code, text = surveil("backup", tmp_path / "b.tar", "-c", config, "--json")
    assert (code, json.loads(text)["damaged"]) == (0, ["counts.db"])
    again = tmp_path / "again"
    restore(tmp_path / "b.tar", again)
    assert (again / "counts.db").read_bytes() == (folder / "counts.db").read_bytes()
    assert check(again / "surveil.db").problems == ()


@pytest.mark.parametrize("where", ["header", "page"])
def test_a_damaged_outbox_is_backed_up_with_its_log_and_recovered_after_the_restore(tmp_path, where):
    folder, again, config = tmp_path / "state", tmp_path / "again", tmp_path / "config.yaml"
    database = folder / "surveil.db"
    outbox = Outbox.open(database, ["ops"], ManualClock())
    outbox.committer.commit([alert(n) for n in range(20)])
    outbox.close()
    with closing(sqlite3.connect(database)) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'alerts'").fetchone()[0]
    raw = bytearray(database.read_bytes())
    at = 0 if where == "header" else (root - 1) * 4096
    raw[at : at + 100] = b"\xff" * 100
    config.write_text(config_text("rtsp://127.0.0.1:9/x", folder))
    with closing(sqlite3.connect(database)) as running, running:
        running.execute("UPDATE deliveries SET error = 'in the log alone'")
        running.commit()
        database.write_bytes(raw)
        code, text = surveil("backup", tmp_path / "b.tar", "-c", config, "--json")
    assert (code, json.loads(text)["damaged"]) == (1, ["surveil.db"])
    config.write_text(config_text("rtsp://127.0.0.1:9/x", again))
    code, text = surveil("restore", tmp_path / "b.tar", "-c", config, "--json")
    assert (code, json.loads(text)["damaged"]) == (0, ["surveil.db"])
    recovered = Outbox.open(again / "surveil.db", ["ops"], ManualClock())
    assert recovered.salvaged == 20
    told = set(recovered.db.read_aside("SELECT error FROM deliveries WHERE alert <= 20"))
    # Alerts that were found beside their damaged page are addressed anew.
    assert told == {("in the log alone" if where == "header" else "",)}
    recovered.close()
    assert check(again / "surveil.db").problems == ()


def test_a_backup_in_the_state_directory_is_in_no_other(state):
    folder, _ = state
    assert len({backup(folder, folder / name).files for name in ("1.tar", "2.tar")}) == 1


@pytest.mark.parametrize("name", ["surveil.db", "counts.db", "console.db", "offsite.db"])
def test_a_backup_of_a_newer_surveil_changes_nothing(state, tmp_path, name):
    folder, _ = state
    with closing(sqlite3.connect(folder / name)) as db:
        db.execute("PRAGMA user_version = 99")
    backup(folder, tmp_path / "b.tar")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "surveil.db").write_bytes(b"")
    with pytest.raises(StateError, match=f"{name}: was written by a newer surveil"):
        restore(tmp_path / "b.tar", tmp_path / "here", replace=True)
    assert not (tmp_path / "here" / "before-restore").exists()


@pytest.mark.parametrize("what", ["text", "cut", "other files", "a path outside", "a damaged database"])
def test_what_is_no_backup_changes_nothing(state, tmp_path, what):
    folder, _ = state
    file, again = tmp_path / "b.tar", tmp_path / "again"
    backup(folder, file)
    match what:
        case "text":
            file.write_text("no archive")
        case "cut":
            file.write_bytes(file.read_bytes()[:5000])
        case "a damaged database":
            raw = bytearray(file.read_bytes())
            raw[512 + 100 : 512 + 3000] = b"\xff" * 2900
            file.write_bytes(raw)
        case _:
            (tmp_path / "x").write_text("x")
            with tarfile.open(file, "a") as archive:
                archive.add(tmp_path / "x", "x" if what == "other files" else "../outside")
    with pytest.raises(StateError, match=r"b\.tar"):
        restore(file, again)
    assert [p.name for p in again.iterdir()] == ["lock"]
    assert not (tmp_path / "outside").exists()


def test_the_commands_say_what_they_did(state, tmp_path):
    folder, _ = state
    config = tmp_path / "config.yaml"
    config.write_text(config_text("rtsp://127.0.0.1:9/x", folder))
    code, text = surveil("backup", tmp_path / "b.tar", "-c", config, "--json")
    assert (code, json.loads(text)["files"]) == (0, 7)
    config.write_text(config_text("rtsp://127.0.0.1:9/x", tmp_path / "again"))
    code, text = surveil("restore", tmp_path / "b.tar", "-c", config)
    assert (code, "7 files restored" in text) == (0, True)


def test_there_must_be_something_to_back_up(tmp_path):
    with pytest.raises(StateError, match="nothing to back up"):
        backup(tmp_path, tmp_path / "b.tar")
