"""What becomes of an alert by what an HTTP receiver answers, beyond the status."""

from __future__ import annotations

import html
import json
import random
import socket
import threading
from base64 import b64encode
from urllib.parse import quote

import pytest

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.http import retry_after
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.errors import Rejected, RetryLater

from .helpers import Receiver, alert
from .servers import EndsAfter, answering

pytestmark = pytest.mark.rig


MOVED = b"HTTP/1.1 %d Moved\r\nLocation: https://other.example/s3cret-path\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_found_by_the_probe_and_says_where_to(status):
    with answering(MOVED % status) as url:
        sink = make_sink(WebhookSettings(url=url), Context())
        for tried in (sink.probe, lambda: sink.deliver(Delivery(alert(0)))):
            with pytest.raises(Rejected) as caught:
                tried()
            assert f"HTTP {status} to https://other.example:443: redirects are not followed" in str(
                caught.value
            )
            assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 204, 401, 404, 405, 501])
def test_a_receiver_that_does_not_know_other_methods_passes_the_probe(status):
    with answering(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status) as url:
        assert make_sink(WebhookSettings(url=url), Context()).probe() == "connected; nothing was sent"


def test_a_receiver_that_hangs_up_on_other_methods_passes_the_probe():
    with answering(b"") as url:
        assert make_sink(WebhookSettings(url=url), Context()).probe() == "connected; nothing was sent"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"message": "Field \\"x\\" is missing"}', 'Field "x" is missing'),
        (b'"start time must be before end time"', "start time must be before end time"),
        (b"invalid_payload\n\r\x1b[31m", "invalid_payload [31m"),
        (b"\xff\xfe no text", "\ufffd\ufffd no text"),
        (b"x" * 5000, "x" * 200 + "…"),
        (b"<html><body>Bad Request</body></html>", ""),
        (b"{}", ""),
        (b"", ""),
    ],
)
def test_the_reason_of_a_refusal_is_in_the_message(body, reason):
    with Receiver(answer=lambda _got: (400, {}, body)) as receiver:
        with pytest.raises(Rejected) as caught:
            make_sink(WebhookSettings(url=receiver.url), Context()).deliver(Delivery(alert(0)))
        place = f"127.0.0.1:{receiver.port}"
    assert str(caught.value) == f"{place}: HTTP 400" + (f": {reason}" if reason else "")


def test_a_receiver_that_repeats_what_was_sent_tells_no_secret():
    def echo(got):
        return 400, {}, f"cannot POST {got.path} with {json.dumps(got.headers)}".encode()

    with Receiver(answer=echo) as receiver:
        url = receiver.url.replace("//", "//me:hunter%202@").replace("/hook", "/api/t0ken-in-path?key=q0ery")
        settings = WebhookSettings(url=url, headers={"X-Key": "Bearer abcdefgh"})
        with pytest.raises(Rejected, match="cannot POST") as caught:
            make_sink(settings, Context()).deliver(Delivery(alert(0)))
    for secret in ("hunter", "t0ken", "q0ery", "abcdefgh", "bWU6aHVudGVyIDI"):
        assert secret not in str(caught.value)


def as_php(value: object) -> str:
    return json.dumps(value).replace("/", "\\/")


@pytest.mark.parametrize(
    "write",
    [str, as_php, lambda token: as_php({"got": [token]}), quote, html.escape, repr, str.upper,
     lambda token: b64encode(token.encode()).decode()],
)  # fmt: skip
def test_a_receiver_that_repeats_a_token_in_its_own_spelling_tells_no_secret(write):
    token = 's3cr/et+T0k"en&x=='
    with Receiver(answer=lambda _got: (400, {}, f"bad token {write(token)}".encode())) as receiver:
        settings = WebhookSettings(url=receiver.url, headers={"Authorization": f"Bearer {token}"})
        with pytest.raises(Rejected) as caught:
            make_sink(settings, Context()).deliver(Delivery(alert(0)))
    told = str(caught.value)
    assert "***" in told
    assert not [part for part in ("t0k", "cznjci9") if part in told.lower()]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("²", None),
        ("٣", None),
        ("1_000", None),
        ("0x10", None),
        ("1e5", None),
        ("NaN", None),
        ("0.62", 0.62),
        (" 30 ", 30.0),
        ("9" * 400, float("inf")),
        ("Wed, 99 Foo 99999 99:99:99 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 251702387139.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
def test_an_odd_retry_after_is_no_bug(value, seconds):
    assert retry_after(value, 1_700_000_000.0) == seconds


@pytest.mark.parametrize("body", [b'[{"id": Infinity}]', b'[{"id": "\xc2\xb2"}]', b'[{"id": null}]', b"[1]"])
def test_foreign_numbers_that_are_none_are_no_bug(body):
    with Receiver(body=body) as api:
        sink = make_sink(GrafanaSettings(url=api.url, token="t"), Context())
        with pytest.raises(RetryLater, match="not a list of annotations"):
            sink.probe()


@pytest.mark.parametrize("end", [b"Content-Length: 100\r\n\r\nab", b"\r\n"])
def test_a_body_that_breaks_off_does_not_change_what_the_status_says(end):
    with answering(b"HTTP/1.1 200 OK\r\n" + end, read=20) as url:
        make_sink(WebhookSettings(url=url), Context()).deliver(Delivery(alert(0)))


@pytest.mark.parametrize(
    "end",
    [
        b"\r\nok",
        b"Content-Length: 100\r\n\r\nab",
        b"Content-Length: -5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    ],
    ids=["no length", "wrong length", "odd length", "no last chunk"],
)
def test_a_body_that_does_not_end_does_not_change_what_the_status_says(end):
    clock = EndsAfter()
    with answering(b"HTTP/1.1 200 OK\r\n" + end, stays=clock) as url:
        make_sink(WebhookSettings(url=url), Context(clock=clock)).deliver(Delivery(alert(0)))
    clock = EndsAfter()
    with (
        answering(b"HTTP/1.1 400 No\r\n" + end, stays=clock) as url,
        pytest.raises(Rejected, match="HTTP 400"),
    ):
        make_sink(WebhookSettings(url=url), Context(clock=clock)).deliver(Delivery(alert(0)))


@pytest.mark.parametrize("before", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </a>"])
@pytest.mark.parametrize("status", [200, 400])
def test_what_is_announced_before_the_answer_is_none(before, status):
    with answering(
        b"HTTP/1.1 %b\r\n\r\nHTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % (before, status)
    ) as url:
        sink = make_sink(WebhookSettings(url=url), Context())
        if status == 200:
            sink.deliver(Delivery(alert(0)))
            return
        with pytest.raises(Rejected, match="HTTP 400"):
            sink.deliver(Delivery(alert(0)))


def multipart(tmp_path, url, **context):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8" + bytes(2_000_000))
    return make_sink(WebhookSettings(url=url, picture="multipart"), Context(state_dir=tmp_path, **context))


def test_a_picture_that_the_receiver_calls_too_large_is_left_out(tmp_path):
    def answer(got):
        return (413 if len(got.body) > 100_000 else 200), {}

    with Receiver(answer=answer) as receiver:
        sink = multipart(tmp_path, receiver.url)
        sink.deliver(Delivery(alert(0, evidence={"snapshot": "a.jpg"})))
    assert receiver.got[-1].json["snapshot_omitted"] == "2000002 bytes: HTTP 413"


def test_an_answer_that_comes_before_the_whole_request_is_read_counts(tmp_path):
    too_large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with answering(too_large, read=1) as url:
        sink = multipart(tmp_path, url)
        with pytest.raises((Rejected, RetryLater)) as caught:
            sink.deliver(Delivery(alert(0, evidence={"snapshot": "a.jpg"})))
    assert isinstance(caught.value, Rejected) or caught.value.suspect


def test_a_receiver_that_closes_on_a_large_picture_holds_up_nothing(tmp_path, clock):
    outbox = Outbox.open(tmp_path / "surveil.db", ["ops"], clock)
    outbox.committer.commit([alert(0, evidence={"snapshot": "a.jpg"}), alert(1)])
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                head = connection.recv(65_536)
                if b"multipart" not in head:
                    taken.append(head)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    sink = multipart(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}/")
    courier = Courier("ops", sink, outbox, clock, OutboxSettings(), rng=random.Random(1))
    for _ in range(8):
        courier.run_once()
        clock.advance(courier.waits_s())
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    listener.close()
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 2, "dead": 0}
    assert len(taken) == 2
    outbox.close()
