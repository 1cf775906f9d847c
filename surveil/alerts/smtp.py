"""A mail session under one deadline, and what a mail server's refusal means for an alert.

A refusal is final only where it says that the mailbox does not exist, or is about the message itself. All else (login,
sender, relaying, quota, HELO, block lists) is for the operator to correct, and alerts wait for that.
"""

from __future__ import annotations

import base64
import hmac
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from surveil.alerts.addresses import check_host, is_ip
from surveil.alerts.deadline import Deadline, DeadlineSocket, encrypted, open_socket
from surveil.wording import one_line

_ENHANCED = re.compile(r"(?:^|\(#)([245]\.\d{1,3}\.\d{1,3})\b(?!\.)", re.ASCII)
"""At the beginning (RFC 2034), or in parentheses at the end as qmail has it: `(#5.7.1)`."""
_NO_MAILBOX = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_FINAL_TO_RECIPIENT = frozenset({550, 551, 553})
_FINAL_TO_MESSAGE = frozenset({550, 551, 553, 554, 556})
_NO_SUCH = re.compile(
    r"unknown|no such|no mailbox|not an? (valid|known)|not valid|not exist|n't exist|not found|non-?existent|"
    r"invalid (recipient|mailbox|address|user)|mailbox unavailable|unroute?able",
    re.IGNORECASE,
)
_SYSTEM = re.compile(r"5\.([2345]\.\d+|1\.[78]|7\.(3|8|9|11|57|60))")
"""Enhanced codes (RFC 3463) of mailbox, system, routing and protocol, of the sender's address and of the login."""
_CORRECTABLE = re.compile(
    r"relay|authenti|log ?in\b|sender|helo|ehlo|host ?name|spf|dkim|dmarc|not allowed|not permitted|permission|"
    r"quota|full|block|black|denied|polic|reputation|tls|encrypt|rate|limit|volume|exceed|too many|rcpthosts|"
    r"prohibit|restrict|access|unauthori|verif|reverse|\bptr\b|\bdns|account|suspend|listed|(client|sending) host|"
    r"valid recipients|try again|later|temporar",
    re.IGNORECASE,
)
_TOO_BIG = re.compile(r"\b5\.(3\.4|2\.3)\b")
_MOST_SAID = 160
NOT_ASCII = (553, b"5.6.7 the server does not offer SMTPUTF8, which addresses beyond ASCII need")
"""What is said of a recipient that the server cannot be told of (RFC 6531, 3.5)."""


class SmtpStage(StrEnum):
    """What the server refused."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    MESSAGE = "message"


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpRefusal:
    """One answer of 400 and above."""

    stage: SmtpStage
    code: int
    text: str

    @staticmethod
    def of(stage: SmtpStage, code: int, text: bytes | str) -> SmtpRefusal:
        """Return the refusal with its text on one line."""
        said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return SmtpRefusal(stage=stage, code=code, text=one_line(said)[:_MOST_SAID])

    @property
    def is_final(self) -> bool:
        """Whether trying again can never help."""
        found = _ENHANCED.search(self.text)
        enhanced = found[1] if found else ""
        if self.stage is SmtpStage.RECIPIENT:
            return self.code in _FINAL_TO_RECIPIENT and self._says_no_mailbox(enhanced)
        if self.stage is SmtpStage.MESSAGE:
            return self.code in _FINAL_TO_MESSAGE and not self._is_correctable(enhanced)
        return False

    def _says_no_mailbox(self, enhanced: str) -> bool:
        if enhanced in _NO_MAILBOX:
            return True
        is_about_us = enhanced.startswith("5.7.") or self._is_correctable(enhanced)
        return _NO_SUCH.search(self.text) is not None and not is_about_us

    def _is_correctable(self, enhanced: str) -> bool:
        return bool(_SYSTEM.match(enhanced) or _CORRECTABLE.search(self.text))

    @property
    def is_size(self) -> bool:
        """Whether the message was too large, so that a smaller one may be taken."""
        return self.code == 552 or bool(_TOO_BIG.match(self.text))

    def __str__(self) -> str:
        """Return code and reason."""
        return f"SMTP {self.code} {self.text}".rstrip()


class Session(smtplib.SMTP):
    """An SMTP session under one deadline."""

    def __init__(self, host: str, deadline: Deadline, tls: ssl.SSLContext | None, helo: str = "") -> None:
        """Prepare a session; with `tls`, the whole connection is encrypted."""
        self._deadline = deadline
        self._tls = tls
        self._helo = helo
        self.opened: list[DeadlineSocket] = []
        self._server = host
        # Without a name, smtplib asks the DNS for its own.
        super().__init__(local_hostname=helo or "surveil")

    def open(self, port: int) -> None:
        """Connect. Raises SMTPConnectError when the server does not want to talk."""
        code, answer = self.connect(self._server, port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)

    def _get_socket(self, host: str, port: int, _timeout: float) -> Any:
        self.opened.append(open_socket(host, port, self._deadline, self._tls))
        self.local_hostname = self._helo or greeting(socket.gethostname(), self.opened[-1].raw)
        return self.opened[-1]

    def starttls(
        self, *_args: Any, context: ssl.SSLContext | None = None, **_kwargs: Any
    ) -> tuple[int, bytes]:
        """Go over to TLS. Raises SMTPException when the server does not offer it."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls") or context is None:
            raise smtplib.SMTPNotSupportedError("the server does not offer STARTTLS")
        code, answer = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, answer)
        raw = encrypted(self.opened[-1].raw, self._server, self._deadline, context)
        self.opened.append(DeadlineSocket(raw, self._deadline))
        self.sock = self.opened[-1]  # type: ignore[assignment]
        # What was said before TLS counts for nothing (RFC 3207, 4.2).
        self.file = self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        return code, answer

    def auth(
        self, mechanism: str, _authobject: Any, *, initial_response_ok: bool = True
    ) -> tuple[int, bytes]:
        """Log in with names and passwords in UTF-8 (RFC 4616), where smtplib's own answers know ASCII only."""
        mechanism = mechanism.upper()
        answers = self._answers(mechanism)
        command = mechanism
        if initial_response_ok and mechanism != "CRAM-MD5":
            command += f" {_encode(next(answers)(b''))}"
        code, said = self.docmd("AUTH", command)
        for answer in answers:
            if code != 334:
                break
            code, said = self.docmd(_encode(answer(base64.decodebytes(said))))
        if code in (235, 503):
            return code, said
        raise smtplib.SMTPAuthenticationError(code, said)

    def _answers(self, mechanism: str) -> Iterator[Callable[[bytes], str]]:
        """Yield what answers one challenge after the other."""
        user, password = str(self.user), str(self.password)
        if mechanism == "PLAIN":
            yield lambda _challenge: f"\0{user}\0{password}"
        elif mechanism == "LOGIN":
            yield lambda _challenge: user
            yield lambda _challenge: password
        else:
            yield lambda challenge: f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}"

    def knows(self, address: str) -> bool:
        """Return whether the server can be told of an address."""
        return address.isascii() or self.has_extn("smtputf8")

    def most_bytes(self) -> int | None:
        """Return how large a message may be, where the server announces it (RFC 1870)."""
        said = self.esmtp_features.get("size", "")
        most = int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else 0
        return most or None

    def shut(self) -> None:
        """Close every socket."""
        for sock in reversed(self.opened):
            sock.shut()


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def greeting(host: str, sock: socket.socket) -> str:
    """Return the name for EHLO: the host's if it has a domain, else the connection's address (RFC 5321, 4.1.3)."""
    if "." in host and not host.startswith("localhost") and _is_name(host):
        return host
    address = str(sock.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _is_name(host: str) -> bool:
    try:
        check_host(host)
    except ValueError:
        return False
    return host.isascii() and not is_ip(host)
