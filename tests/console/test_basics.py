"""Who is there, which cameras there are, and what is refused before anything is looked at."""

import pytest

from surveil import __version__
from surveil.console.language import language_of
from surveil.console.routes import TABLE
from surveil.console.running import CameraElsewhere


def test_the_console_says_who_is_there_and_what_it_is(site):
    told = site.get("/me").json
    assert (told["user"], told["role"], told["cameras"]) == ("local", "admin", ["*"])
    assert (told["version"], told["languages"], told["first_start"]) == (__version__, ["en", "zh"], False)
    assert len(told["csrf"]) >= 32


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("de,en;q=0.7,zh;q=0.3", "en"), ("zh;q=0", "en"),
        ("zh;q=x", "en"), ("en;q=0.1, zh-TW", "zh"), ("*", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_the_browser_prefers(accepted, language):
    assert language_of(accepted) == language


def test_cameras_are_told_with_their_state_and_without_their_addresses(site):
    site.happens(0)
    answer = site.get("/cameras")
    yard, gate = answer.json["cameras"]
    assert (yard["id"], yard["title"], gate["title"]) == ("yard", "The yard", "gate")
    assert (yard["open_events"], gate["open_events"]) == (0, 1)
    assert (gate["state"], gate["width"], gate["playable"]["mime"][:9]) == ("streaming", 640, "video/mp4")
    assert answer.json["etag"] == site.config.digest
    assert b"192.0.2" not in answer.body
    assert b"sekret" not in answer.body


def test_cameras_of_other_nodes_are_told_with_a_link_to_their_console(site):
    assert site.get("/cameras").json["elsewhere"] == []
    site.daemon.others = (
        CameraElsewhere(name="dock 1", title="The dock", node="west", pages="https://west.example"),
        CameraElsewhere(name="hall", title="", node="north", pages=""),
    )
    assert site.get("/cameras").json["elsewhere"] == [
        {
            "id": "dock 1",
            "title": "The dock",
            "node": "west",
            "console": "https://west.example/console/#/live/dock%201",
        },
        {"id": "hall", "title": "hall", "node": "north", "console": ""},
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_what_is_no_endpoint_is_not_found(site, method):
    answer = site.ask(method, "/api/v1/nothing/at/all")
    assert (answer.status, answer.code) == (404, "not_found")


def test_a_strange_host_name_is_refused_before_the_console_is_asked(site):
    assert site.ask("GET", "/api/v1/me", headers={"Host": "evil.example"}).status == 421


@pytest.mark.parametrize(
    ("language", "message", "remedy"),
    [
        ("en", "the end is in the past", "give a later time, or none"),
        ("zh-CN", "结束时间已过", "请给出更晚的时间，或不填"),
    ],
)
def test_a_refusal_is_told_in_the_language_that_the_browser_asks_for(site, language, message, remedy):
    refused = site.change("POST", "/arming", {"armed": False, "until": 1}, {"Accept-Language": language})
    assert refused.json["error"] == {"code": "invalid", "message": message, "remedy": remedy}


def test_the_pages_are_told_every_endpoint_that_the_user_may_call(site):
    assert site.get("/me").json["may"] == [f"{one.method} {one.path}" for one in TABLE]
