"""Counting as its user meets it: a recording or a camera in, a report out."""

import csv
import io
import json
from dataclasses import replace

import cv2
import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.test_command_line import surveil
from tests.integration.world import Process, config_text, samples, wait_for

pytestmark = pytest.mark.slow
COUNTING = {"enabled": True}


@pytest.fixture
def write(tmp_path):
    def made(url, **camera):
        path = tmp_path / "config.yaml"
        path.write_text(config_text(url, tmp_path / "state", counting=COUNTING, **camera))
        return path

    return made


@pytest.fixture(scope="module")
def replayed(tmp_path_factory, passing_clip):
    """A configuration whose state holds the counts of a recording that begins at noon."""
    folder = tmp_path_factory.mktemp("replayed")
    path = folder / "config.yaml"
    path.write_text(config_text(str(passing_clip), folder / "state", counting=COUNTING))
    done = surveil(
        "replay", passing_clip, "-c", path, "--state", folder / "state", "--start", "2026-03-01T12:00:00",
        "--json", TZ="UTC",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return path, json.loads(done.stdout)


def crossed(rows):
    return {(row["place"], row["direction"]): int(row["count"]) for row in rows if row["kind"] == "crossing"}


def test_a_replay_counts_who_was_drawn(replayed, passing):
    truth = [
        c.direction for c in replace(passing, lines={"gate": ((0.5, 0.0), (0.5, 1.0))}).crossings("gate")
    ]
    expected = {("gate", way): truth.count(way) for way in ("left", "right")}
    assert crossed(replayed[1]["counts"]) == expected


def test_the_report_says_the_same_in_every_form(replayed):
    path, summary = replayed
    asked = ("report", "-c", path, "--from", "2026-03-01", "--to", "2026-03-01", "--camera", "yard")
    as_json = json.loads(surveil(*asked, "--json", TZ="UTC").stdout)
    as_csv = list(csv.DictReader(io.StringIO(surveil(*asked, "--csv", TZ="UTC").stdout)))
    assert crossed(as_json) == crossed(as_csv) == crossed(summary["counts"])
    assert {row["time"] for row in as_json} == {"2026-03-01T12:00:00+00:00"}
    table = surveil(*asked, TZ="UTC", COLUMNS="160").stdout
    assert "← 1" in table
    assert "→ 1" in table


def test_the_hour_is_told_in_the_zone_that_was_asked_for(replayed):
    path, _ = replayed
    done = surveil(
        "report", "-c", path, "--from", "2026-03-01T13:00", "--to", "2026-03-01", "--by", "hour", "--json",
        "--timezone", "Europe/Berlin",
    )  # fmt: skip
    assert {row["time"] for row in json.loads(done.stdout)} == {"2026-03-01T13:00:00+01:00"}


def test_the_heat_map_lies_over_a_picture_of_the_camera(replayed, tmp_path):
    path, _ = replayed
    done = surveil(
        "report", "-c", path, "--from", "2026-03-01", "--to", "2026-03-01", "--heatmap", tmp_path / "heat.png",
        TZ="UTC",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(tmp_path / "heat.png"))
    assert picture.shape[1] == 640
    assert 360 < picture.shape[0] < 420


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--camera", "yrad"), 78, "there is no camera 'yrad', did you mean 'yard'?"),
        (("--from", "2020-01-01", "--to", "2020-01-02"), 1, "there are counts from 2026-03-01 12:00 to"),
        (("--from", "2026-02-30"), 2, "is not a time"),
        (("--from", "2026-03-29T02:30", "--timezone", "Europe/Berlin"), 2, "does not exist"),
        (("--from", "today", "--to", "yesterday"), 2, "is not before"),
        (("--timezone", "Europe/Berlni"), 2, "there is no time zone"),
        (("--by", "week"), 2, "week"),
    ],
)
def test_what_is_wrong_is_told(replayed, words, code, text):
    done = surveil("report", "-c", replayed[0], *words, TZ="UTC", COLUMNS="400")
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_camera_that_is_not_counted_at_is_told_how(tmp_path, replayed):
    path = tmp_path / "config.yaml"
    whole = json.loads(replayed[0].read_text())
    whole["cameras"]["shop"] = {"url": "rtsp://192.0.2.1/shop"}
    path.write_text(json.dumps(whole))
    done = surveil("report", "-c", path, "--camera", "shop")
    assert done.returncode == 1
    assert "add `counting: {enabled: true}`" in done.stderr


def test_the_shell_completes_the_camera(replayed):
    words = f"surveil report -c {replayed[0]} --camera ya"
    done = surveil(_SURVEIL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="5")
    assert done.stdout.split() == ["yard"]


@pytest.mark.rig
def test_the_daemon_counts_into_metrics_and_into_its_database(write, passing_clip):
    with RtspServer(RtpClip(passing_clip)) as camera:
        path = write(camera.url)
        with Process(path) as daemon:
            both = [{"direction": way, "line": "gate"} for way in ("left", "right")]

            def counted():
                page = samples(daemon.get("/metrics")[1])
                keys = [frozenset({"camera": "yard", "label": "person", **one}.items()) for one in both]
                found = [page.get(("surveil_line_crossings_total", key), 0) for key in keys]
                return found if all(found) else None

            found = wait_for(counted, 60)
            assert daemon.end() == 0
    rows = json.loads(surveil("report", "-c", path, "--from", "1h", "--json").stdout)
    totals = {way: sum(r["count"] for r in rows if r["direction"] == way) for way in ("left", "right")}
    # Somebody may have crossed between the last look and the end.
    assert totals["left"] >= found[0]
    assert totals["right"] >= found[1]
    assert sum(row["count"] for row in rows if row["kind"] == "stay") >= 1


@pytest.mark.rig
def test_damaged_counts_are_set_aside_and_the_daemon_runs(write, tmp_path, passing_clip):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "counts.db").write_bytes(b"no database, but long enough to be looked at" * 99)
    with RtspServer(RtpClip(passing_clip)) as camera, Process(write(camera.url)) as daemon:
        wait_for(lambda: daemon.get("/readyz")[0] == 200, 40)
        assert daemon.end() == 0
    assert list((tmp_path / "state").glob("counts.db.damaged-*"))
    assert "the database of counts was damaged" in daemon.log.read_text()
