"""Mail over SMTP: one thread for each event, the snapshot attached.

The start's Message-ID is made of the event's id, and its end refers to it, so that mail programs show one
thread and drop repetitions. Delivered when the server has taken the message. 4yz answers (greylisting) and
wrong credentials are tried again later, 5yz answers to a recipient or the message are final.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from surveil.alerts.addresses import Host
from surveil.alerts.deadline import Deadline, DeadlineSocket, open_socket
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.http import Authorities, network_errors, tls_context
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import Rejected, RetryLater
from surveil.types import Alert

_SHOWN = ("camera", "rule", "phase", "time", "zone", "line", "direction", "label", "score", "reason", "id")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class EmailSettings(SinkSettings):
    """Send mail."""

    type: Literal["email"] = Field(default="email", description="Mail over SMTP.")
    host: Host = Field(min_length=1, description="The mail server.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Default: 587, with `tls` 465, with `none` 25."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`none` sends in the clear and takes no password; for a local relay."
    )
    username: str = Field(default="", description="Name to log in with; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password to log in with.")
    sender: str = Field(min_length=3, description="The From address.")
    recipients: list[str] = Field(min_length=1, description="The To addresses.")
    picture: bool = Field(default=True, description="Attach the snapshot.")
    ca_file: Authorities | None = Field(
        default=None, description="Authorities to trust instead of the system's (PEM)."
    )
    timeout_s: float = Field(
        default=15.0, gt=0, le=120, description="Longest time one delivery may take; mail servers think."
    )

    @model_validator(mode="after")
    def _no_clear_password(self) -> EmailSettings:
        if self.security == "none" and self.username:
            raise ValueError("a password is not sent in the clear: set security to starttls or tls")
        return self


class _Session(smtplib.SMTP):
    """An SMTP session under one deadline."""

    def __init__(self, settings: EmailSettings, deadline: Deadline, tls: ssl.SSLContext) -> None:
        self._deadline = deadline
        self._tls = tls if settings.security == "tls" else None
        self.opened: list[DeadlineSocket] = []
        self._server = settings.host
        # Without a name, smtplib asks the DNS for its own.
        super().__init__(local_hostname=socket.gethostname() or "surveil")

    def _get_socket(self, host: str, port: int, _timeout: float) -> Any:
        self.opened.append(open_socket(host, port, self._deadline, self._tls))
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
        raw = self.opened[-1].raw
        raw.settimeout(self._deadline.left_s())
        self.opened.append(
            DeadlineSocket(context.wrap_socket(raw, server_hostname=self._server), self._deadline)
        )
        self.sock = self.opened[-1]  # type: ignore[assignment]
        # What was said before TLS counts for nothing (RFC 3207, 4.2).
        self.file = self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        return code, answer

    def shut(self) -> None:
        """Close every socket."""
        for sock in reversed(self.opened):
            sock.shut()


class EmailSink(BaseSink):
    """Sends mail, one session for each message."""

    def __init__(self, settings: EmailSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._tls = tls_context(settings.ca_file)
        self._place = f"{settings.host}:{settings.port or _PORTS[settings.security]}"

    def probe(self) -> str:
        """Connect, log in where a name is given, and leave."""
        with self._errors(), self._session() as session:
            session.ehlo_or_helo_if_needed()
        return "connected, logged in" if self._settings.username else "connected"

    def deliver(self, delivery: Delivery) -> None:
        """Send one message."""
        message = self.compose(delivery.alert)
        with self._errors(), self._session() as session:
            session.send_message(message, self._settings.sender, self._settings.recipients)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what a session may raise into RetryLater and Rejected."""
        # Outermost: the errors of smtplib are OSErrors.
        with network_errors(self._place, self._settings.timeout_s):
            try:
                yield
            except smtplib.SMTPAuthenticationError as error:
                raise RetryLater(f"{self._place}: login refused ({error.smtp_code})") from error
            except smtplib.SMTPRecipientsRefused as error:
                self._refused([code for code, _ in error.recipients.values()], error)
            except smtplib.SMTPResponseException as error:
                self._refused([error.smtp_code], error)

    def _refused(self, codes: list[int], error: Exception) -> None:
        """Raise Rejected when every code is final, else RetryLater."""
        text = f"{self._place}: SMTP {', '.join(str(code) for code in sorted(set(codes)))}"
        raise (Rejected if all(500 <= c < 600 for c in codes) else RetryLater)(text) from error

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """Give a session that is connected and, where a name is given, logged in."""
        deadline = Deadline(self.context.clock, self.context.stop, self._settings.timeout_s)
        session = _Session(self._settings, deadline, self._tls)
        try:
            session.connect(self._settings.host, self._settings.port or _PORTS[self._settings.security])
            if self._settings.security == "starttls":
                session.starttls(context=self._tls)
            if self._settings.username:
                session.login(self._settings.username, self._settings.password.get_secret_value())
            yield session
            session.docmd("QUIT")
        finally:
            session.shut()

    def compose(self, alert: Alert) -> EmailMessage:
        """Return the message about an alert."""
        thread = f"<{alert.event_id}@surveil.invalid>"
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        message["Subject"] = _one_line(
            f"{'Re: ' if alert.phase == 'end' else ''}[{alert.camera}] {alert.rule}: {alert.text}"
        )
        message["Date"] = format_datetime(datetime.fromtimestamp(alert.t_wall, UTC))
        message["Idempotency-Key"] = alert.id
        message["Auto-Submitted"] = "auto-generated"
        if alert.phase == "start":
            message["Message-ID"] = thread
        else:
            message["Message-ID"] = f"<{alert.id}@surveil.invalid>"
            message["In-Reply-To"] = message["References"] = thread
        message.set_content(_body(alert))
        self._attach(message, alert)
        return message

    def _attach(self, message: EmailMessage, alert: Alert) -> None:
        picture = self.context.picture(alert) if self._settings.picture else None
        if picture:
            message.add_attachment(
                picture.read_bytes(), maintype="image", subtype="jpeg", filename=picture.name
            )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _body(alert: Alert) -> str:
    fields = to_dict(alert)
    lines = [alert.text, ""]
    lines += [f"{name:<10} {fields[name]}" for name in _SHOWN if fields[name] not in ("", None)]
    lines += [f"{kind:<10} {path}" for kind, path in alert.evidence.items()]
    return "\n".join(lines) + "\n"
