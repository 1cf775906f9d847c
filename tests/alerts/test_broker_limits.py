"""What a broker refuses or cannot take: no alert counts as delivered that was not, and no picture holds one up."""

from __future__ import annotations

import json
import random
import socket
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Camera, Context, Delivery, InstallationStatus
from surveil.alerts.doubt import Doubt
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.mqtt import MqttSettings
from surveil.clock import ManualClock
from surveil.errors import RetryLater

from .clients import Listener, mqtt_settings
from .helpers import alert
from .servers import free_port, mosquitto, needs

pytestmark = pytest.mark.rig

GATE = InstallationStatus({"gate": Camera(state="streaming", zones=("yard",), rules=("intrusion",))})
BIG = b"\xff\xd8" + bytes(60_000)


def with_big_picture(folder: Path, n: int = 0):
    (folder / "big.jpg").write_bytes(BIG)
    return alert(n, evidence={"snapshot": "big.jpg"})


def acl(folder: Path, *topics: str) -> str:
    """Let the daemon write these topics only, and read all."""
    file = folder / "acl"
    file.write_text("user nvr\n" + "".join(f"topic {topic}\n" for topic in topics))
    file.chmod(0o644)
    return f"acl_file {file}"


@needs("mosquitto", "openssl")
def test_an_alert_that_the_broker_refuses_is_not_delivered(tmp_path, certificate):
    port = free_port()
    only_status = acl(tmp_path, "write surveil/surveil/status", "read #")
    with mosquitto(tmp_path, port, *certificate, only_status):
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        for refused in (
            lambda: sink.deliver(Delivery(alert(0))),
            lambda: sink.send_test(alert(1)),
            sink.probe,
        ):
            with pytest.raises(RetryLater, match=r"refused on surveil/surveil/.*: Not authorized") as caught:
                refused()
            assert caught.value.suspect
        sink.close()


@needs("mosquitto", "openssl")
def test_states_that_the_broker_refuses_hold_up_no_alert_and_are_logged_once(tmp_path, certificate):
    port = free_port()
    only_alerts = acl(tmp_path, "write surveil/surveil/gate/alert", "read #")
    with mosquitto(tmp_path, port, *certificate, only_alerts), capture_logs() as lines:
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        listener = Listener(port, certificate)
        for _ in range(3):
            sink.maintain(GATE)
        sink.deliver(Delivery(with_big_picture(tmp_path)))
        body = json.loads(listener.wait("surveil/surveil/gate/alert"))
        listener.close()
        sink.close()
    assert body["snapshot_omitted"] == "Not authorized"
    assert [line["event"] for line in lines] == [
        "broker rejected a state message",
        "broker rejected the picture, alert sent without it",
    ]


class SlowLine(ManualClock):
    """Time passes with every look at it, as over a line on which each acknowledgement takes long."""

    def monotonic(self) -> float:
        self.advance(0.05)
        return super().monotonic()


@needs("mosquitto", "openssl")
def test_states_that_take_longer_than_the_timeout_are_published_turn_by_turn(tmp_path, certificate):
    cameras = {f"c{n}": Camera(state="streaming", zones=("yard",), rules=("intrusion",)) for n in range(20)}
    port, clock = free_port(), SlowLine()
    with mosquitto(tmp_path, port, *certificate):
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path, clock=clock))
        listener = Listener(port, certificate)
        began, turns = clock.monotonic(), 0
        while "surveil/surveil/c19/zone/yard" not in listener.heard:
            sink.maintain(InstallationStatus(cameras))
            listener.client.loop(0.05)
            turns += 1
            assert turns < 100
        assert clock.monotonic() - began > mqtt_settings(port, certificate).timeout_s
        assert turns > 1
        listener.close()
        sink.close()


@needs("mosquitto", "openssl")
def test_states_are_offered_again_after_the_access_list_was_corrected(tmp_path, certificate):
    port, clock = free_port(), ManualClock()
    line = acl(tmp_path, "write surveil/surveil/gate/alert", "read #")
    with mosquitto(tmp_path, port, *certificate, line) as broker:
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path, clock=clock))
        sink.maintain(GATE)
        acl(tmp_path, "readwrite #")
        broker.send_signal(1)
        clock.advance(61)
        listener = Listener(port, certificate)
        sink.maintain(GATE)
        assert listener.wait("surveil/surveil/gate/state") == b"streaming"
        listener.close()
        sink.close()


@needs("mosquitto", "openssl")
def test_a_picture_over_the_announced_packet_size_is_left_out_and_the_alert_says_so(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate, "max_packet_size 20000"):
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        assert sink.probe().endswith("accepts messages up to 20000 bytes")
        listener = Listener(port, certificate)
        sink.deliver(Delivery(with_big_picture(tmp_path)))
        body = json.loads(listener.wait("surveil/surveil/gate/alert"))
        assert "the broker accepts at most 20000" in body["snapshot_omitted"]
        assert "surveil/surveil/gate/snapshot" not in listener.heard
        with pytest.raises(RetryLater, match="the broker accepts at most 20000") as caught:
            sink.deliver(Delivery(alert(1, text="x" * 20_000)))
        assert caught.value.suspect
        listener.close()
        sink.close()


@needs("mosquitto", "openssl")
@pytest.mark.parametrize(
    ("details", "left"),
    [
        ({"events": ["x" * 1000] * 30, "event_count": 30}, {"event_count": 30}),
        ({"events": ["x" * 1000] * 30, "why": "x" * 20_000}, {}),
    ],
)
def test_an_alert_over_the_announced_packet_size_is_sent_with_fewer_details(
    tmp_path, certificate, details, left
):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate, "max_packet_size 20000"), capture_logs() as lines:
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        listener = Listener(port, certificate)
        sink.deliver(Delivery(alert(0, details=details)))
        body = json.loads(listener.wait("surveil/surveil/gate/alert"))
        listener.close()
        sink.close()
    assert (body["id"], body["details"]) == (alert(0).id, left)
    assert body["details_omitted"].endswith("bytes, the broker accepts at most 20000")
    assert [line["event"] for line in lines] == ["alert too large for the broker, sent without some details"]


@needs("mosquitto", "openssl")
def test_a_picture_over_a_limit_that_is_not_announced_blocks_nothing(tmp_path, certificate):
    port, clock = free_port(), ManualClock()
    outbox = Outbox.open(tmp_path / "surveil.db", ["bus"], clock)
    with mosquitto(tmp_path, port, *certificate, "message_size_limit 20000"):
        sink = make_sink(mqtt_settings(port, certificate), Context(name="bus", state_dir=tmp_path))
        courier = Courier("bus", sink, outbox, clock, OutboxSettings(), rng=random.Random(1))
        listener = Listener(port, certificate)
        outbox.committer.commit([with_big_picture(tmp_path), *(alert(n) for n in range(1, 6))])
        for _ in range(12):
            courier.run_once()
            clock.advance(courier.waits_s())
        listener.wait("surveil/surveil/gate/alert", 6)
        listener.close()
        sink.close()
    assert outbox.queue.counts()["bus"] == {"pending": 0, "delivered": 6, "dead": 0}
    outbox.close()


@needs("mosquitto", "openssl")
def test_a_broker_that_retains_nothing_gets_alerts_nevertheless(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate, "retain_available false"):
        sink = make_sink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        listener = Listener(port, certificate)
        sink.maintain(GATE)
        sink.deliver(Delivery(with_big_picture(tmp_path)))
        assert json.loads(listener.wait("surveil/surveil/gate/alert"))["id"] == alert(0).id
        assert listener.wait("surveil/surveil/gate/snapshot") == BIG
        listener.close()
        sink.close()


@pytest.mark.rig
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"\xe0\x02\x8e\x00", "Session taken over; another program uses the same client id"),
        (b"\xe0\x02\x95\x00", "the broker closed the connection: Packet too large"),
        (b"\xe0\x00", "the broker closed the connection: Normal disconnection"),
        (b"", "the broker closed the connection"),
    ],
)
def test_what_a_broker_says_when_it_closes_is_in_the_message(answer, why):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"\x20\x03\x00\x00\x00")
            connection.recv(4096)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    settings = MqttSettings(host="127.0.0.1", port=listener.getsockname()[1], tls=False)
    sink = make_sink(settings, Context())
    with pytest.raises(RetryLater, match=why) as caught:
        sink.deliver(Delivery(alert(0)))
    assert caught.value.suspect
    thread.join()
    sink.close()
    listener.close()


def test_a_broker_that_is_stopped_before_the_picture_was_taken_is_not_mistaken_for_a_limit(clock):
    doubt = Doubt(clock)
    doubt.cut("a", 500)
    assert not doubt.holds(500)
    doubt.cut("b", 500)
    assert not doubt.holds(500), "one cut each of two alerts is no proof"
    doubt.cut("a", 500)
    assert doubt.holds(500)
    assert not doubt.holds(499)


def test_a_learned_limit_is_forgotten_in_an_hour_or_when_a_picture_of_the_size_is_taken(clock):
    doubt = Doubt(clock)
    for _ in range(2):
        doubt.cut("a", 500)
    clock.advance(3600)
    assert not doubt.holds(500)
    for _ in range(2):
        doubt.cut("b", 500)
    doubt.taken("c", 800)
    assert not doubt.holds(500)
