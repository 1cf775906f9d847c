from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from pathlib import Path
from typing import Self

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.http import retry_after
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks import SINKS, make_sink
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.alerts.sinks.log import LogSinkSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.clock import Stop
from surveil.errors import Rejected, RetryLater

from .helpers import Receiver, alert

pytestmark = pytest.mark.rig


def deliver(settings: object, a: object = None, **context: object) -> None:
    sink = make_sink(settings, Context(name="ops", **context))
    try:
        sink.deliver(Delivery(a or alert(0)))
    finally:
        sink.close()


def webhook(url: str, **more: object) -> WebhookSettings:
    return WebhookSettings(url=url, **more)


@pytest.mark.parametrize("kind", SINKS)
def test_every_sink_is_registered_under_its_type_and_documents_each_field(kind):
    settings = SINKS[kind].settings
    assert settings.model_fields["type"].default == kind
    assert all(field.description for field in settings.model_fields.values())


def test_the_log_sink_writes_one_line():
    with capture_logs() as lines:
        deliver(LogSinkSettings())
    assert [line["event"] for line in lines] == ["person in yard"]
    assert lines[0]["camera"] == "gate"


def test_the_file_sink_appends_one_json_line(tmp_path):
    for n in range(2):
        deliver(FileSinkSettings(path="alerts.jsonl"), alert(n), state_dir=tmp_path)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [to_dict(alert(n)) for n in range(2)]


@pytest.mark.parametrize("torn", [b'{"id": "half', b"x" * 200_000])
def test_a_line_that_a_crash_cut_short_is_removed(tmp_path, torn):
    deliver(FileSinkSettings(path="alerts.jsonl"), alert(0), state_dir=tmp_path)
    with (tmp_path / "alerts.jsonl").open("ab") as file:
        file.write(torn)
    deliver(FileSinkSettings(path="alerts.jsonl"), alert(1), state_dir=tmp_path)
    lines = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["t"] for line in lines] == [0.0, 1.0]


@pytest.mark.parametrize("there", [b"notes", b"notes\n", b'{"other": 1}\n{"other": 2}'])
def test_what_others_wrote_into_the_file_stays(tmp_path, there):
    (tmp_path / "alerts.jsonl").write_bytes(there)
    for n in range(2):
        deliver(FileSinkSettings(path="alerts.jsonl"), alert(n), state_dir=tmp_path)
    *before, first, second = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    assert before == there.splitlines()
    assert [json.loads(line)["t"] for line in (first, second)] == [0.0, 1.0]


def test_a_rotated_file_is_made_anew(tmp_path):
    sink = make_sink(FileSinkSettings(path="alerts.jsonl"), Context(state_dir=tmp_path))
    sink.deliver(Delivery(alert(0)))
    (tmp_path / "alerts.jsonl").rename(tmp_path / "alerts.jsonl.1")
    sink.deliver(Delivery(alert(1)))
    sink.close()
    assert len((tmp_path / "alerts.jsonl").read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_tried_again_later(tmp_path):
    (tmp_path / "alerts.jsonl").mkdir()
    with pytest.raises(RetryLater, match="Is a directory"):
        deliver(FileSinkSettings(path="alerts.jsonl"), state_dir=tmp_path)


def test_the_webhook_posts_the_alert_under_its_id():
    with Receiver() as receiver:
        deliver(webhook(receiver.url))
    got = receiver.got[0]
    assert got.headers["Idempotency-Key"] == alert(0).id
    assert got.headers["Content-Type"] == "application/json"
    assert got.json == to_dict(alert(0))
    assert "Authorization" not in got.headers


def test_user_and_password_of_the_url_become_a_header_and_appear_nowhere_else():
    with Receiver() as receiver:
        settings = webhook(receiver.url.replace("//", "//me:hunter%202@"))
        deliver(settings)
    assert receiver.got[0].headers["Authorization"] == "Basic bWU6aHVudGVyIDI="
    assert receiver.got[0].headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert "hunter" not in repr(settings)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (302, Rejected),
        (400, Rejected),
        (401, RetryLater),
        (404, Rejected),
        (408, RetryLater),
        (410, Rejected),
        (422, Rejected),
        (429, RetryLater),
        (500, RetryLater),
        (503, RetryLater),
    ],
)
def test_the_status_decides_what_becomes_of_an_alert(status, error):
    with Receiver(answer=lambda _got: (status, {"Retry-After": "7"})) as receiver:
        if error is None:
            deliver(webhook(receiver.url))
            return
        with pytest.raises(error, match=f"HTTP {status}") as caught:
            deliver(webhook(receiver.url))
    if error is RetryLater:
        assert caught.value.after_s == 7
        assert caught.value.suspect is (status == 500)


def test_nobody_there_is_tried_again_later_and_the_password_is_not_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RetryLater) as caught:
        deliver(webhook(f"http://me:hunter2@127.0.0.1:{port}/token-in-path"))
    assert str(caught.value) == f"127.0.0.1:{port}: Connection refused"


class Slow:
    """A receiver that answers one byte at a time, never finishing; `talk` False: never says anything."""

    def __init__(self, *, talk: bool) -> None:
        self.talk = talk
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X" * 10_000:
                if self.over.wait(0.05):
                    return
                if self.talk:
                    try:
                        connection.send(bytes([byte]))
                    except OSError:
                        return

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.over.set()
        self.thread.join()
        self.listener.close()


@pytest.mark.parametrize("talk", [True, False])
def test_a_receiver_that_drips_its_answer_holds_the_courier_no_longer_than_the_timeout(talk):
    with Slow(talk=talk) as slow, pytest.raises(RetryLater, match=r"no answer in 0\.4 s"):
        deliver(webhook(slow.url, timeout_s=0.4))


def test_a_delivery_under_way_ends_soon_after_the_stop():
    stop = Stop()
    stop.set()
    with Slow(talk=True) as slow, pytest.raises(RetryLater):
        deliver(webhook(slow.url, timeout_s=60), stop=stop)


@pytest.mark.parametrize("answer", [b"\x00\xff garbage\r\n\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"])
def test_nonsense_from_a_receiver_is_tried_again_later(answer):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(RetryLater):
        deliver(webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    thread.join()
    listener.close()


def test_a_receiver_that_answers_twice_has_taken_the_alert_once():
    listener = socket.create_server(("127.0.0.1", 0))
    asked = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2)

    thread = threading.Thread(target=serve)
    thread.start()
    deliver(webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    thread.join()
    listener.close()
    assert len(asked) == 1


def test_the_signature_is_the_hmac_of_the_body():
    with Receiver() as receiver:
        deliver(webhook(receiver.url, secret="s3cret", headers={"X-Team": "yard"}))
    got = receiver.got[0]
    expected = hmac.new(b"s3cret", got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Surveil-Signature"] == f"sha256={expected}"
    assert got.headers["X-Team"] == "yard"


def test_a_body_of_named_fields_replaces_the_alert():
    body = {"title": "{camera}: {text}!", "box": "{box}", "link": "{picture}", "plain": "100 %"}
    a = alert(0, evidence={"snapshot": "evidence/gate/a b.jpg"})
    with Receiver() as receiver:
        deliver(webhook(receiver.url, body=body, picture_base_url="https://nvr.example/p/"), a)
    assert receiver.got[0].json == {
        "title": "gate: person in yard!",
        "box": [100.0, 60.0, 180.0, 300.0],
        "link": "https://nvr.example/p/evidence/gate/a%20b.jpg",
        "plain": "100 %",
    }


def test_a_template_cannot_name_what_does_not_exist():
    with pytest.raises(ValidationError, match="unknown field 'camra'"):
        webhook("http://h/", body={"a": "{camra}"})


def test_the_picture_can_be_a_link_beside_the_alert():
    a = alert(0, evidence={"snapshot": "evidence/gate/a b.jpg"})
    with Receiver() as receiver:
        deliver(webhook(receiver.url, picture="link", picture_base_url="https://nvr.example"), a)
    assert receiver.got[0].json == to_dict(a) | {"picture": "https://nvr.example/evidence/gate/a%20b.jpg"}
    with pytest.raises(ValidationError, match="requires `picture_base_url`"):
        webhook("http://h/", picture="link")


def test_the_picture_can_be_sent_along(tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8jpeg\xff\xd9")
    a = alert(0, evidence={"snapshot": "a.jpg"})
    with Receiver() as receiver:
        deliver(webhook(receiver.url, picture="multipart"), a, state_dir=tmp_path)
        deliver(webhook(receiver.url, picture="multipart"), alert(1), state_dir=tmp_path)
    got, without = receiver.got
    assert got.headers["Content-Type"] == f"multipart/form-data; boundary={a.id}"
    assert b'name="alert"\r\nContent-Type: application/json\r\n\r\n{"schema": 1' in got.body
    assert (
        b'name="picture"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8jpeg\xff\xd9\r\n'
        in got.body
    )
    assert without.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("url", ["ftp://h/", "http:///x", "nonsense"])
def test_a_url_that_cannot_work_is_refused_at_once(url):
    with pytest.raises(ValidationError, match="must be an http"):
        webhook(url)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 21:14:20 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert retry_after(value, 1_700_000_000.0) == seconds
