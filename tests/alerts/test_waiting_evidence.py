"""Evidence of alerts that wait, paths that are gone or lead astray, and who may read the databases."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from surveil.alerts import admin
from surveil.alerts.database import connect
from surveil.alerts.delivery import Context
from surveil.alerts.outbox import Outbox
from surveil.alerts.retention import Retention
from surveil.alerts.rows import StoredAlert
from surveil.alerts.settings import EvidenceSettings
from surveil.features.counting.store import CountStore

from .helpers import alert

SIZE = 600_000
GONE = "missing: deleted by retention"


@pytest.fixture
def outbox(tmp_path, clock):
    made = Outbox.open(tmp_path / "surveil.db", ["hook", "mail"], clock)
    yield made
    made.close()


def store(
    outbox: Outbox, root: Path, clock, count: int, kind: str = "snapshot", phase: str = "start"
) -> list[Path]:
    """Commit alerts with a file each, a second between; return the files."""
    folder = root / "evidence" / "gate" / "2026-01-01"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for n in range(count):
        file = folder / f"{phase}{n}.bin"
        file.write_bytes(os.urandom(SIZE))
        name = file.relative_to(root).as_posix()
        outbox.committer.commit(
            [alert(n, phase, evidence={kind: name})], files=[StoredAlert(name, "gate", SIZE)]
        )
        clock.advance(1)
        files.append(file)
    return files


def take(outbox: Outbox, sink: str, count: int) -> None:
    for _ in range(count):
        outbox.queue.delivered(sink, outbox.queue.next(sink).seq)


def left(files: list[Path]) -> list[int]:
    return [n for n, file in enumerate(files) if file.exists()]


def test_the_picture_of_an_alert_that_waits_is_kept_beyond_the_limit_of_bytes(outbox, tmp_path, clock):
    files = store(outbox, tmp_path, clock, 4)
    retention = Retention(tmp_path, {"gate": EvidenceSettings(max_bytes=1_300_000)}, outbox)
    take(outbox, "hook", 4)
    take(outbox, "mail", 1)
    assert retention.sweep() == 1
    assert left(files) == [1, 2, 3], "the mail of 1 to 3 has not gone"
    take(outbox, "mail", 2)
    assert retention.sweep() == 1
    assert left(files) == [2, 3]


def test_the_picture_of_an_alert_that_waits_is_kept_beyond_its_age(outbox, tmp_path, clock):
    files = store(outbox, tmp_path, clock, 3)
    retention = Retention(tmp_path, {"gate": EvidenceSettings(keep_days=1)}, outbox)
    take(outbox, "hook", 3)
    clock.advance(2 * 86_400)
    assert retention.sweep() == 0
    take(outbox, "mail", 3)
    assert retention.sweep() == 3
    assert left(files) == []


def test_a_clip_that_waits_is_kept_too(outbox, tmp_path, clock):
    store(outbox, tmp_path, clock, 2)
    clips = store(outbox, tmp_path, clock, 2, "clip", "end")
    retention = Retention(tmp_path, {"gate": EvidenceSettings(max_bytes=1_000_000)}, outbox)
    take(outbox, "hook", 4)
    take(outbox, "mail", 2)
    retention.sweep()
    assert left(clips) == [0, 1]


def test_old_evidence_behind_a_batch_that_waits_goes_all_the_same(outbox, tmp_path, clock, monkeypatch):
    monkeypatch.setattr("surveil.alerts.retention._BATCH", 2)
    files = store(outbox, tmp_path, clock, 6)
    retention = Retention(tmp_path, {"gate": EvidenceSettings(max_bytes=1_000_000)}, outbox)
    take(outbox, "hook", 6)
    for n in (3, 4, 5):
        with closing(connect(tmp_path / "surveil.db")) as db, db:
            db.execute("UPDATE deliveries SET state = 'delivered' WHERE alert = ?", (n + 1,))
    for _ in range(3):
        retention.sweep()
    assert left(files) == [0, 1, 2]


def test_on_a_full_disk_what_waits_goes_after_all_other_evidence(outbox, tmp_path, clock, monkeypatch):
    files = store(outbox, tmp_path, clock, 4)
    retention = Retention(tmp_path, {"gate": EvidenceSettings(min_free_bytes=0)}, outbox)
    take(outbox, "hook", 2)
    take(outbox, "mail", 2)
    told = os.statvfs_result((1, 1, 0, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(
        os, "statvfs", lambda _path: os.statvfs_result((*told[:4], SIZE * (4 - len(left(files))), *told[5:]))
    )
    assert retention.make_room(SIZE)
    assert left(files) == [1, 2, 3]
    assert retention.make_room(2 * SIZE)
    assert left(files) == [2, 3]
    assert retention.make_room(3 * SIZE)
    assert left(files) == [3]


def test_no_alert_names_a_file_that_is_gone(outbox, tmp_path, clock):
    (file,) = store(outbox, tmp_path, clock, 1)
    name = file.relative_to(tmp_path).as_posix()
    assert outbox.queue.next("hook").alert.evidence == {"snapshot": name}
    take(outbox, "hook", 1)
    file.unlink()
    assert outbox.queue.next("mail").alert.evidence == {"snapshot": GONE}
    assert outbox.open_events()[0].evidence == {"snapshot": GONE}
    assert outbox.queue.open_at("hook")[0].evidence == {"snapshot": GONE}
    assert admin.list_alerts(tmp_path / "surveil.db")[0].alert.evidence == {"snapshot": GONE}
    assert admin.show(tmp_path / "surveil.db", alert(0).id)[0].alert.evidence == {"snapshot": GONE}


def test_what_was_missing_at_once_keeps_its_reason(outbox):
    outbox.committer.commit([alert(0, evidence={"snapshot": "missing: No space left on device"})])
    assert outbox.queue.next("hook").alert.evidence == {"snapshot": "missing: No space left on device"}


@pytest.mark.parametrize("astray", ["{outside}", "../{name}", "evidence/../../{name}", "surveil.db", "."])
def test_a_row_of_evidence_that_leads_astray_deletes_nothing(outbox, tmp_path, clock, astray):
    outside = tmp_path.parent / f"{tmp_path.name}-precious"
    outside.write_text("precious")
    path = astray.format(outside=outside, name=outside.name)
    outbox.evidence.adopt([StoredAlert(path, "gate", 10)])
    clock.advance(90 * 86_400)
    Retention(tmp_path, {"gate": EvidenceSettings(keep_days=1)}, outbox).sweep()
    assert outside.read_text() == "precious"
    assert (tmp_path / "surveil.db").exists()
    assert outbox.evidence.paths() == set(), "the row is forgotten"
    outside.unlink()


@pytest.mark.parametrize("path", ["/etc/hostname", "../x.jpg", "evidence/../../x.jpg", "a\0b", ""])
def test_no_sink_sends_a_file_from_elsewhere(outbox, tmp_path, path):
    (tmp_path.parent / "x.jpg").write_bytes(b"x")
    one = alert(0, evidence={"snapshot": path})
    assert Context(state_dir=tmp_path).picture(one) is None
    outbox.committer.commit([one])
    assert outbox.queue.next("hook").alert.evidence.get("snapshot", "missing:").startswith("missing:")


@pytest.fixture(params=[0o000, 0o022])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def test_databases_and_their_logs_are_for_the_group_only(tmp_path, clock, umask):
    outbox = Outbox.open(tmp_path / "surveil.db", ["hook"], clock)
    outbox.committer.commit([alert(0)])
    counts = CountStore(tmp_path / "counts.db")
    assert modes(tmp_path) == {
        f"{name}{suffix}": "0o640" for name in ("surveil.db", "counts.db") for suffix in ("", "-wal", "-shm")
    }
    counts.close()
    outbox.close()


def test_databases_of_before_are_closed_to_others(tmp_path, clock, umask):
    Outbox.open(tmp_path / "surveil.db", ["hook"], clock).close()
    CountStore(tmp_path / "counts.db").close()
    for name in ("surveil.db", "surveil.db-wal", "counts.db", "counts.db-wal"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    outbox = Outbox.open(tmp_path / "surveil.db", ["hook"], clock)
    counts = CountStore(tmp_path / "counts.db")
    assert set(modes(tmp_path).values()) == {"0o640"}
    counts.close()
    outbox.close()
