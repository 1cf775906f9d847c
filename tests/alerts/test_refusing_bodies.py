"""Receivers that refuse in the body of a 2xx answer, as chat services do."""

from __future__ import annotations

import random

import pytest

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.errors import RetryLater

from .helpers import Receiver, alert
from .servers import answering

pytestmark = pytest.mark.rig

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
