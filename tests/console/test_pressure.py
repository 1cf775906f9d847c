"""Huge, slow and broken requests, and a disk that refuses: clear messages, and never a 500."""

import socket
from contextlib import suppress

import pytest

from surveil.console import endpoint
from tests.alerts.servers import tmpfs
from tests.console.site import Site


def test_a_huge_body_is_refused_before_it_is_read_whole(site):
    answer = site.change("POST", "/arming", b"x" * (endpoint.MOST_BYTES + 1))
    assert (answer.status, answer.code) == (413, "too_large")


def test_a_body_that_does_not_come_is_not_waited_for(site, monkeypatch):
    monkeypatch.setattr(endpoint, "BODY_S", 0.05)
    csrf = site.get("/me").json["csrf"]
    with socket.create_connection(site.address, timeout=10) as client:
        lines = (
            "POST /api/v1/arming HTTP/1.1",
            "Host: 127.0.0.1",
            f"X-CSRF-Token: {csrf}",
            "Content-Length: 99",
        )
        head = "\r\n".join(lines) + "\r\n\r\n{"
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"armed": 1e999}'])
def test_a_broken_body_is_refused(site, body):
    assert site.change("POST", "/arming", body).status == 422


@pytest.mark.parametrize(
    "path",
    ["/cameras/../me", "/cameras/%2e%2e/shapes", "/cameras/a%00b/shapes", "/events/%2e%2e%2f", "/events/'%20OR%201=1--",
     "/cameras/" + "x" * 5000 + "/shapes", "/events/%ff"],
)  # fmt: skip
def test_a_strange_path_is_not_found(site, path):
    assert site.get(path).status in {400, 404}


@pytest.mark.rig
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path):
    square = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]

    def draw(site, name):
        etag = site.get("/cameras/gate/shapes").json["etag"]
        return site.change("PUT", "/cameras/gate/shapes", {"zones": {name: square}}, {"If-Match": etag})

    def judge(site, event, verdict):
        return site.change("PUT", f"/events/{event}/verdict", {"verdict": verdict})

    with tmpfs(tmp_path / "small", "size=4m"), Site(tmp_path / "small") as site:
        event = site.happens(0)
        assert (draw(site, "pond").status, judge(site, event, "true").status) == (200, 200)
        filler = site.folder / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        refused = draw(site, "pool")
        assert (refused.status, refused.code, b"space" in refused.body) == (503, "state", True)
        assert judge(site, event, "false").status in {200, 503}, "SQLite may have room in its log"
        assert list(site.get("/cameras/gate/shapes").json["zones"]) == ["pond"]
        assert site.get("/events").status == 200
        filler.unlink()
        assert (draw(site, "pool").status, judge(site, event, "false").status) == (200, 200)


def test_a_database_that_is_gone_is_told_and_the_rest_answers(tmp_path):
    with Site(tmp_path) as site:
        site.outbox.close()
        for path in site.folder.glob("surveil.db*"):
            path.unlink()
        answer = site.get("/events")
        assert (answer.status, answer.code) == (503, "state")
        assert site.get("/me").status == 200
        site.database.touch()
        assert site.get("/events").status == 503
        site.database.write_bytes(b"no database at all" * 100)
        assert site.get("/events").status == 503
        site.outbox.close = lambda: None
