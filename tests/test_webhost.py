"""Who may read the pages: no other name than ours, and nobody without the token where one is set."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from surveil.listening import HttpSettings
from surveil.web import Web, is_known

GUARDED = ("/status", "/evidence/latest", "/evidence/a.jpg")
OPEN = ("/", "/metrics", "/livez", "/readyz")


@dataclass(frozen=True)
class Answer:
    status_code: int
    text: str
    headers: dict[bytes, bytes]


class Pages:
    """Asks an ASGI application."""

    def __init__(self, app):
        self._app = app

    def get(self, path, headers=(), params=()):
        named = {"host": "127.0.0.1:9108", **dict(headers)}
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
            "query_string": urlencode(params).encode(), "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }  # fmt: skip
        sent = []

        async def receive():
            await asyncio.Event().wait()  # the client stays, and sends no more

        async def send(message):
            sent.append(message)

        asyncio.run(self._app(scope, receive, send))
        body = b"".join(m.get("body", b"") for m in sent[1:]).decode()
        return Answer(sent[0]["status"], body, dict(sent[0]["headers"]))


class Facts:
    def liveness(self):
        return True, {}

    def readiness(self):
        return True, {"cameras": {"yard": "streaming"}}

    def status(self):
        return {"cameras": {}}

    def latest_picture(self, camera, rule, t_wall):
        return "evidence/a.jpg"


@pytest.fixture
def client(tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "a.jpg").write_bytes(b"jpeg")
    listener = socket.socket()

    def make(**settings):
        web = Web(listener, HttpSettings(**settings), Facts(), CollectorRegistry(), tmp_path)
        return Pages(web.app())

    yield make
    listener.close()


def test_a_clip_can_be_stored_instead_of_played(client):
    pages = client()
    stored = pages.get("/evidence/a.jpg", params={"download": ""})
    assert (stored.status_code, stored.text) == (200, "jpeg")
    assert stored.headers[b"content-disposition"] == b'attachment; filename="a.jpg"'
    assert b"content-disposition" not in pages.get("/evidence/a.jpg").headers
    assert pages.get("/evidence/b.jpg", params={"download": ""}).status_code == 404


@pytest.mark.parametrize("page", GUARDED)
def test_a_token_counts_on_loopback_too(client, page):
    pages = client(token="a-good-token")
    assert pages.get(page).status_code == 401
    assert pages.get(page, headers={"authorization": "Bearer another-one"}).status_code == 401
    assert pages.get(page, headers={"authorization": "Bearer a-good-token"}).status_code == 200
    assert pages.get(page, params={"token": "a-good-token"}).status_code == 200
    assert client().get(page).status_code == 200


@pytest.mark.parametrize("page", GUARDED)
def test_behind_a_proxy_loopback_is_the_whole_network(client, page):
    behind = {"proxy": {"addresses": ["127.0.0.1"], "secret": "0123456789abcdef"}}
    assert client(**behind).get(page).status_code == 401
    pages = client(**behind, token="a-good-token")
    assert pages.get(page, headers={"authorization": "Bearer a-good-token"}).status_code == 200


@pytest.mark.parametrize("page", [*GUARDED, *OPEN])
def test_a_name_that_somebody_points_here_reads_nothing(client, page):
    pages = client()
    assert pages.get(page, headers={"host": "evil.example"}).status_code == 421
    assert "yard" not in pages.get(page, headers={"host": "evil.example:9108"}).text
    assert pages.get(page, headers={"host": "localhost:9108"}).status_code == 200


def test_a_name_of_ours_can_be_named(client):
    named = client(hosts=["nvr.example"])
    assert named.get("/status", headers={"host": "NVR.example.:443"}).status_code == 200
    assert named.get("/status", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "host",
    [
        "nvr.example:9108",
        "https://nvr.example",
        "nvr.example/",
        "*.example",
        "nvr example",
        "",
        "[nvr.example]",
        "[::1",
        "[::1]:9108",
        "früh.example",
    ],
)
def test_what_no_browser_sends_as_a_name_is_refused(host):
    with pytest.raises(ValidationError, match="leave out scheme, port and path"):
        HttpSettings(hosts=[host])


@pytest.mark.parametrize("host", ["192.0.2.7", "fd00::1", "[fd00::1]", "[::1]"])
def test_an_address_may_be_named_as_a_host(host):
    assert HttpSettings(hosts=[host]).hosts == (host.strip("[]"),)


def test_away_from_loopback_prometheus_may_ask_by_any_name(client):
    pages = client(listen="0.0.0.0:9108", token="a-good-token")
    assert pages.get("/metrics", headers={"host": "nvr:9108"}).status_code == 200
    assert pages.get("/status", headers={"host": "nvr:9108"}).status_code == 401


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9108", "[::1]:9108", "192.0.2.7:1", "localhost", "a.localhost", None]
)
def test_addresses_and_localhost_are_known(host):
    assert is_known(host, frozenset())


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[evil]", "1.2.3"]
)
def test_other_names_are_not(host):
    assert not is_known(host, frozenset())
