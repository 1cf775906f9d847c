"""Mail: who gets it, what a refusal means, and how the server is greeted."""

from __future__ import annotations

import random
import socket

import pytest
from pydantic import ValidationError

from surveil.alerts.admin import check, list_alerts, retry
from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.email import EmailSettings, EmailSink
from surveil.errors import PartlyRejected, Rejected, RetryLater

from .helpers import alert
from .mailserver import MailServer

pytestmark = pytest.mark.rig

FIRST, SECOND = "first@example.org", "second@example.org"


def settings(port: int, **changes: object) -> EmailSettings:
    values = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "nvr@example.org"}
    return EmailSettings(**(values | {"recipients": [FIRST, SECOND]} | changes))


def mail(server: MailServer, context: Context | None = None, **changes: object) -> EmailSink:
    return make_sink(settings(server.port, **changes), context or Context())


def for_second(answer: str):
    return lambda line: answer if "second" in line else "250 ok"


# Recipients.


def test_a_recipient_that_is_greylisted_gets_the_mail_later_and_the_other_gets_it_once():
    with MailServer({"RCPT": for_second("451 4.7.1 greylisted, try again")}) as server:
        sink = mail(server)
        for _ in range(2):
            with pytest.raises(RetryLater, match=r"SMTP 451 .*second@example.org.* 1 of 2") as caught:
                sink.deliver(Delivery(alert(0)))
            assert caught.value.suspect
        server.answers.clear()
        sink.deliver(Delivery(alert(0)))
        sink.deliver(Delivery(alert(1)))
    assert [to for to, _ in server.mails] == [[FIRST], [SECOND], [FIRST, SECOND]]


@pytest.mark.parametrize("refused", ["first", "second", "third"])
def test_a_server_that_leaves_in_the_middle_of_the_recipients_has_mailed_none(refused):
    third = "third@example.org"
    with MailServer(
        {"RCPT": lambda line: "421 4.3.2 shutting down" if refused in line else "250 ok"}
    ) as server:
        sink = mail(server, recipients=[FIRST, SECOND, third])
        with pytest.raises(RetryLater, match="SMTP 421") as caught:
            sink.deliver(Delivery(alert(0)))
        assert "have the message" not in str(caught.value)
        server.answers.clear()
        sink.deliver(Delivery(alert(0)))
    assert [to for to, _ in server.mails] == [[FIRST, SECOND, third]]


def test_who_does_not_exist_is_final_though_the_server_leaves_then():
    def answer(line: str) -> str:
        return "550 5.1.1 no such user" if "first" in line else "421 4.7.0 too many errors"

    with MailServer({"RCPT": answer}) as server:
        sink = mail(server)
        with pytest.raises(RetryLater, match=r"421 4\.7\.0"):
            sink.deliver(Delivery(alert(0)))
        server.answers.clear()
        with pytest.raises(PartlyRejected, match=r"first@example\.org"):
            sink.deliver(Delivery(alert(0)))
    assert [to for to, _ in server.mails] == [[SECOND]]


def test_a_recipient_that_does_not_exist_is_not_passed_over():
    with MailServer({"RCPT": for_second("550 5.1.1 no such user")}) as server:
        with pytest.raises(PartlyRejected, match=r"SMTP 550 5.1.1 no such user \(to second@example.org\)"):
            mail(server).deliver(Delivery(alert(0)))
        with pytest.raises(Rejected) as caught:
            mail(server, recipients=[SECOND]).deliver(Delivery(alert(0)))
    assert type(caught.value) is Rejected
    assert [to for to, _ in server.mails] == [[FIRST]]


def test_who_never_gets_it_is_told_when_the_last_of_the_others_has_it():
    def answer(line: str) -> str:
        return "550 5.1.1 unknown" if "third" in line else for_second(later)(line)

    later = "450 later"
    with MailServer({"RCPT": answer}) as server:
        sink = mail(server, recipients=[FIRST, SECOND, "third@example.org"])
        with pytest.raises(RetryLater, match="2 of 3"):
            sink.deliver(Delivery(alert(0)))
        later = "250 ok"
        with pytest.raises(PartlyRejected, match=r"third@example\.org"):
            sink.deliver(Delivery(alert(0)))
    assert [to for to, _ in server.mails] == [[FIRST], [SECOND]]


def test_an_end_reaches_those_who_have_the_start_and_the_books_balance(tmp_path, clock):
    outbox = Outbox.open(tmp_path / "surveil.db", ["mail"], clock)
    outbox.committer.commit([alert(0), alert(0, "end")])
    with MailServer({"RCPT": for_second("550 5.1.1 no such user")}) as server:
        courier = Courier("mail", mail(server), outbox, clock, OutboxSettings(), rng=random.Random(1))
        for _ in range(4):
            courier.run_once()
        outbox.committer.commit([alert(1)])
        courier.run_once()
        outbox.committer.commit([alert(1, "end")])
        courier.run_once()
        assert outbox.queue.counts()["mail"] == {"pending": 0, "delivered": 0, "dead": 4}
        assert [to for to, _ in server.mails] == [[FIRST]] * 4
        assert {one.sinks[0].reason for one in list_alerts(tmp_path / "surveil.db")} == {"partial"}
        server.answers.clear()
        outbox.committer.commit([alert(2)])
        courier.run_once()
        retry(tmp_path / "surveil.db", prefixes=(alert(0).id,))
        assert check(tmp_path / "surveil.db").problems == ()
        courier.run_once()
        courier.run_once()
    assert outbox.queue.counts()["mail"] == {"pending": 0, "delivered": 3, "dead": 2}
    assert check(tmp_path / "surveil.db").problems == ()
    outbox.close()


def test_a_mailbox_that_stays_full_delays_no_alert_to_the_others(tmp_path, clock):
    outbox = Outbox.open(tmp_path / "surveil.db", ["mail"], clock)
    with MailServer({"RCPT": for_second("452 4.2.2 mailbox full")}) as server:
        courier = Courier("mail", mail(server), outbox, clock, OutboxSettings(), rng=random.Random(1))
        for n in range(8):
            outbox.committer.commit([alert(n)])
            assert courier.run_once()
            assert len(server.mails) == n + 1
            assert not courier.run_once()
            clock.advance(courier.waits_s())
            assert courier.run_once()
        pause_s = courier.waits_s()
        assert pause_s > 200
        server.answers = {"MAIL": "451 4.3.0 down"}
        outbox.committer.commit([alert(9)])
        assert courier.run_once()
        outbox.committer.commit([alert(10)])
        assert not courier.run_once()
        server.answers.clear()
        for _ in range(12):
            clock.advance(courier.waits_s())
            courier.run_once()
    assert outbox.queue.counts()["mail"] == {"pending": 0, "delivered": 10, "dead": 0}
    assert [to for to, _ in server.mails].count([FIRST]) == 8
    outbox.close()


@pytest.mark.parametrize(
    "recipients",
    [
        "first@example.org, second@example.org",
        ["first@example.org, second@example.org"],
        ["first@example.org ,second@example.org", FIRST],
    ],
)
def test_addresses_in_one_text_are_all_recipients(recipients):
    with MailServer() as server:
        mail(server, recipients=recipients).deliver(Delivery(alert(0)))
    ((to, text),) = server.mails
    assert to == [FIRST, SECOND]
    assert f"To: {FIRST}, {SECOND}\r\n" in text


def test_names_in_addresses_may_have_any_characters():
    with MailServer() as server:
        recipients = ['"Müller, Anna" <first@example.org>', "Wächter <second@example.org>"]
        mail(server, sender="Hof Überwachung <nvr@example.org>", recipients=recipients).deliver(
            Delivery(alert(0))
        )
    assert server.mails[0][0] == [FIRST, SECOND]
    assert any(line.upper().startswith("MAIL FROM:<NVR@EXAMPLE.ORG>") for line in server.said)


@pytest.mark.parametrize(
    "entry",
    ["a@x;b@x", "", " ", "a@x\nBcc: b@x", "a b@x", "Müller, Anna <a@x>", "@x", "a@", "<>", "a@x@y"],
)
def test_an_entry_that_is_no_address_is_refused(entry):
    with pytest.raises(ValidationError):
        settings(25, recipients=[entry])
    with pytest.raises(ValidationError):
        settings(25, sender=entry)


def test_the_sender_is_one_address():
    with pytest.raises(ValidationError, match="has 2 addresses: write one entry per address"):
        settings(25, sender="a@x, b@x")


def test_an_address_beyond_ascii_says_what_the_server_lacks_and_the_others_get_the_mail():
    def sink_of(server):
        return mail(server, recipients=["wächter@example.org", SECOND])

    with MailServer() as server:
        with pytest.raises(RetryLater, match="SMTPUTF8"):
            mail(server, recipients=["wächter@example.org"]).deliver(Delivery(alert(0)))
        assert not server.mails
        sink = sink_of(server)
        with pytest.raises(RetryLater, match="1 of 2 recipients have the message"):
            sink.deliver(Delivery(alert(0)))
        with pytest.raises(RetryLater, match="wächter"):
            sink.probe()
    assert [to for to, _ in server.mails] == [[SECOND]]
    with MailServer(extensions=("SMTPUTF8",)) as server:
        assert sink_of(server).probe() == "connected"
        sink_of(server).deliver(Delivery(alert(0)))
    assert [to for to, _ in server.mails] == [["wächter@example.org", SECOND]]


# What a refusal means.


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("BANNER", "554 no service for you"),
        ("BANNER", "421 too busy"),
        ("EHLO", "550 go away"),
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "550 5.7.60 sender not allowed"),
        ("MAIL", "553 5.7.1 sender address rejected: not owned by user"),
        ("MAIL", "554 5.7.1 no"),
        ("MAIL", "501 5.1.7 bad sender"),
        ("MAIL", "452 4.3.1 Insufficient system storage"),
        ("RCPT", "504 5.5.2 <nvr>: Helo command rejected: need fully-qualified hostname"),
        ("RCPT", "554 5.7.1 <a@b>: Relay access denied"),
        ("RCPT", "550 5.7.1 Unable to relay"),
        ("RCPT", "550 relay not permitted"),
        ("RCPT", "550 authentication required"),
        ("RCPT", "550 5.7.1 Client host rejected"),
        ("RCPT", "530 5.7.1 Client was not authenticated"),
        ("RCPT", "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
        ("RCPT", "550 Administrative prohibition"),
        ("RCPT", "550 5.4.1 Recipient address rejected: Access denied"),
        ("RCPT", "550 spam"),
        ("RCPT", "550 Reverse DNS lookup of an unknown sending host failed"),
        ("RCPT", "551 not here"),
        ("RCPT", "550"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("RCPT", "550 5.2.2 over quota"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "503 5.5.1 need MAIL"),
        ("DATA", "451 try later"),
        ("DATA", "554 5.5.1 no valid recipients"),
        ("MESSAGE", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
        ("MESSAGE", "554 5.7.1 relay access denied"),
        ("MESSAGE", "552 5.3.4 message too big"),
        ("MESSAGE", "554 Your account was suspended"),
        ("MESSAGE", "550 sending volume exceeded"),
        ("MESSAGE", "554 no PTR record for 192.0.2.7"),
        ("MESSAGE", "554 transaction failed (#5.3.0)"),
        ("MESSAGE", "550 5.7.26 unauthenticated email: SPF did not pass"),
        ("MESSAGE", "451 4.3.0 later"),
    ],
)
def test_what_the_operator_can_correct_is_tried_again(verb, answer):
    both = {"EHLO": answer, "HELO": answer} if verb == "EHLO" else {verb: answer}
    with MailServer(both) as server:
        with pytest.raises(RetryLater, match=f"SMTP {answer[:3]}"):
            mail(server).deliver(Delivery(alert(0)))
        server.answers.clear()
        mail(server).deliver(Delivery(alert(0)))
        assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("RCPT", "550 5.1.1 <a@b>: Recipient address rejected: User unknown in local recipient table"),
        ("RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup"),
        ("RCPT", "550 no such user"),
        ("RCPT", "550 Unrouteable address"),
        ("RCPT", "550 5.1.1 The email account that you tried to reach does not exist"),
        ("RCPT", "550 sorry, no mailbox here by that name (#5.1.1)"),
        ("RCPT", "550 mailbox <a@b> not found"),
        ("RCPT", "553 5.1.3 bad address syntax"),
        ("MESSAGE", "554 5.7.1 looks like spam"),
        ("MESSAGE", "554 no"),
        ("MESSAGE", "550 5.6.0 malformed message"),
    ],
)
def test_what_can_never_be_taken_is_final(verb, answer):
    with MailServer({verb: answer}) as server, pytest.raises(Rejected, match=f"SMTP {answer[:3]}"):
        mail(server).deliver(Delivery(alert(0)))


@pytest.mark.parametrize("farewell", ["", "421 bye", "500 what", "no number"])
def test_a_server_that_hangs_up_after_taking_the_mail_does_not_get_it_again(farewell):
    with MailServer({"QUIT": farewell}) as server:
        sink = mail(server)
        sink.deliver(Delivery(alert(0)))
        assert sink.probe() == "connected"
    assert len(server.mails) == 1


def test_the_probe_finds_what_would_refuse_every_mail_and_sends_none():
    with MailServer() as server:
        assert mail(server).probe() == "connected"
        server.answers = {"RCPT": for_second("554 5.7.1 relay access denied")}
        with pytest.raises(RetryLater, match=r"relay access denied \(to second@example.org\)"):
            mail(server).probe()
        server.answers = {"RCPT": for_second("450 greylisted")}
        assert mail(server).probe() == "connected; for now SMTP 450 greylisted (to second@example.org)"
        server.answers = {"MAIL": "550 5.7.60 sender not allowed"}
        with pytest.raises(RetryLater, match="sender not allowed"):
            mail(server).probe()
    assert "DATA" not in server.said


# Pictures.


def with_picture(folder, n: int = 0):
    (folder / "a.jpg").write_bytes(b"\xff\xd8" + bytes(60_000))
    return alert(n, evidence={"snapshot": "a.jpg"})


@pytest.mark.parametrize("verb", ["MAIL", "MESSAGE"])
def test_a_message_that_is_too_large_goes_without_its_picture(tmp_path, verb):
    def answer(text: str) -> str:
        size = int(text.partition("size=")[2] or 0) if verb == "MAIL" else len(text)
        return "552 5.3.4 message size exceeds fixed limit" if size > 20_000 else "250 ok"

    with MailServer({verb: answer}, ("SIZE",)) as server:
        mail(server, Context(state_dir=tmp_path)).deliver(Delivery(with_picture(tmp_path)))
    ((_, text),) = server.mails
    assert "The picture (60002 bytes) was omitted" in text


def test_an_announced_size_is_heeded(tmp_path):
    with MailServer(extensions=("SIZE 20000",)) as server:
        mail(server, Context(state_dir=tmp_path)).deliver(Delivery(with_picture(tmp_path)))
    assert "was omitted" in server.mails[0][1]


@pytest.mark.parametrize("size", ["0", "", "²", "-1", "9" * 40])
def test_an_odd_size_is_no_limit(tmp_path, size):
    with MailServer(extensions=(f"SIZE {size}",)) as server:
        mail(server, Context(state_dir=tmp_path)).deliver(Delivery(with_picture(tmp_path)))
    assert "was omitted" not in server.mails[0][1]


def test_a_server_that_closes_on_a_large_message_gets_it_without_the_picture(tmp_path):
    with MailServer({"MESSAGE": lambda text: "" if len(text) > 20_000 else "250 ok"}) as server:
        sink = mail(server, Context(state_dir=tmp_path))
        for _ in range(2):
            with pytest.raises(RetryLater, match="closed the connection") as caught:
                sink.deliver(Delivery(with_picture(tmp_path)))
            assert caught.value.suspect
        sink.deliver(Delivery(with_picture(tmp_path)))
    assert "was omitted" in server.mails[0][1]


def test_a_server_that_says_nothing_is_not_said_to_have_closed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        sink = make_sink(settings(port, timeout_s=0.3), Context(state_dir=tmp_path))
        with pytest.raises(RetryLater, match=r"no answer in 0\.3 s") as caught:
            sink.deliver(Delivery(alert(0)))
    assert not caught.value.suspect
