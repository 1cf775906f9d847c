"""The list of events: pages, filters, pictures and clips."""

import sqlite3
from contextlib import closing

import pytest

from surveil.alerts.database import run_migrations
from surveil.alerts.history import Cursor, EventFilter, History, Judgement, Verdict, statement
from surveil.wording import say
from tests.alerts.helpers import T0, alert
from tests.console.site import ended


def ids(answer):
    return [event["id"] for event in answer.json["events"]]


def event_id(n):
    return alert(n).event_id


def test_pages_follow_one_another_without_a_gap_or_a_repetition_while_events_arrive(site):
    for n in range(7):
        site.happens(n)
    first = site.get("/events", limit=3)
    site.happens(7)
    second = site.get("/events", limit=3, cursor=first.json["next"])
    last = site.get("/events", limit=3, cursor=second.json["next"])
    assert ids(first) + ids(second) + ids(last) == [event_id(n) for n in (6, 5, 4, 3, 2, 1, 0)]
    assert last.json["next"] is None


def test_events_of_the_same_moment_are_all_shown(site):
    for n in range(5):
        site.happens(n, t_wall=T0)
    shown, cursor = [], None
    while True:
        page = site.get("/events", limit=2, **({"cursor": cursor} if cursor else {}))
        shown += ids(page)
        cursor = page.json["next"]
        if cursor is None:
            break
    assert sorted(shown) == sorted(event_id(n) for n in range(5))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"camera": "yard"}, [2]),
        ({"rule": "loitering"}, [1]),
        ({"class": "dog"}, [3]),
        ({"from": T0 + 2}, [3, 2]),
        ({"to": T0 + 1}, [0]),
        ({"from": T0 + 1, "to": T0 + 3, "camera": "gate"}, [1]),
        ({"judged": "yes"}, [0]),
        ({"judged": "no", "camera": "gate"}, [3, 1]),
    ],
)
def test_events_are_filtered(site, asked, wanted):
    site.happens(0)
    site.happens(1, rule="loitering")
    site.happens(2, camera="yard")
    site.happens(3, label="dog")
    History(site.database).judge(event_id(0), Judgement(verdict=Verdict.TRUE, judge="ada", judged_at=T0))
    assert ids(site.get("/events", **asked)) == [event_id(n) for n in wanted]


def test_an_event_tells_its_end_its_titles_and_what_was_said_of_it(site):
    site.happens(0, camera="yard", titles={"camera": "The yard", "zone": "Lawn"})
    site.outbox.committer.commit([ended(0, t_wall=T0 + 9, reason="left")])
    told = site.get(f"/events/{event_id(0)}").json
    assert (told["start"], told["end"], told["ended_because"]) == (T0, T0 + 9, "left")
    assert (told["camera_title"], told["zone"], told["zone_title"]) == ("The yard", "yard", "Lawn")
    assert (told["verdict"], told["acknowledged"], told["reason"]) == (None, False, "person in yard")


def test_an_update_of_an_incident_is_no_event_of_its_own(site):
    site.happens(0)
    site.happens(0, id="another", reason="update")
    assert ids(site.get("/events")) == [event_id(0)]


@pytest.mark.parametrize("cursor", ["x", "1.0", "~", "1.0~x", "9" * 70, "1.0~" + "9" * 40, "nan~1"])
def test_a_cursor_that_was_never_given_out_is_refused(site, cursor):
    answer = site.get("/events", cursor=cursor)
    assert (answer.status, answer.code) == (422, "invalid")


@pytest.mark.parametrize(
    "asked", [{"limit": 0}, {"limit": 1000}, {"from": "nan"}, {"judged": "maybe"}, {"colour": "red"}]
)
def test_a_question_of_the_wrong_form_is_refused_with_the_field(site, asked):
    answer = site.get("/events", **asked)
    assert (answer.status, [f["path"] for f in answer.json["error"]["fields"]]) == (422, list(asked))


def test_pictures_and_parts_of_a_clip_are_served(site):
    picture, clip = (
        site.store("gate/2024-01-01/a.jpg", b"\xff\xd8jpeg"),
        site.store("gate/2024-01-01/a.mp4", b"0123456789"),
    )
    site.happens(0, evidence={"snapshot": picture})
    site.outbox.committer.commit([ended(0, evidence={"clip": clip})])
    told = site.get(f"/events/{event_id(0)}").json
    assert site.ask("GET", told["pictures"]["annotated"]).body == b"\xff\xd8jpeg"
    assert (told["pictures"]["clean"], told["clip"]["note"]) == (None, "")
    part = site.ask("GET", told["clip"]["url"], headers={"Range": "bytes=2-5"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"2345", "bytes 2-5/10")


def test_a_clip_from_before_an_area_was_hidden_is_not_shown(site):
    site.happens(0)
    site.outbox.committer.commit([ended(0, evidence={"clip": site.store("gate/a.mp4", b"0123456789")})])
    url = site.get(f"/events/{event_id(0)}").json["clip"]["url"]
    assert site.ask("GET", url).status == 200
    site.config_file.write_text(
        site.config_file.read_text().replace(
            "192.0.2.2/1", "192.0.2.2/1\n    masks: {w: {points: [[0, 0], [1, 0], [1, 1]], hide: store}}"
        )
    )
    site.daemon.reload()
    answer = site.ask("GET", url)
    assert (answer.status, answer.code) == (409, "hidden")
    assert site.get(f"/events/{event_id(0)}").json["clip"] == {
        "url": None, "note": "areas of this camera are hidden now",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["../surveil.db", "evidence/../surveil.db", "/etc/passwd", "surveil.db", "evidence/../../config.yaml"],
)
def test_no_record_makes_another_file_evidence(site, path):
    site.happens(0)
    with closing(sqlite3.connect(site.database)) as db, db:
        db.execute(
            "UPDATE alerts SET body = json_set(body, '$.evidence', json_object('snapshot', ?))", (path,)
        )
    answer = site.get(f"/events/{event_id(0)}/picture.jpg")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    "name", ["picture.jpg", "clean.jpg", "clip.mp4", "surveil.db", "%2e%2e%2fsurveil.db"]
)
def test_what_was_never_stored_is_not_found(site, name):
    site.happens(0)
    assert site.get(f"/events/{event_id(0)}/{name}").status == 404


# Every combination reads an index in its order: nothing is sorted, and no table is read from its beginning.
FILTERS = {
    "all": (EventFilter(), None),
    "camera": (EventFilter(), "gate"),
    "rule": (EventFilter(rule="intrusion"), None),
    "class": (EventFilter(label="person"), None),
    "time": (EventFilter(since=T0, until=T0 + 9), None),
    "judged": (EventFilter(judged=True), None),
}


@pytest.mark.parametrize("wanted", FILTERS)
@pytest.mark.parametrize("after", [None, Cursor(T0, 7)], ids=["first page", "later page"])
def test_a_page_is_read_from_an_index(wanted, after):
    query, values = statement(*FILTERS[wanted], after, 50)
    db = sqlite3.connect(":memory:", isolation_level=None)
    run_migrations(db)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    db.close()
    assert not [
        step for step in plan if "TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step)
    ], plan


def test_the_schema_fits_into_the_first_page_because_salvage_lends_it_to_damaged_databases(tmp_path):
    path = tmp_path / "a.db"
    db = sqlite3.connect(path, isolation_level=None)
    run_migrations(db)
    db.close()
    leaf = 0x0D
    assert path.read_bytes()[100] == leaf


def test_events_of_before_are_listed_after_the_migration():
    db = sqlite3.connect(":memory:", isolation_level=None)
    run_migrations(db, 4)
    db.execute(
        "INSERT INTO alerts VALUES (1, 'a', 'e', 'gate', 'intrusion', 'start', 5.0, 0, '{\"label\": \"dog\"}'), "
        "(2, 'b', 'e', 'gate', 'intrusion', 'end', 9.0, 0, 'not json'), "
        "(3, 'c', 'f', 'gate', 'intrusion', 'start', 6.0, 0, 'not json')"
    )
    run_migrations(db)
    assert db.execute("SELECT alert, event_id, label, ending FROM events").fetchall() == [
        (1, "e", "dog", 2),
        (3, "f", "", None),
    ]
    db.execute("DELETE FROM alerts WHERE seq = 1")
    assert db.execute("SELECT alert FROM events").fetchall() == [(3,)]
    db.close()


def test_an_event_is_told_in_the_language_that_the_browser_asks_for(site):
    event = site.happens(0, text=say("{label} in {zone}", label="person", zone="yard"))

    def reason(language):
        return site.ask("GET", f"/api/v1/events/{event}", headers={"Accept-Language": language}).json[
            "reason"
        ]

    assert (reason("zh-CN,en;q=0.5"), reason("en"), reason("fr")) == (
        "人进入yard",
        "person in yard",
        "person in yard",
    )
