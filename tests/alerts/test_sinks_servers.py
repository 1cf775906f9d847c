"""Each sink against its real counterpart."""

from __future__ import annotations

import email
import email.policy
import gc
import html
import json
import signal
from pathlib import Path

import pytest
from pydantic import ValidationError

from surveil.alerts.arming import ArmingChannel
from surveil.alerts.delivery import Camera, Context, Delivery, InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.alerts.sinks.apprise import AppriseSettings
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.sinks.mqtt import MqttSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.clock import ManualClock, SystemClock
from surveil.errors import Rejected, RetryLater
from surveil.titles import local_and_utc
from tests.optional import package

from .clients import Listener, mail_settings, mqtt_settings
from .helpers import Receiver, alert
from .servers import (
    Grafana,
    Mailbox,
    alertmanager,
    free_port,
    make_certificate,
    mosquitto,
    needs,
    server_tls,
    smtp,
    wait_for,
)

pytestmark = pytest.mark.server
JPEG = b"\xff\xd8picture\xff\xd9"


def with_picture(tmp_path: Path, n: int = 0, phase: str = "start"):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    return alert(n, phase, evidence={"snapshot": "a.jpg"})


# Webhook over TLS.


def test_a_webhook_whose_certificate_is_not_known_or_not_its_own_gets_nothing(tmp_path, certificate):
    other = make_certificate(tmp_path, "elsewhere.example")
    for files, trusted in ((certificate, None), (other, other[0])):
        with Receiver() as receiver:
            receiver.server.socket = server_tls(*files).wrap_socket(receiver.server.socket, server_side=True)
            url = f"https://127.0.0.1:{receiver.port}/"
            sink = make_sink(WebhookSettings(url=url, ca_file=trusted), Context())
            with pytest.raises(RetryLater, match="certificate refused"):
                sink.deliver(Delivery(alert(0)))
        assert receiver.got == []


def test_a_webhook_with_a_known_certificate_is_served(certificate):
    with Receiver() as receiver:
        receiver.server.socket = server_tls(*certificate).wrap_socket(
            receiver.server.socket, server_side=True
        )
        url = f"https://127.0.0.1:{receiver.port}/"
        make_sink(WebhookSettings(url=url, ca_file=certificate[0]), Context()).deliver(Delivery(alert(0)))
    assert receiver.got[0].json == to_dict(alert(0))


# MQTT.


@needs("mosquitto", "openssl")
def test_mqtt_publishes_alerts_states_and_what_home_assistant_wants(tmp_path, certificate):
    port = free_port()
    status = InstallationStatus(
        {
            "gate": Camera(state="streaming", zones=("yard",), rules=("intrusion",)),
            "door": Camera(state="lost", zones=(), rules=()),
        },
        (alert(0),),
    )
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink = make_sink(mqtt_settings(port, certificate), Context(name="bus", state_dir=tmp_path))
        sink.deliver(Delivery(with_picture(tmp_path)))
        sink.maintain(status)
        body = json.loads(listener.wait("surveil/surveil/gate/alert"))
        assert body == to_dict(with_picture(tmp_path)) | {"event_type": "intrusion"}
        message = listener.heard["surveil/surveil/gate/alert"][0]
        assert message.properties.UserProperty == [("idempotency-key", alert(0).id)]
        assert listener.wait("surveil/surveil/gate/snapshot") == JPEG
        assert listener.wait("surveil/surveil/gate/zone/yard") == b"ON"
        assert listener.wait("surveil/surveil/door/state") == b"lost"
        assert listener.wait("surveil/surveil/status") == b"online"
        event = json.loads(listener.wait("homeassistant/event/surveil_surveil_gate_alert/config"))
        assert event["event_types"] == [
            "intrusion", "intrusion_end", "camera_lost", "camera_lost_end", "digest",
        ]  # fmt: skip
        system = json.loads(listener.wait("homeassistant/event/surveil_surveil_system_alert/config"))
        assert (system["state_topic"], system["event_types"]) == (
            "surveil/surveil/system/alert", ["storage", "storage_end", "digest", "test"],
        )  # fmt: skip
        assert (system["device"]["name"], system["device"]["model"]) == ("system", "daemon")
        assert event["availability_topic"] == "surveil/surveil/status"
        zone = json.loads(listener.wait("homeassistant/binary_sensor/surveil_surveil_gate_zone_yard/config"))
        assert (zone["device_class"], zone["state_topic"]) == ("occupancy", "surveil/surveil/gate/zone/yard")
        sink.close()
        assert listener.wait("surveil/surveil/status", 2) == b"offline"
        listener.close()
        late = Listener(port, certificate)
        assert late.wait("surveil/surveil/gate/state") == b"streaming"  # Retained.
        late.close()


@needs("mosquitto", "openssl")
def test_a_camera_that_left_the_configuration_leaves_the_broker(tmp_path, certificate):
    port = free_port()
    gate = {"gate": Camera(state="streaming", zones=("yard",), rules=("intrusion",))}
    with mosquitto(tmp_path, port, *certificate) as broker:
        sink = make_sink(mqtt_settings(port, certificate), Context(name="bus", state_dir=tmp_path))
        sink.deliver(Delivery(with_picture(tmp_path)))
        sink.maintain(InstallationStatus(gate | {"door": Camera(state="streaming")}))
        broker.send_signal(signal.SIGTERM)
        broker.wait()
    with mosquitto(tmp_path, port, *certificate):
        with pytest.raises(RetryLater):
            sink.maintain(InstallationStatus(gate))
        sink.maintain(InstallationStatus(gate))
        sink.maintain(InstallationStatus({"door": Camera(state="streaming")}))
        sink.maintain(InstallationStatus({"door": Camera(state="streaming")}))
        listener = Listener(port, certificate)
        listener.wait("surveil/surveil/door/state")
        listener.wait("homeassistant/event/surveil_surveil_door_alert/config")
        assert [topic for topic in listener.heard if "gate" in topic] == []
        listener.close()
        sink.close()


@needs("mosquitto", "openssl")
def test_the_last_will_says_offline_when_the_daemon_vanishes(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink = make_sink(mqtt_settings(port, certificate), Context())
        sink.deliver(Delivery(alert(0)))
        assert listener.wait("surveil/surveil/status") == b"online"
        sink._client.socket().close()
        assert listener.wait("surveil/surveil/status", 2) == b"offline"
        listener.close()


def refusal(settings: MqttSettings) -> str:
    """Return why a broker could not be used."""
    sink = make_sink(settings, Context())
    try:
        sink.deliver(Delivery(alert(0)))
    except RetryLater as error:
        return str(error)
    finally:
        sink.close()
    return ""


# Paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@needs("mosquitto", "openssl")
def test_mqtt_says_why_it_cannot(tmp_path, certificate):
    port = free_port()
    place = f"127.0.0.1:{port}"
    other = make_certificate(tmp_path / "other", "elsewhere.example")
    with mosquitto(tmp_path, port, *certificate):
        wrong = refusal(mqtt_settings(port, certificate, password="hunter2"))
        unknown = refusal(mqtt_settings(port, certificate, ca_file=other[0]))
    nobody = refusal(mqtt_settings(port, certificate))
    gc.collect()
    assert wrong == f"{place}: Not authorized"
    assert unknown.startswith(f"{place}: certificate refused: ")
    assert nobody == f"{place}: Connection refused"


@needs("mosquitto", "openssl")
def test_mqtt_goes_on_after_the_broker_was_restarted(tmp_path, certificate):
    port = free_port()
    with mosquitto(tmp_path, port, *certificate):
        sink = make_sink(mqtt_settings(port, certificate), Context())
        sink.deliver(Delivery(alert(0)))
    with pytest.raises(RetryLater):
        sink.deliver(Delivery(alert(1)))
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink.deliver(Delivery(alert(1)))
        assert json.loads(listener.wait("surveil/surveil/gate/alert"))["t"] == 1.0
        listener.close()
        sink.close()


@needs("mosquitto", "openssl")
def test_a_broker_that_goes_away_between_a_message_and_its_acknowledgement_gets_it_again(
    tmp_path, certificate
):
    """The broker stands still when the message leaves, and never goes on: nobody can say whether it has it."""
    port = free_port()
    settings = mqtt_settings(port, certificate, timeout_s=1.0, pictures=False, discovery=False)
    with mosquitto(tmp_path, port, *certificate) as broker:
        sink = make_sink(settings, Context())
        sink.deliver(Delivery(alert(0)))
        broker.send_signal(signal.SIGSTOP)
        with pytest.raises(RetryLater, match="no acknowledgement in 1 s"):
            sink.deliver(Delivery(alert(1)))
        broker.kill()
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink.deliver(Delivery(alert(1)))
        listener.wait("surveil/surveil/gate/alert")
        (message,) = listener.heard["surveil/surveil/gate/alert"]
        assert message.properties.UserProperty == [("idempotency-key", alert(1).id)]
        listener.close()
        sink.close()


def switchable(tmp_path, certificate, port, **changes):
    """A sink beside a daemon's database, with one camera."""
    Outbox.open(tmp_path / "surveil.db", ["bus"], SystemClock()).close()
    settings = mqtt_settings(port, certificate, **changes)
    sink = make_sink(settings, Context(name="bus", state_dir=tmp_path))
    return sink, InstallationStatus(
        {"gate": Camera(state="streaming", zones=(), rules=("intrusion", "parcel"))}
    )


def switches(tmp_path):
    board = ArmingChannel(tmp_path / "surveil.db")
    found = board.read()
    board.close()
    return set(found)


@needs("mosquitto", "openssl")
def test_whoever_may_publish_switches_a_cameras_rules_when_the_file_allows_it(tmp_path, certificate):
    port, topic = free_port(), "surveil/surveil/gate/armed"
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        listener.say(f"{topic}/set", b"OFF", retain=True)  # From another time.
        sink, status = switchable(tmp_path, certificate, port, remote_arming=True)
        sink.maintain(status)
        assert listener.wait(topic) == b"ON"
        switch = json.loads(listener.wait("homeassistant/switch/surveil_surveil_gate_armed/config"))
        assert (switch["state_topic"], switch["command_topic"]) == (topic, f"{topic}/set")
        for other in ("surveil/surveil/nobody/armed/set", "surveil/other/gate/armed/set"):
            listener.say(other, b"OFF")
        listener.say(f"{topic}/set", b"OFF; rm")
        listener.say(f"{topic}/set", b"OFF")
        wait_for(lambda: sink.maintain(status) or switches(tmp_path), "switch")
        assert switches(tmp_path) == {("gate", "intrusion"), ("gate", "parcel")}
        sink.maintain(status)
        assert listener.wait(topic, 2) == b"OFF"
        listener.say(f"{topic}/set", b"ON")
        wait_for(lambda: sink.maintain(status) or not switches(tmp_path), "switch back")
        sink.close()
        listener.close()


@needs("mosquitto", "openssl")
def test_nobody_switches_anything_unless_the_file_allows_it(tmp_path, certificate):
    port, topic = free_port(), "surveil/surveil/gate/armed"
    with mosquitto(tmp_path, port, *certificate):
        listener = Listener(port, certificate)
        sink, status = switchable(tmp_path, certificate, port)
        sink.maintain(status)
        listener.say(f"{topic}/set", b"OFF")
        for n in range(3):
            sink.deliver(Delivery(alert(n)))
            sink.maintain(status)
        listener.wait("surveil/surveil/gate/alert", 3)
        assert switches(tmp_path) == set()
        assert [heard for heard in listener.heard if "armed" in heard and not heard.endswith("/set")] == []
        sink.close()
        listener.close()


def test_a_remote_control_without_a_login_is_refused():
    with pytest.raises(ValidationError, match="remote_arming requires username and password"):
        MqttSettings(host="broker.example", remote_arming=True)


def test_an_mqtt_password_is_not_sent_in_the_clear():
    with pytest.raises(ValidationError, match="must not be sent unencrypted"):
        MqttSettings(host="broker.example", tls=False, username="nvr", password="x")


# Alertmanager.


@needs("prometheus-alertmanager")
@pytest.mark.slow
def test_alertmanager_fires_while_the_event_is_open_and_resolves_at_its_end(tmp_path):
    with Receiver() as hook, alertmanager(tmp_path, hook.url) as url:
        settings = AlertmanagerSettings(url=url, resend_s=1, min_firing_s=0, labels={"severity": "page"})
        now = SystemClock().wall()
        sink = make_sink(settings, Context(instance="nvr1"))
        start = alert(0, t_wall=now)
        sink.deliver(Delivery(start))
        wait_for(lambda: len(hook.got) >= 1, "notification")
        # Open for longer than one post lasts (4 s): only the re-sending keeps it firing.
        seen = len(hook.got)
        for _ in range(11):
            sink.maintain(InstallationStatus(open=(start,)))
            pytest.importorskip("threading").Event().wait(0.5)
        assert all(got.json["status"] == "firing" for got in hook.got[seen:])
        end = alert(0, "end", t_wall=SystemClock().wall(), details={"duration_s": 5.0})
        sink.deliver(Delivery(end))
        wait_for(lambda: hook.got[-1].json["status"] == "resolved", "resolution")
    fired = hook.got[0].json["alerts"][0]
    assert fired["labels"] == {
        "alertname": "intrusion",
        "camera": "gate",
        "rule": "intrusion",
        "key": "yard/person",
        "zone": "yard",
        "object": "person",
        "instance": "nvr1",
        "severity": "page",
    }
    assert fired["annotations"]["event_id"] == start.event_id
    assert hook.got[0].json["groupLabels"] == {"alertname": "intrusion", "camera": "gate"}


def test_what_is_over_at_once_fires_for_longer_than_alertmanager_waits():
    clock = ManualClock(wall=1_700_000_010.0)
    with Receiver() as api:
        settings = AlertmanagerSettings(url=api.url.removesuffix("/hook"))
        make_sink(settings, Context(clock=clock)).deliver(
            Delivery(alert(0, "end", details={"duration_s": 0.0}))
        )
    (entry,) = json.loads(api.got[0].body)
    assert entry["startsAt"] == "2023-11-14T22:13:20.000Z"
    assert entry["endsAt"] == "2023-11-14T22:14:50.000Z"
    assert api.got[0].path == "/api/v2/alerts"


# Mail.


@pytest.mark.parametrize("security", ["starttls", "tls"])
@needs("openssl")
def test_mail_of_one_event_is_one_thread_with_its_picture(tmp_path, certificate, security):
    box = Mailbox()
    with smtp(box, server_tls(*certificate), security) as port:
        sink = make_sink(mail_settings(port, certificate, security), Context(state_dir=tmp_path))
        sink.deliver(Delivery(with_picture(tmp_path)))
        sink.deliver(Delivery(alert(0, "end")))
    start, end = (email.message_from_bytes(raw, policy=email.policy.default) for raw in box.messages)
    assert box.logins[0] == (b"nvr", b"s3cret")
    assert start["Subject"] == "[gate] intrusion: person in yard"
    assert end["Subject"] == "Re: [gate] intrusion: person in yard"
    assert end["References"] == end["In-Reply-To"] == start["Message-ID"]
    assert start["Message-ID"] != end["Message-ID"]
    assert start["Idempotency-Key"] == alert(0).id
    (attached,) = start.iter_attachments()
    assert (attached.get_content(), attached.get_content_type()) == (JPEG, "image/jpeg")
    assert "person in yard" in start.get_body().get_content()


@needs("openssl")
@pytest.mark.parametrize(
    ("answers", "error"),
    [(("451 greylisted",), RetryLater), (("554 no",), Rejected), (("421 busy",), RetryLater)],
)
def test_the_mail_servers_answer_decides(certificate, answers, error):
    box = Mailbox(answers)
    with smtp(box, server_tls(*certificate), "tls") as port:
        sink = make_sink(mail_settings(port, certificate, "tls"), Context())
        with pytest.raises(error, match=f"SMTP {answers[0][:3]}"):
            sink.deliver(Delivery(alert(0)))
        sink.deliver(Delivery(alert(0)))
    assert len(box.messages) == 1


@needs("openssl")
def test_a_wrong_password_waits_for_the_operator_and_is_not_told(certificate):
    with smtp(Mailbox(), server_tls(*certificate), "tls") as port:
        sink = make_sink(mail_settings(port, certificate, "tls", password="hunter2"), Context())
        with pytest.raises(RetryLater, match="login refused") as caught:
            sink.deliver(Delivery(alert(0)))
    assert "hunter2" not in str(caught.value)


@needs("openssl")
def test_no_mail_goes_to_a_server_with_a_certificate_that_is_not_known(certificate):
    box = Mailbox()
    with smtp(box, server_tls(*certificate), "tls") as port:
        sink = make_sink(mail_settings(port, certificate, "tls", ca_file=None), Context())
        with pytest.raises(RetryLater, match="certificate refused"):
            sink.deliver(Delivery(alert(0)))
    assert box.messages == []


# Apprise.


def test_apprise_sends_title_text_and_id(apprise_threads):
    with Receiver() as receiver:
        sink = make_sink(AppriseSettings(url=f"json://me:hunter2@127.0.0.1:{receiver.port}/x"), Context())
        sink.deliver(Delivery(alert(0)))
    got = receiver.got[0].json
    assert got["title"] == "gate: intrusion"
    assert got["message"].splitlines() == ["person in yard", local_and_utc(alert(0).t_wall), alert(0).id]


def test_a_service_of_html_gets_names_and_line_ends_as_they_are(apprise_threads):
    with Receiver() as receiver:
        settings = AppriseSettings(url=f"json://127.0.0.1:{receiver.port}/x?format=html")
        make_sink(settings, Context()).deliver(Delivery(alert(0, text="person in <yard> & garden")))
    text, _, rest = receiver.got[0].json["message"].partition("<br/>")
    assert html.unescape(text).replace("\N{NO-BREAK SPACE}", " ") == "person in <yard> & garden"
    assert "<yard>" not in text
    assert rest.count("<br/>") >= 1


def test_apprise_tries_without_the_picture_what_a_service_refuses_with_it(tmp_path, apprise_threads):
    def answer(got):
        return (500 if got.json["attachments"] else 200), {}

    with Receiver(answer=answer) as receiver:
        settings = AppriseSettings(url=f"json://127.0.0.1:{receiver.port}/x")
        sink = make_sink(settings, Context(state_dir=tmp_path))
        tries = []
        for attempts in range(4):
            try:
                sink.deliver(Delivery(with_picture(tmp_path), attempts=attempts))
                tries.append("taken")
            except RetryLater:
                tries.append("refused")
    assert tries == ["refused", "refused", "refused", "taken"]


def test_a_service_that_refuses_is_tried_again_and_its_url_is_not_told(apprise_threads, caplog, capfd):
    with Receiver(answer=lambda _got: (500, {})) as receiver:
        sink = make_sink(AppriseSettings(url=f"json://me:hunter2@127.0.0.1:{receiver.port}/x"), Context())
        with pytest.raises(RetryLater, match="the json service did not accept the message") as caught:
            sink.deliver(Delivery(alert(0)))
    told = str(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert "hunter2" not in told


def test_a_url_that_apprise_does_not_understand_is_a_mistake_in_the_configuration():
    package("apprise")
    with pytest.raises(ValidationError, match="Apprise does not understand this nope:// URL") as caught:
        AppriseSettings(url="nope://hunter2")
    assert "hunter2" not in caught.value.errors()[0]["msg"]


# Grafana, against its documented contract.


def test_grafana_has_one_annotation_for_each_event_however_often_it_is_delivered(tmp_path):
    grafana = Grafana()
    with Receiver(answer=grafana) as api:
        settings = GrafanaSettings(
            url=api.url.removesuffix("/hook"), token="t0ken", picture_base_url="https://nvr.example"
        )
        sink = make_sink(settings, Context(instance="nvr1"))
        for a in (with_picture(tmp_path), with_picture(tmp_path), alert(0, "end", t_wall=1_700_000_009.5)):
            sink.deliver(Delivery(a))
        sink.deliver(Delivery(alert(1, "end", t_wall=1_700_000_020.0, details={"duration_s": 4.0})))
    whole, late = grafana.annotations
    assert whole == {
        "id": 1,
        "time": 1_700_000_000_000,
        "timeEnd": 1_700_000_009_500,
        "tags": ["surveil", "camera:gate", "rule:intrusion", "instance:nvr1", f"event:{alert(0).event_id}"],
        "text": 'gate: person in yard <a href="https://nvr.example/a.jpg">picture</a>',
    }
    assert (late["time"], late["timeEnd"]) == (1_700_000_016_000, 1_700_000_020_000)


def test_a_wrong_grafana_token_waits_for_the_operator():
    with Receiver(answer=Grafana()) as api:
        sink = make_sink(GrafanaSettings(url=api.url.removesuffix("/hook"), token="hunter2"), Context())
        with pytest.raises(RetryLater, match="HTTP 401") as caught:
            sink.deliver(Delivery(alert(0)))
    assert "hunter2" not in str(caught.value)
