"""The pages under idle, slow and odd clients: probes and scrapes get through, and nothing is a 500."""

import contextlib
import gzip
import os
import resource
import socket
import ssl
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from surveil import webserver
from surveil.listening import HttpSettings, bind
from surveil.web import PAGES_AT_ONCE, Web
from tests.alerts.servers import make_certificate, needs
from tests.integration.world import wait_for


class Facts:
    """Of a daemon that is well."""

    def liveness(self):
        return True, {}

    def readiness(self):
        return True, {}

    def status(self):
        return {"cameras": {}}

    def latest_picture(self, camera, rule, t_wall):
        return None


class Client:
    """A connection to the pages, byte by byte."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=10)

    def ask(self, target, *headers):
        """Send a request; return status, headers and body."""
        head = "".join(f"{line}\r\n" for line in (f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *headers))
        self.socket.sendall(f"{head}Connection: close\r\n\r\n".encode())
        parts = []
        while data := self.socket.recv(1 << 20):
            parts.append(data)
        head, _, body = b"".join(parts).partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def is_cut(self):
        """Wait for the end of the connection."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


async def read_whole(request):
    """A page that answers when it has the body; its client may go before."""
    with contextlib.suppress(ClientDisconnect):
        await request.body()
    return PlainTextResponse("ok")


@contextlib.contextmanager
def serving(folder, settings):
    """The pages of a daemon that is well."""
    (folder / "evidence").mkdir()
    listener = bind("127.0.0.1:0")
    registry = CollectorRegistry()
    Gauge("surveil_test", "A metric.", registry=registry).set(1)
    more = [Route("/read", read_whole, methods=["POST"])]
    made = Web(listener, settings, Facts(), registry, folder, more)
    thread = threading.Thread(target=made.run)
    thread.start()
    made.address = listener.getsockname()
    yield made
    made.stop()
    thread.join()
    listener.close()


@pytest.fixture
def web(tmp_path):
    with serving(tmp_path, HttpSettings()) as made:
        yield made


@pytest.fixture
def secure_web(tmp_path):
    """The same over https; `tls` is what trusts it."""
    certificate, key = make_certificate(tmp_path)
    with serving(tmp_path, HttpSettings(certificate=certificate, key=key)) as made:
        made.tls = ssl.create_default_context(cafile=str(certificate))
        yield made


def get(web, target, *headers):
    with Client(web.address) as client:
        return client.ask(target, *headers)


def connections(web):
    return web._server.server_state.connections


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{",
        b"POST /read HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["idle", "half a head", "half a body", "chunks that do not end", "an answer before the body"],
)
def test_probes_and_scrapes_get_through_a_thousand_connections_that_send_no_whole_request(web, sent):
    with contextlib.ExitStack() as open_ones:
        for _ in range(1000):
            with contextlib.suppress(ConnectionError):
                open_ones.enter_context(Client(web.address)).socket.sendall(sent)
        if b"\r\n\r\n" in sent:
            wait_for(lambda: all(client.cycle is not None for client in list(connections(web))))
        for page in ("/livez", "/readyz", "/metrics", "/status"):
            assert get(web, page)[0] == 200
        assert len(connections(web)) <= webserver.most_connections()


def test_a_probe_that_has_not_sent_its_request_yet_is_not_cut_for_another(web):
    half = b"POST /read HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{"
    with contextlib.ExitStack() as open_ones:
        old = [open_ones.enter_context(Client(web.address)) for _ in range(webserver.most_connections() - 1)]
        for client in old:
            client.socket.sendall(half)
        wait_for(lambda: sum(c.cycle is not None for c in list(connections(web))) == len(old))
        probe = open_ones.enter_context(Client(web.address))
        for _ in range(20):
            assert get(web, "/livez")[0] == 200
        assert probe.ask("/livez")[0] == 200
        assert old[0].is_cut()


def get_safely(web, target):
    with urllib.request.urlopen(f"https://127.0.0.1:{web.address[1]}{target}", context=web.tls) as answer:
        return answer.status


def descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@needs("openssl")
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["idle", "half a hello"])
def test_a_thousand_connections_that_do_not_shake_hands_cost_a_few_descriptors(secure_web, sent):
    before = descriptors()
    with contextlib.ExitStack() as open_ones:
        for _ in range(1000):
            with contextlib.suppress(ConnectionError):
                open_ones.enter_context(Client(secure_web.address)).socket.sendall(sent)
        for page in ("/livez", "/readyz", "/metrics", "/status"):
            assert get_safely(secure_web, page) == 200
        of_clients = 1000
        assert descriptors() - before - of_clients <= webserver.most_connections()


@needs("openssl")
def test_a_handshake_that_does_not_end_is_cut(secure_web, monkeypatch):
    monkeypatch.setattr(webserver, "HEAD_S", 0.4)
    with Client(secure_web.address) as client:
        client.socket.sendall(b"\x16\x03\x01")
        assert client.is_cut()
    assert get_safely(secure_web, "/livez") == 200


@pytest.mark.parametrize(
    ("limit", "most"), [(20, 16), (256, 64), (1024, 128), (4096, 128), (resource.RLIM_INFINITY, 128)]
)
def test_three_quarters_of_the_file_descriptors_are_for_the_rest(monkeypatch, limit, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (limit, limit))
    assert webserver.most_connections() == most


@pytest.mark.parametrize("before", ["nothing", "a request"])
def test_a_head_that_does_not_end_is_cut(web, monkeypatch, before):
    # On a busy machine the first request takes its time, too.
    monkeypatch.setattr(webserver, "HEAD_S", 0.4)
    with Client(web.address) as client:
        if before == "a request":
            client.socket.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answer = b""
            while b'{"ok":true}' not in answer:
                more = client.socket.recv(4096)
                assert more, "cut before the answer"
                answer += more
        client.socket.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        assert client.is_cut()


def stored(tmp_path, name, size):
    """A picture that no socket buffer holds."""
    with (tmp_path / "evidence" / name).open("wb") as file:
        file.truncate(size)


def test_a_client_that_does_not_read_is_cut_and_one_that_does_is_not(web, tmp_path, monkeypatch):
    stored(tmp_path, "clip.mp4", 16 << 20)
    monkeypatch.setattr(webserver, "HEAD_S", 0.05)
    monkeypatch.setattr(webserver, "STALL_S", 0.2)
    with Client(web.address) as client:
        client.socket.sendall(b"GET /evidence/clip.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_for(lambda: connections(web))
        wait_for(lambda: not connections(web))
    monkeypatch.undo()
    assert len(get(web, "/evidence/clip.mp4")[2]) == 16 << 20


def test_slow_clients_of_one_page_keep_nobody_from_the_others(web, tmp_path):
    stored(tmp_path, "clip.mp4", 16 << 20)
    with contextlib.ExitStack() as open_ones:
        for _ in range(PAGES_AT_ONCE):
            client = open_ones.enter_context(Client(web.address))
            client.socket.sendall(b"GET /evidence/clip.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            client.socket.recv(1)
        status, headers, _ = get(web, "/evidence/clip.mp4")
        assert (status, headers["retry-after"]) == (503, "1")
        assert [get(web, page)[0] for page in ("/livez", "/metrics", "/status")] == [200] * 3


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/evidence/%00", 404),
        ("/evidence/a%00.jpg", 404),
        (f"/evidence/{'a' * 300}", 404),
        (f"/evidence/{'a/' * 5000}x", 404),
        ("/evidence/%ff%fe", 404),
        ("/evidence/circle", 404),
        ("/evidence/", 404),
        ("/evidence/../config.yaml", 404),
        ("/evidence/..%2f..%2fetc/passwd", 404),
        ("/evidence//etc/passwd", 404),
        (f"/evidence/latest?at={'9' * 400}", 400),
        (f"/evidence/latest?at={'9' * 5000}", 400),
        ("/evidence/latest?at=1e400", 400),
        ("/evidence/latest?at=-1", 404),
        ("/evidence/latest?camera=%00&rule=%ff", 404),
        ("/status?token=%ff", 200),
        ("/%00", 404),
        ("/livez/%F0%9F", 404),
    ],
)
def test_odd_addresses_are_the_client_s_mistakes(web, tmp_path, target, status):
    (tmp_path / "evidence" / "circle").symlink_to("circle")
    assert get(web, target)[0] == status


def test_a_picture_that_is_deleted_in_between_is_not_there(web, tmp_path, monkeypatch):
    stored(tmp_path, "a.jpg", 10)
    told = os.stat

    def deleted(path, *args, **more):
        found = told(path, *args, **more)
        if str(path).endswith("a.jpg"):
            (tmp_path / "evidence" / "a.jpg").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(os, "stat", deleted)
    assert get(web, "/evidence/a.jpg")[0] == 404


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("gzip;q=0.5, identity", True),
        ("deflate, GZIP", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
    ],
)
def test_metrics_are_packed_for_those_who_take_it(web, accepted, packed):
    status, headers, body = get(web, "/metrics", f"Accept-Encoding: {accepted}")
    assert (status, headers.get("content-encoding") == "gzip", headers["vary"]) == (
        200,
        packed,
        "accept-encoding",
    )
    assert b"surveil_test 1.0" in (gzip.decompress(body) if packed else body)
