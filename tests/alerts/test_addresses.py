"""What can never be sent is a mistake of the file, told without the value."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.alerts.sinks.email import EmailSettings
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.sinks.mqtt import MqttSettings
from surveil.alerts.sinks.webhook import WebhookSettings

from .helpers import Receiver, alert

pytestmark = pytest.mark.rig


def refusal(make, **settings) -> str:
    with pytest.raises(ValidationError) as caught:
        make(**settings)
    assert "s3cret" not in str([error["msg"] for error in caught.value.errors()])
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://h:99999/", "port from 1 to 65535"),
        ("http://h:0/", "from 1 to 65535"),
        ("http://h:abc/", "port from 1 to 65535"),
        ("http://h:²/", "port from 1 to 65535"),
        ("http://[::1/", "must be a URL"),
        ("http://h/türöffner", "write %C3%BC instead"),
        ("http://h/my hook", "write %20 instead"),
        ("http://h/?q=🚨", "write %F0%9F%9A%A8 instead"),
        ("http://h/50%", "write %25"),
        ("http://h/s3cret\n", "line end"),
        ("http://h/\x01", "control character"),
        ("http://h/\0", "control character"),
        ("http://h/#s3cret", "%23"),
        ("http://me:s3cret#x@h/", "%23"),
        ("http://me:s3crät@h/", "write %C3%A4 instead"),
        ("http://a..b/", "labels"),
        ("http://./", "labels"),
        ("http://" + "a" * 64 + ".example/", "labels"),
        ("http://-h/", "labels"),
        ("rtsp://h/", "must be an http"),
    ],
)
@pytest.mark.parametrize("kind", ["webhook", "alertmanager", "grafana"])
def test_an_address_that_can_never_work_is_refused_with_the_remedy(kind, url, remedy):
    make = {
        "webhook": WebhookSettings,
        "alertmanager": AlertmanagerSettings,
        "grafana": lambda url: GrafanaSettings(url=url, token="t"),
    }[kind]
    assert remedy in refusal(make, url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/hook",
        "https://[::1]:8443/x?y=z&a=%20",
        "http://us%40er:p%3Ass@h/x",
        "http://überwachung.example/",
        "http://my_container:9093",
        "http://h.example./",
    ],
)
def test_addresses_that_work_are_taken(url):
    assert WebhookSettings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    ("headers", "remedy"),
    [
        ({"Authorization": "Bearer s3cret\n"}, "has a line end"),
        ({"Authorization": "Bearer s3cret\r\nX: y"}, "has a line end"),
        ({"Title": "🚨 Hof"}, "not ASCII"),
        ({"Title": "Tür"}, "not ASCII"),
        ({"Title": "a\0b"}, "control character"),
        ({"X A": "b"}, "not a header name"),
        ({"Tür": "b"}, "not a header name"),
        ({"": "b"}, "not a header name"),
        ({"X:": "b"}, "not a header name"),
        ({"content-length": "1"}, "belongs to the request"),
        ({"Host": "elsewhere"}, "belongs to the request"),
        ({"X-A": "1", "x-a": "2"}, "given twice"),
    ],
)
def test_a_header_that_can_never_be_sent_is_refused(headers, remedy):
    assert remedy in refusal(WebhookSettings, url="http://h/", headers=headers)


def test_a_token_that_ends_in_a_line_end_is_refused():
    assert "line end" in refusal(GrafanaSettings, url="http://h/", token="s3cret\n")


@pytest.mark.parametrize("base", ["nvr.example", "http://nvr example/", "https://nvr/?x=", "https://nvr/ü"])
def test_a_base_url_that_makes_no_links_is_refused(base):
    refusal(AlertmanagerSettings, url="http://h/", picture_base_url=base)
    refusal(GrafanaSettings, url="http://h/", token="t", picture_base_url=base)
    refusal(WebhookSettings, url="http://h/", picture_base_url=base)


@pytest.mark.parametrize("label", ["bad-label", "1st", "a b", "ort.hof", "ä", ""])
def test_a_label_that_alertmanager_refuses_is_refused(label):
    assert "not a label name" in refusal(AlertmanagerSettings, url="http://h/", labels={label: "x"})


@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        ("mqtt://broker:1883", "without a scheme"),
        ("smtps://mail", "without a scheme"),
        ("broker:1883", "give the port as `port`"),
        ("bro ker", "labels"),
        ("broker/x", "labels"),
        ("a..b", "labels"),
        (".", "labels"),
        ("x" * 64, "labels"),
        ("broker\n", "labels"),
        ("", "1 character"),
    ],
)
def test_a_host_that_is_none_is_refused(host, remedy):
    assert remedy in refusal(MqttSettings, host=host) or host == ""
    assert remedy in refusal(EmailSettings, host=host, sender="a@b", recipients=["a@b"]) or host == ""


def test_hosts_that_work_are_taken():
    for host in ("broker.example", "localhost", "192.0.2.1", "::1", "my_broker", "bücher.example"):
        assert MqttSettings(host=host).host == host
    assert MqttSettings(host="[::1]").host == "::1"


@pytest.mark.parametrize("topic", ["", "/", "a#", "+/x", "a\0b", "a\n", "$SYS"])
def test_a_topic_that_cannot_be_published_is_refused(topic):
    refusal(MqttSettings, host="h", prefix=topic)
    refusal(MqttSettings, host="h", discovery_prefix=topic)


@pytest.mark.rig
def test_headers_of_the_file_win_over_ours_whatever_their_case():
    with Receiver() as receiver:
        headers = {"content-type": "application/x-foo", "user-agent": "mine", "authorization": "Bearer t"}
        settings = WebhookSettings(url=receiver.url.replace("//", "//me:pw@"), headers=headers)
        make_sink(settings, Context()).deliver(Delivery(alert(0)))
    sent = [(k.lower(), v) for k, v in receiver.got[0].headers.items()]
    assert sorted(sent).count(("content-type", "application/x-foo")) == 1
    for name, value in headers.items():
        assert [v for k, v in sent if k == name] == [value]


def test_a_host_that_is_not_ascii_is_named_as_the_dns_has_it():
    from urllib.parse import urlsplit

    from surveil.alerts.http import _host_header

    assert _host_header(urlsplit("http://me:pw@bücher.example:80/")) == "xn--bcher-kva.example:80"
