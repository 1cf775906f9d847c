"""What becomes of an alert by what an HTTP receiver answers, beyond the status."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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

pytestmark = pytest.mark.rig


@contextmanager
def answering(answer: bytes, *, read: int = 65_536, stays: bool = False) -> Iterator[str]:
    """A server that answers every request by these bytes after reading up to `read`; gives its address.

    `stays`: it keeps the connection open until the client has closed it.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(read):
                    connection.sendall(answer)
                    if stays:
                        connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


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


REFUSED = [
    ({}, b'{"ok": false, "error_code": 400, "description": "Bad Request: chat not found"}', "chat not found"),
    ({}, b'{"ok": false, "error": "invalid_auth"}', "invalid_auth"),
    ({}, b'{"errcode": 93000, "errmsg": "invalid key"}', "invalid key"),
    ({}, b'{"success": false}', "success"),
    ({"code": 0}, b'{"code": 19024, "msg": "Key Words Not Found"}', "Key Words Not Found"),
    ({"code": 0}, b"{}", "the body refuses"),
    ({"code": 0}, b"ok", "ok"),
    ({"status": "done"}, b'{"status": "queued"}', "queued"),
]
TAKEN = [
    ({}, b'{"ok": true}'),
    ({}, b'{"errcode": 0, "errmsg": "ok"}'),
    ({}, b'{"errcode": "0"}'),
    ({}, b'{"code": 200, "msg": "success"}'),
    ({}, b'["ok", false]'),
    ({}, b"ok: false"),
    ({}, b"[" * 100_000),
    ({}, b""),
    ({"code": 0}, b'{"code": 0, "msg": "success", "data": {}}'),
    ({"taken": True, "by": "ops"}, b'{"taken": true, "by": "ops"}'),
]


@pytest.mark.parametrize(("accepted", "body", "reason"), REFUSED)
def test_an_alert_that_a_body_refuses_with_status_200_is_not_delivered(accepted, body, reason):
    with Receiver(body=body) as receiver:
        sink = make_sink(WebhookSettings(url=receiver.url, accepted=accepted), Context())
        with pytest.raises(RetryLater, match="HTTP 200, and the body refuses") as caught:
            sink.deliver(Delivery(alert(0)))
    assert reason in str(caught.value)
    assert caught.value.suspect


@pytest.mark.parametrize(("accepted", "body"), TAKEN)
def test_other_bodies_with_status_200_are_a_delivery(accepted, body):
    with Receiver(body=body) as receiver:
        make_sink(WebhookSettings(url=receiver.url, accepted=accepted), Context()).deliver(Delivery(alert(0)))


@pytest.mark.parametrize(
    "rest",
    [
        b'Content-Length: 100\r\n\r\n{"code": 0, ',
        b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"code": \r\n',
        b"\r\n" + b'{"code": 0, "echo": "' + b"x" * 70_000 + b'"}',
    ],
    ids=["length", "chunked", "too long"],
)
def test_a_body_that_cannot_be_read_whole_refuses_nothing(rest):
    with answering(b"HTTP/1.1 200 OK\r\n" + rest) as url:
        make_sink(WebhookSettings(url=url, accepted={"code": 0}), Context()).deliver(Delivery(alert(0)))


def test_an_alert_that_a_body_refuses_delays_no_other_and_is_given_up(tmp_path, clock):
    def answer(got):
        refuses = got.headers["Idempotency-Key"] == alert(0).id
        return 200, {}, b'{"success": false, "error": "duplicate"}' if refuses else b'{"success": true}'

    outbox = Outbox.open(tmp_path / "surveil.db", ["ops"], clock)
    with Receiver(answer=answer) as receiver:
        sink = make_sink(WebhookSettings(url=receiver.url), Context())
        courier = Courier("ops", sink, outbox, clock, OutboxSettings(), rng=random.Random(1))
        outbox.committer.commit([alert(0)])
        for _ in range(11):
            clock.advance(courier.waits_s())
            assert courier.run_once()
        assert courier.waits_s() > 200
        for n in range(1, 5):
            outbox.committer.commit([alert(n)])
            assert courier.run_once()
        assert outbox.queue.counts()["ops"] == {"pending": 1, "delivered": 4, "dead": 0}
        assert not courier.run_once()
        clock.advance(courier.waits_s())
        assert courier.run_once()
        keys = [got.headers["Idempotency-Key"] for got in receiver.got]
    assert keys.count(alert(0).id) == 12
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 4, "dead": 1}
    (dead,) = outbox.db.read_aside("SELECT reason, error FROM deliveries WHERE state = 'dead'")
    assert dead[0] == "rejected"
    assert dead[1].endswith("HTTP 200, and the body refuses: duplicate")
    outbox.close()


def test_new_alerts_go_during_the_pause_of_a_refused_one_unless_all_are_refused(tmp_path, clock):
    bodies = [b'{"ok": false}', b'{"ok": true}'] + [b'{"ok": false}'] * 9
    outbox = Outbox.open(tmp_path / "surveil.db", ["ops"], clock)
    with Receiver(answer=lambda _got: (200, {}, bodies.pop(0))) as receiver:
        sink = make_sink(WebhookSettings(url=receiver.url), Context())
        courier = Courier("ops", sink, outbox, clock, OutboxSettings(), rng=random.Random(1))
        outbox.committer.commit([alert(n) for n in range(9)])
        while courier.run_once():
            pass
        assert courier.waits_s() > 0
        assert len(receiver.got) == 5
        clock.advance(courier.waits_s())
        assert courier.run_once()
        assert receiver.got[-1].headers["Idempotency-Key"] == alert(5).id
        assert not courier.run_once()
    assert outbox.queue.counts()["ops"] == {"pending": 8, "delivered": 1, "dead": 0}
    outbox.close()


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
    with answering(b"HTTP/1.1 200 OK\r\n" + end, stays=True) as url:
        make_sink(WebhookSettings(url=url, timeout_s=0.2), Context()).deliver(Delivery(alert(0)))
    with (
        answering(b"HTTP/1.1 400 No\r\n" + end, stays=True) as url,
        pytest.raises(Rejected, match="HTTP 400"),
    ):
        make_sink(WebhookSettings(url=url, timeout_s=0.2), Context()).deliver(Delivery(alert(0)))


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
