"""The way to a sink: addresses that lead nowhere, servers that never answer while the daemon ends, many descriptors."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.sinks.base import BaseSink
from surveil.alerts.sinks.mqtt import MqttSettings, MqttSink
from surveil.alerts.sinks.webhook import WebhookSettings, WebhookSink
from surveil.clock import Stop
from surveil.errors import RetryLater

from .clients import mqtt_settings
from .helpers import Receiver, alert
from .servers import free_port, make_certificate, mosquitto, needs

_NOWHERE = "127.0.0.2"


@contextmanager
def swallowing(host: str, port: int = 0) -> Iterator[int]:
    """A port that answers no one who connects: its queue is full, and the system drops what comes."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def two_addresses(monkeypatch):
    """The name `two.example` has two addresses; the first leads nowhere."""
    usual = socket.getaddrinfo

    def resolve(host, port, *more, **named):
        hosts = [_NOWHERE, "127.0.0.1"] if host == "two.example" else [host]
        return [found for one in hosts for found in usual(one, port, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_webhook_is_reached_at_its_second_address(two_addresses):
    with Receiver() as receiver, swallowing(_NOWHERE, receiver.port):
        settings = WebhookSettings(url=f"http://two.example:{receiver.port}/hook", timeout_s=10)
        WebhookSink(settings, Context()).deliver(Delivery(alert()))
        assert len(receiver.got) == 1


@needs("mosquitto", "mosquitto_passwd")
@pytest.mark.rig
def test_a_broker_is_reached_at_its_second_address(two_addresses, tmp_path):
    certificate, port = make_certificate(tmp_path / "tls", "two.example"), free_port()
    with mosquitto(tmp_path, port, *certificate), swallowing(_NOWHERE, port):
        settings = mqtt_settings(port, certificate, host="two.example", timeout_s=10)
        sink = MqttSink(settings, Context(state_dir=tmp_path))
        sink.deliver(Delivery(alert()))
        sink.close()


@needs("mosquitto", "mosquitto_passwd")
@pytest.mark.rig
def test_a_broker_is_reached_with_more_than_a_thousand_descriptors(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 2048:
        pytest.skip("so many descriptors are not allowed here")
    certificate, port = make_certificate(tmp_path / "tls"), free_port()
    with mosquitto(tmp_path, port, *certificate), ExitStack() as held:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2048), before[1]))
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for _ in range(1024):
            held.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        sink = MqttSink(mqtt_settings(port, certificate), Context(state_dir=tmp_path))
        sink.deliver(Delivery(alert()))
        sink.close()


def hook(scheme: str, port: int, context: Context) -> BaseSink:
    return WebhookSink(WebhookSettings(url=f"{scheme}://127.0.0.1:{port}/hook", timeout_s=100), context)


def broker(scheme: str, port: int, context: Context) -> BaseSink:
    settings = MqttSettings(host="127.0.0.1", port=port, tls=scheme == "https", timeout_s=100)
    return MqttSink(settings, context)


@pytest.fixture
def silent_names(monkeypatch):
    """A name server that does not answer before the test is over."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_how: over.wait(20) and [])
    yield
    over.set()


@pytest.mark.parametrize("ends", [False, True])
def test_a_name_server_that_does_not_answer_is_waited_for_no_longer_than_a_server(silent_names, ends):
    stop = Stop()
    settings = WebhookSettings(url="http://hook.example/", timeout_s=100 if ends else 0.3)
    sink = WebhookSink(settings, Context(stop=stop))
    if ends:
        threading.Timer(0.3, stop.set).start()
    with pytest.raises(RetryLater, match="no answer from the name server"):
        sink.deliver(Delivery(alert()))


@pytest.mark.parametrize("make", [hook, broker])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_does_not_answer_does_not_hold_up_the_end(make, scheme):
    """`http`: the connection is never made; `https`: it is, and nobody shakes hands."""
    stop, failed = Stop(), []
    with ExitStack() as servers:
        if scheme == "http":
            port = servers.enter_context(swallowing("127.0.0.1"))
        else:
            port = servers.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        sink = make(scheme, port, Context(stop=stop))

        def deliver() -> None:
            with pytest.raises(RetryLater) as caught:
                sink.deliver(Delivery(alert()))
            failed.append(caught.value)

        thread = threading.Thread(target=deliver, daemon=True)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        stop.set()
        thread.join(20)
        assert failed
