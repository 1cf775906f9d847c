"""Mail: how the server is greeted and logged in to."""

from __future__ import annotations

import base64
import hmac
import smtplib
import socket

import pytest
from pydantic import ValidationError

from surveil.alerts.deadline import Deadline
from surveil.alerts.delivery import Delivery
from surveil.alerts.smtp import Session, greeting
from surveil.clock import Stop, SystemClock

from .helpers import alert
from .mailserver import MailServer
from .test_mail import mail, settings

pytestmark = pytest.mark.rig


def greeted(server: MailServer, **changes: object) -> str:
    mail(server, **changes).deliver(Delivery(alert(0)))
    return next(line for line in server.said if line.startswith("ehlo")).partition(" ")[2]


def test_the_greeting_is_a_name_with_a_domain_or_an_address():
    with MailServer() as server:
        name = greeted(server)
    assert name == "[127.0.0.1]" or "." in socket.gethostname()


@pytest.mark.parametrize("name", ["nvr.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_the_name_of_the_greeting_can_be_chosen(name):
    with MailServer() as server:
        assert greeted(server, helo=name) == name


@pytest.mark.parametrize("name", ["a b", "nvr\nQUIT", "tür.example", "[a b]", "http://x"])
def test_a_greeting_that_is_no_name_is_refused(name):
    with pytest.raises(ValidationError):
        settings(25, helo=name)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("nvr.example.org", "nvr.example.org"),
        ("nvr", "[127.0.0.1]"),
        ("localhost.localdomain", "[127.0.0.1]"),
        ("", "[127.0.0.1]"),
        ("192.0.2.7", "[127.0.0.1]"),
        ("my..host", "[127.0.0.1]"),
        ("tür.example", "[127.0.0.1]"),
    ],
)
def test_a_host_name_without_a_domain_is_not_used(host, name):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert greeting(host, sock) == name


def test_an_address_of_ipv6_is_tagged():
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        assert greeting("nvr", sock) == "[IPv6:::1]"


class Login(MailServer):
    """A server that answers every line of a login alike until `lines` have come."""

    lines = 0
    heard: tuple[str, ...] = ()

    def _answer(self, verb: str, line: str, default: str) -> str:
        if verb in ("BANNER", "EHLO", "QUIT") or self.lines <= 0:
            return super()._answer(verb, line, default)
        self.heard += (line,)
        return "235 ok" if len(self.heard) == self.lines else "334 eA=="


def log_in(server: MailServer) -> None:
    session = Session("127.0.0.1", Deadline(SystemClock(), Stop(), 5), None)
    try:
        session.open(server.port)
        session.login("wächter", "päss")
    finally:
        session.shut()


@pytest.mark.parametrize(
    ("mechanism", "lines", "sent"),
    [
        ("PLAIN", 1, ["\0wächter\0päss"]),
        ("LOGIN", 2, ["wächter", "päss"]),
        ("CRAM-MD5", 2, ["wächter " + hmac.new("päss".encode(), b"x", "md5").hexdigest()]),
    ],
)
def test_a_name_and_a_password_beyond_ascii_can_log_in(mechanism, lines, sent):
    with Login(extensions=(f"AUTH {mechanism}",)) as server:
        server.lines = lines
        log_in(server)
    said = [line.split(" ")[-1] for line in server.heard if line.upper() != f"AUTH {mechanism}"]
    assert [base64.b64decode(word).decode() for word in said] == sent


def test_a_server_that_challenges_for_ever_is_left():
    with Login(extensions=("AUTH LOGIN",)) as server:
        server.lines = 1000
        with pytest.raises(smtplib.SMTPAuthenticationError):
            log_in(server)
    assert len(server.heard) < 10
