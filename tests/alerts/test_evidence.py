from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.drawing import Drawing, annotate, caption
from surveil.alerts.evidence import Evidence, FrameContext, safe_name
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.writer import WriteJob
from surveil.metrics import Metrics
from surveil.types import ReferencePicture

from .helpers import alert, frame, make_writer

YARD = Drawing(zones={"yard": ((64.0, 36.0), (576.0, 36.0), (576.0, 324.0), (64.0, 324.0))})


def evidence(tmp_path: Path, **settings: object) -> Evidence:
    return Evidence(tmp_path, EvidenceSettings(**settings))


def test_a_start_alert_names_its_pictures_and_an_end_has_none(tmp_path):
    start, end = evidence(tmp_path).attach(
        [alert(0), alert(1, "end")], FrameContext(frame=frame(), drawing=YARD)
    )
    folder = "evidence/gate/2023-11-14"
    assert start.evidence == {
        "snapshot": f"{folder}/221320-intrusion-{start.id[:13]}.jpg",
        "clean": f"{folder}/221320-intrusion-{start.id[:13]}-clean.jpg",
    }
    assert end.evidence == {}
    for path in start.evidence.values():
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o640
    clean = cv2.imread(str(tmp_path / start.evidence["clean"]))
    assert clean.shape == (360, 640, 3)
    assert np.abs(clean.astype(int) - frame().picture.bgr()).mean() < 2


def sick(**changes: object) -> FrameContext:
    """What belongs to a picture that is dark, and was not."""
    was = cv2.imencode(".jpg", np.full((180, 320, 3), 200, np.uint8))[1].tobytes()
    return FrameContext(frame=frame(), before=ReferencePicture(was, 1_699_999_990.0), **changes)


def test_a_sick_picture_is_shown_beside_the_one_from_before(tmp_path):
    told = alert(0, rule="tamper", type="picture", zone="", box=None, track=None)
    (made,) = evidence(tmp_path).attach([told], sick())
    assert set(made.evidence) == {"snapshot", "clean", "before"}
    before, both = (cv2.imread(str(tmp_path / made.evidence[kind])) for kind in ("before", "snapshot"))
    assert before.shape == (180, 320, 3)
    assert both.shape[1] > 2 * 640
    assert both[200, 300].mean() == pytest.approx(200, abs=3)
    right = both[30:360, 644:1284].astype(int)
    assert np.abs(right - frame().picture.bgr()[30:].astype(int)).mean() < 3


def test_the_picture_from_before_is_for_alerts_about_the_picture_only(tmp_path):
    (made,) = evidence(tmp_path).attach([alert(0)], sick())
    assert set(made.evidence) == {"snapshot", "clean"}


def test_what_must_not_be_stored_is_hidden_in_the_picture_from_before_too(tmp_path):
    told = alert(0, rule="tamper", type="picture", box=None)
    (made,) = evidence(tmp_path).attach([told], sick(hide_before=np.zeros_like))
    assert cv2.imread(str(tmp_path / made.evidence["before"])).max() == 0


def test_alerts_of_one_frame_share_the_clean_picture(tmp_path):
    first, second = evidence(tmp_path).attach([alert(0), alert(1)], FrameContext(frame=frame()))
    assert first.evidence["clean"] == second.evidence["clean"]
    assert first.evidence["snapshot"] != second.evidence["snapshot"]


def test_no_half_written_file_is_left(tmp_path):
    evidence(tmp_path).attach([alert(0)], FrameContext(frame=frame()))
    names = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert len(names) == 2
    assert not [n for n in names if n.endswith(".tmp")]


@pytest.mark.parametrize(("width", "height"), [(160, 90), (640, 360), (1920, 1080), (3840, 2160)])
def test_the_text_is_readable_at_any_resolution(width, height):
    picture = np.full((height, width, 3), 90, np.uint8)
    drawn = annotate(picture, alert(0), (), Drawing())
    assert drawn.shape[1] >= 640
    bar = drawn[round(height * drawn.shape[1] / width) :]
    first_line = bar[: bar.shape[0] // 2]
    rows = np.flatnonzero((first_line > 200).any(axis=(1, 2)))
    assert rows.max() - rows.min() >= 12
    assert np.array_equal(drawn, annotate(picture, alert(0), (), Drawing()))


def test_box_and_zone_are_drawn_and_the_original_is_not_touched():
    picture = np.full((360, 640, 3), 90, np.uint8)
    drawn = annotate(picture, alert(0), (), YARD)
    assert (picture == 90).all()
    assert drawn[200, 100, 2] > 200  # The left edge of the red box.
    assert tuple(drawn[36, 300]) != (90, 90, 90)  # The upper edge of the zone.
    assert tuple(drawn[350, 20]) == (90, 90, 90)  # Outside both.


def test_the_caption_says_what_where_when_and_how_sure():
    assert caption(alert(0, degraded=True)) == (
        "gate · intrusion · yard · person in yard",
        "2023-11-14 22:13:20 UTC · person 0.87 · picture damaged",
    )


def test_without_room_an_alert_goes_on_and_says_why(tmp_path):
    registry = CollectorRegistry()
    writer = Evidence(tmp_path, EvidenceSettings(), make_room=lambda _n: False, metrics=Metrics(registry))
    (start,) = writer.attach([alert(0)], FrameContext(frame=frame()))
    assert start.evidence["snapshot"] == "missing: No space left on device"
    assert writer.last_error == "No space left on device"
    assert registry.get_sample_value("surveil_evidence_errors_total", {"reason": "disk_full"}) == 2
    assert not list(tmp_path.rglob("*.jpg"))


def test_what_must_not_be_stored_is_hidden_in_both_pictures(tmp_path):
    def hide(picture):
        picture = picture.copy()
        picture[:, 320:] = 0
        return picture

    (start,) = evidence(tmp_path).attach([alert(0)], FrameContext(frame=frame(), hide=hide))
    for path in start.evidence.values():
        assert cv2.imread(str(tmp_path / path))[:340, 330:].mean() < 2


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", "Höfe 1", ""])
def test_a_name_cannot_lead_out_of_the_folder(name):
    assert "/" not in safe_name(name)
    assert safe_name(name) not in ("", ".", "..")


def test_the_writer_commits_evidence_alert_and_books_as_one(tmp_path, outbox: Outbox):
    woken = []
    registry = CollectorRegistry()
    writer = make_writer(
        outbox, tmp_path, evidence(tmp_path), wake=lambda: woken.append(1), metrics=Metrics(registry)
    )
    job = WriteJob([alert(0)], FrameContext(frame=frame()), {Entry("gate", "intrusion", "opened"): 1})
    (new,) = writer.write([job, WriteJob([], None, {Entry("gate", "intrusion", "joined"): 4})])
    assert (tmp_path / new.evidence["snapshot"]).exists()
    assert outbox.queue.next("ops").alert == new
    assert woken == [1]
    assert outbox.ledger.totals() == {
        Entry("gate", "intrusion", "opened"): 1,
        Entry("gate", "intrusion", "committed"): 1,
        Entry("gate", "intrusion", "joined"): 4,
    }
    labels = {"camera": "gate", "rule": "intrusion"}
    assert registry.get_sample_value("surveil_alerts_total", labels) == 1


def test_an_alert_that_is_there_already_makes_no_new_evidence(tmp_path, outbox: Outbox):
    writer = make_writer(outbox, tmp_path, evidence(tmp_path))
    writer.write([WriteJob([alert(0)], FrameContext(frame=frame()))])
    before = sorted(tmp_path.rglob("*.jpg"))
    for path in before:
        path.unlink()
    assert writer.write([WriteJob([alert(0)], FrameContext(frame=frame()))]) == []
    assert not list(tmp_path.rglob("*.jpg"))


def halves(_alert, picture, findings, hide):
    """Two more pictures: one of what was found, one that must be made fit to be stored."""
    return {"found": findings["drawn"], "beside": hide(picture)}


def explaining(tmp_path, illustrate, **settings):
    return Evidence(tmp_path, EvidenceSettings(**settings), illustrate=illustrate)


def test_an_alert_may_bring_more_pictures_by_kind(tmp_path):
    drawn = np.full((90, 160, 3), 200, np.uint8)
    context = FrameContext(frame=frame(), hide=np.zeros_like, findings={"drawn": drawn})
    start, end = explaining(tmp_path, halves).attach([alert(0), alert(1, "end")], context)
    assert list(start.evidence) == ["snapshot", "clean", "found", "beside"]
    assert start.evidence["found"].endswith("-found.jpg")
    assert (cv2.imread(str(tmp_path / start.evidence["found"])) > 190).all()
    assert (cv2.imread(str(tmp_path / start.evidence["beside"])) < 10).all(), "hidden, too"
    assert end.evidence == {}


def test_further_pictures_can_be_switched_off(tmp_path):
    (start,) = explaining(tmp_path, halves, explain=False).attach([alert(0)], FrameContext(frame=frame()))
    assert list(start.evidence) == ["snapshot", "clean"]


def test_a_bug_in_a_further_picture_loses_no_alert(tmp_path):
    (start,) = explaining(tmp_path, halves).attach([alert(0)], FrameContext(frame=frame()))
    assert list(start.evidence) == ["snapshot", "clean"]
