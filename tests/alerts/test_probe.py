"""What a probe of a sink shows, against its real counterpart, and that it leaves no trace there."""

import gc
import json
import os

import pytest

from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.sinks import SINKS, make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.sinks.log import LogSinkSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.errors import Rejected, RetryLater
from tests.alerts.clients import Listener, mail_settings, mqtt_settings
from tests.alerts.helpers import Receiver, alert
from tests.alerts.servers import (
    Grafana,
    Mailbox,
    alertmanager,
    free_port,
    mosquitto,
    needs,
    server_tls,
    smtp,
)

pytestmark = pytest.mark.server


def probe(settings, **context):
    sink = make_sink(settings, Context(**context))
    try:
        return sink.probe()
    finally:
        sink.close()


def why(settings, error=RetryLater, **context):
    with pytest.raises(error) as caught:
        probe(settings, **context)
    return str(caught.value)


def test_every_kind_of_sink_can_be_probed_and_tested():
    assert all(
        callable(getattr(kind.make, name)) for kind in SINKS.values() for name in ("probe", "send_test")
    )


def test_the_log_is_always_there():
    assert probe(LogSinkSettings()) == "always there"


def test_a_file_is_looked_at_and_not_made(tmp_path):
    settings = FileSinkSettings(path="new/alerts.jsonl")
    assert probe(settings, state_dir=tmp_path / "state") == "will be created"
    assert list(tmp_path.iterdir()) == []
    sink = make_sink(settings, Context(state_dir=tmp_path))
    sink.send_test(alert())
    sink.close()
    assert probe(settings, state_dir=tmp_path) == "is writable"


def test_a_file_that_cannot_be_says_why(tmp_path):
    (tmp_path / "plain").write_text("")
    below = why(FileSinkSettings(path="plain/alerts.jsonl"), state_dir=tmp_path)
    assert below == f"{tmp_path}/plain/alerts.jsonl: {tmp_path}/plain is not a folder"
    assert why(FileSinkSettings(path="."), state_dir=tmp_path).endswith(": is a folder")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "is not writable" in why(FileSinkSettings(path="locked/a"), state_dir=tmp_path)


def test_a_webhook_is_connected_to_and_hears_nothing():
    with Receiver() as receiver:
        assert probe(WebhookSettings(url=receiver.url)) == "connected; nothing was sent"
        assert receiver.got == []
        port = receiver.port
    assert (
        why(WebhookSettings(url=f"http://127.0.0.1:{port}/s3cret")) == f"127.0.0.1:{port}: Connection refused"
    )


@needs("openssl")
def test_a_webhook_s_certificate_is_looked_at(certificate):
    with Receiver() as receiver:
        receiver.server.socket = server_tls(*certificate).wrap_socket(
            receiver.server.socket, server_side=True
        )
        url = f"https://127.0.0.1:{receiver.port}/"
        good = probe(WebhookSettings(url=url, ca_file=certificate[0]))
        bad = why(WebhookSettings(url=url))
    assert good == "connected, certificate good; nothing was sent"
    assert "certificate refused" in bad


def test_grafana_says_whether_the_token_is_good():
    with Receiver(answer=Grafana()) as api:
        url = api.url.removesuffix("/hook")
        assert probe(GrafanaSettings(url=url, token="t0ken")) == "the token may read annotations"
        assert why(GrafanaSettings(url=url, token="hunter2")) == f"127.0.0.1:{api.port}: HTTP 401"
        assert {got.method for got in api.got} == {"GET"}


@needs("prometheus-alertmanager")
def test_alertmanager_tells_its_version_and_fires_nothing(tmp_path):
    with Receiver() as hook, alertmanager(tmp_path, hook.url) as url:
        assert probe(AlertmanagerSettings(url=url)).startswith("Alertmanager 0.")
        assert hook.got == []
    with Receiver() as other:
        url = other.url.removesuffix("/hook")
        assert why(AlertmanagerSettings(url=url)).endswith(
            "the server that answers is not an Alertmanager: check the URL"
        )
        other.answer = lambda _got: (404, {})
        assert why(AlertmanagerSettings(url=url), Rejected).endswith("HTTP 404")


@needs("openssl")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_is_logged_in_to_and_gets_no_mail(certificate, security):
    box = Mailbox()
    with smtp(box, server_tls(*certificate), security) as port:
        assert probe(mail_settings(port, certificate, security)) == "connected, logged in"
        wrong = why(mail_settings(port, certificate, security, password="hunter2"))
        make_sink(mail_settings(port, certificate, security), Context()).send_test(alert())
    assert wrong == f"127.0.0.1:{port}: login refused (535)"
    assert len(box.messages) == 1


# Paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@needs("mosquitto", "openssl")
def test_a_broker_is_logged_in_to_while_the_daemon_keeps_its_connection(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        running = make_sink(mqtt_settings(port, certificate), Context())
        running.deliver(Delivery(alert(0)))
        assert listener.wait("surveil/surveil/status") == b"online"

        assert probe(mqtt_settings(port, certificate)) == "connected, logged in"
        wrong = why(mqtt_settings(port, certificate, password="hunter2"))
        make_sink(mqtt_settings(port, certificate), Context()).send_test(alert(7, camera="system"))

        assert json.loads(listener.wait("surveil/surveil/system/alert"))["id"] == alert(7).id
        running.maintain(InstallationStatus())  # raises when the broker has hung up
        running.deliver(Delivery(alert(1)))
        assert listener.wait("surveil/surveil/gate/alert", 2)
        assert [m.payload for m in listener.heard["surveil/surveil/status"]] == [b"online"]
        running.close()
        listener.close()
    gc.collect()
    assert wrong == f"127.0.0.1:{port}: Not authorized"
