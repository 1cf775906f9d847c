"""A picture on a damaged disk, or in a folder of another user, holds up neither its alert nor any other."""

from __future__ import annotations

import pytest

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.base import BaseSink
from surveil.alerts.sinks.email import EmailSink
from surveil.alerts.sinks.mqtt import MqttSink
from surveil.alerts.sinks.webhook import WebhookSettings, WebhookSink

from .clients import mail_settings, mqtt_settings
from .helpers import Receiver, alert
from .servers import Mailbox, free_port, make_certificate, mosquitto, needs, server_tls, smtp

WHY = "cannot be read: Input/output error"


@pytest.fixture
def damaged(outbox, clock, tmp_path):
    """Two alerts that wait, the first with a picture that the system refuses to read; gives how they are delivered."""
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "bad.jpg").symlink_to("/proc/self/mem")
    outbox.committer.commit([alert(0, evidence={"snapshot": "evidence/bad.jpg"}), alert(1)])

    def deliver(sink: BaseSink) -> None:
        courier = Courier("ops", sink, outbox, clock, OutboxSettings())
        assert courier.run_once()
        assert courier.run_once()
        assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 2, "dead": 0}
        sink.close()

    return deliver


def test_a_webhook_gets_the_alert_and_why_there_is_no_picture(damaged, tmp_path):
    with Receiver() as receiver:
        settings = WebhookSettings(url=receiver.url, picture="multipart")
        damaged(WebhookSink(settings, Context(state_dir=tmp_path)))
        assert [got.json.get("snapshot_omitted") for got in receiver.got] == [WHY, None]


@needs("mosquitto", "mosquitto_passwd")
@pytest.mark.rig
def test_a_broker_gets_the_alert(damaged, tmp_path):
    certificate, port = make_certificate(tmp_path / "tls"), free_port()
    with mosquitto(tmp_path, port, *certificate):
        damaged(MqttSink(mqtt_settings(port, certificate), Context(state_dir=tmp_path)))


def test_a_mail_is_sent_without_it(damaged, tmp_path):
    certificate, box = make_certificate(tmp_path / "tls"), Mailbox()
    with smtp(box, server_tls(*certificate), "starttls") as port:
        damaged(EmailSink(mail_settings(port, certificate, "starttls"), Context(state_dir=tmp_path)))
        assert len(box.messages) == 2


def test_a_picture_that_cannot_be_looked_for_is_missing_and_says_why(outbox):
    outbox.committer.commit([alert(0, evidence={"snapshot": "x" * 300})])
    given = outbox.queue.next("ops")
    assert given.alert.evidence == {"snapshot": "missing: File name too long"}
