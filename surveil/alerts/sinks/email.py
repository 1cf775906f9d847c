"""Mail over SMTP: one thread for each event, the snapshot attached.

The start's Message-ID is made of the event's id, and its end refers to it, so that mail programs show one
thread and drop repetitions. Delivered when the server has taken the message for every recipient. What a refusal
means is in `surveil.alerts.smtp`; who has the message already does not get it again while the daemon runs.
"""

from __future__ import annotations

import smtplib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from surveil.alerts.addresses import Host, check_host
from surveil.alerts.deadline import Deadline
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.doubt import ClosedError, Doubt
from surveil.alerts.http import Authorities, network_errors, tls_context
from surveil.alerts.links import page_link
from surveil.alerts.mailboxes import Mailbox, Mailboxes, bare
from surveil.alerts.payload import to_dict
from surveil.alerts.rows import UPDATE
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.alerts.smtp import NOT_ASCII, Session, SmtpRefusal, SmtpStage
from surveil.errors import PartlyRejected, Rejected, RetryLater
from surveil.titles import local_and_utc
from surveil.types import Alert
from surveil.wording import Language, in_language, say

_SHOWN = {
    "camera": say("camera"),
    "rule": say("rule"),
    "phase": say("phase"),
    "time": say("time"),
    "local time": say("local time"),
    "zone": say("zone"),
    "line": say("line"),
    "direction": say("direction"),
    "label": say("label"),
    "score": say("score"),
    "reason": say("reason"),
    "id": say("id"),
}
"""Fields that a message lists, and what they are called."""
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_MOST_UNDER_WAY = 1000
"""Alerts that only some recipients have yet and that are remembered."""


def _check_helo(name: str) -> str:
    if (
        name.startswith("[")
        and name.endswith("]")
        and name.isascii()
        and name.isprintable()
        and " " not in name
    ):
        return name
    if not name.isascii():
        raise ValueError("must be ASCII")
    return check_host(name) if name else name


class EmailSettings(SinkSettings):
    """Send mail."""

    type: Literal["email"] = Field(default="email", description="Mail over SMTP.")
    host: Host = Field(min_length=1, description="Host of the mail server.")
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of the server. Default: 587, or 465 with `security: tls`, or "
        "25 with `security: none`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`, `tls`, or `none`. `none` sends in the clear, for a local relay, "
        "and does not allow a password.",
    )
    username: str = Field(default="", description="User name; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password.")
    sender: Mailbox = Field(min_length=3, description="The From address.")
    recipients: Mailboxes = Field(
        min_length=1, description="The To addresses, as separate entries or separated by commas."
    )
    helo: Annotated[str, AfterValidator(_check_helo)] = Field(
        default="",
        description="Name with which the server is greeted (EHLO). Default: the host name if it has a domain, or else "
        "the address in brackets (`[192.0.2.1]`).",
    )
    picture: bool = Field(default=True, description="Attach the snapshot.")
    ca_file: Authorities | None = Field(
        default=None, description="CA certificates to trust instead of the system's (PEM)."
    )
    timeout_s: float = Field(
        default=15.0, gt=0, le=120, description="Timeout of one delivery; mail servers are slow."
    )

    @model_validator(mode="after")
    def _no_clear_password(self) -> EmailSettings:
        if self.security == "none" and self.username:
            raise ValueError("a password must not be sent unencrypted: set security to starttls or tls")
        return self


@dataclass(slots=True)
class _UnderWay:
    """How far a message has come."""

    left: list[str]
    """Recipients that have neither taken nor refused it for good."""
    never: dict[str, SmtpRefusal] = field(default_factory=dict)


class EmailSink(BaseSink):
    """Sends mail, one session for each message."""

    def __init__(self, settings: EmailSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._tls = None if settings.security == "none" else tls_context(settings.ca_file)
        self._place = f"{settings.host}:{settings.port or _PORTS[settings.security]}"
        self._sender = bare(settings.sender)
        self._recipients = [bare(one) for one in settings.recipients]
        self._under_way: OrderedDict[str, _UnderWay] = OrderedDict()
        """By alert; only those that some recipient has taken or refused."""
        self._doubt = Doubt(context.clock)

    def probe(self) -> str:
        """Connect, log in where a name is given, ask whether sender and recipients are taken, and leave."""
        with self._errors(), self._session() as session:
            session.ehlo_or_helo_if_needed()
            refused = self._ask(session)
        if any(one.code >= 500 for one in refused.values()):
            raise RetryLater(f"{self._place}: {_list(refused)}")
        shown = "connected, logged in" if self._settings.username else "connected"
        return f"{shown}; for now {_list(refused)}" if refused else shown

    def deliver(self, delivery: Delivery) -> None:
        """Send one message to those that do not have it yet."""
        alert = delivery.alert
        if alert.reason == UPDATE:
            # A mail cannot be changed: the end lists what has joined.
            return
        way = self._under_way.get(alert.id) or _UnderWay(list(self._recipients))
        with self._errors(), self._session() as session:
            refused = self._send(session, alert, way.left)
        way.left = [one for one in way.left if one in refused and not refused[one].is_final]
        way.never |= {one: why for one, why in refused.items() if why.is_final}
        self._conclude(alert.id, way, refused)

    def _conclude(self, alert_id: str, way: _UnderWay, refused: Mapping[str, SmtpRefusal]) -> None:
        """Return when all have taken the message; raise what is to become of the alert otherwise."""
        waiting, of = len(way.left), len(self._recipients)
        if waiting:
            if waiting < of:
                self._under_way[alert_id] = way
                while len(self._under_way) > _MOST_UNDER_WAY:
                    self._under_way.popitem(last=False)
            text = f"{self._place}: {_list({one: refused[one] for one in way.left})}"
            if waiting < of:
                raise RetryLater(
                    f"{text}; {of - waiting} of {of} recipients have the message",
                    suspect=True,
                    takes_new=True,
                )
            raise RetryLater(text)
        self._under_way.pop(alert_id, None)
        if way.never:
            kind = Rejected if len(way.never) == of else PartlyRejected
            raise kind(f"{self._place}: {_list(way.never)}")

    def _send(self, session: Session, alert: Alert, to: list[str]) -> dict[str, SmtpRefusal]:
        """Send a message, without the picture where that is too much; return who was refused."""
        session.ehlo_or_helo_if_needed()
        data, _ = self.context.read_picture(alert) if self._settings.picture else (b"", "")
        message = self.compose(alert, data)
        most = session.most_bytes()
        if data and (self._doubt.holds(len(data)) or (most is not None and len(bytes(message)) > most)):
            return self._hand_over(session, self.compose(alert, omitted=len(data)), to)
        try:
            refused = self._hand_over(session, message, to)
        except smtplib.SMTPServerDisconnected as error:
            if _timed_out(error):
                raise
            if data:
                self._doubt.cut(alert.id, len(data))
            raise ClosedError(f"{self._place}: the server closed the connection") from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            if not data or not SmtpRefusal.of(SmtpStage.MESSAGE, error.smtp_code, error.smtp_error).is_size:
                raise
            return self._hand_over(session, self.compose(alert, omitted=len(data)), to)
        self._doubt.taken(alert.id, len(data))
        return refused

    def _hand_over(self, session: Session, message: EmailMessage, to: list[str]) -> dict[str, SmtpRefusal]:
        """Send a message to those whose addresses the server understands; return who does not have it."""
        beyond = [one for one in to if not session.knows(one)]
        refused = {one: SmtpRefusal.of(SmtpStage.RECIPIENT, *NOT_ASCII) for one in beyond}
        if known := [one for one in to if one not in refused]:
            refused |= self._offer(session, message, known)
        return refused

    def _offer(self, session: Session, message: EmailMessage, to: list[str]) -> dict[str, SmtpRefusal]:
        try:
            said = session.send_message(message, self._sender, to)
        except smtplib.SMTPRecipientsRefused as error:
            # After a 421 smtplib leaves at once: no recipient has the message, accepted or not.
            *_, last = error.recipients.values()
            said = {one: error.recipients.get(one, last) for one in to}
        return {one: SmtpRefusal.of(SmtpStage.RECIPIENT, *why) for one, why in said.items()}

    def _ask(self, session: Session) -> dict[str, SmtpRefusal]:
        """Ask for sender and recipients as for a message, and take it back; return who was refused."""
        refused: dict[str, SmtpRefusal] = {}
        beyond_ascii = ("SMTPUTF8",) if session.has_extn("smtputf8") else ()
        code, answer = session.mail(self._sender, beyond_ascii)
        if code >= 400:
            raise smtplib.SMTPSenderRefused(code, answer, self._sender)
        for one in self._recipients:
            code, answer = session.rcpt(one) if session.knows(one) else NOT_ASCII
            if code >= 400:
                refused[one] = SmtpRefusal.of(SmtpStage.RECIPIENT, code, answer)
        session.rset()
        return refused

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what a session may raise into RetryLater and Rejected."""
        # Outermost: the errors of smtplib are OSErrors.
        with network_errors(self._place, self._settings.timeout_s):
            try:
                yield
            except smtplib.SMTPAuthenticationError as error:
                raise RetryLater(f"{self._place}: login refused ({error.smtp_code})") from error
            except smtplib.SMTPDataError as error:
                refusal = SmtpRefusal.of(SmtpStage.MESSAGE, error.smtp_code, error.smtp_error)
                text = f"{self._place}: {refusal}"
                if refusal.is_final:
                    raise Rejected(text) from error
                raise RetryLater(text, suspect=error.smtp_code >= 500) from error
            except smtplib.SMTPResponseException as error:
                refusal = SmtpRefusal.of(SmtpStage.SENDER, error.smtp_code, error.smtp_error)
                raise RetryLater(f"{self._place}: {refusal}") from error
            except smtplib.SMTPServerDisconnected as error:
                if _timed_out(error):
                    raise TimeoutError from error
                raise RetryLater(f"{self._place}: the server closed the connection") from error
            except smtplib.SMTPException as error:
                raise RetryLater(f"{self._place}: {error}") from error

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Give a session that is connected and, where a name is given, logged in."""
        settings = self._settings
        deadline = Deadline(self.context.clock, self.context.stop, settings.timeout_s)
        tls = self._tls if settings.security == "tls" else None
        session = Session(settings.host, deadline, tls, settings.helo)
        try:
            session.open(settings.port or _PORTS[settings.security])
            if settings.security == "starttls":
                session.starttls(context=self._tls)
            if settings.username:
                session.login(settings.username, settings.password.get_secret_value())
            yield session
            # A server may hang up without a word: it has the message all the same.
            with suppress(OSError):
                session.docmd("QUIT")
        finally:
            session.shut()

    def compose(self, alert: Alert, picture: bytes = b"", omitted: int = 0) -> EmailMessage:
        """Return the message about an alert; `omitted`: bytes of a picture that is left out."""
        thread = f"<{alert.event_id}@surveil.invalid>"
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.recipients)
        message["Subject"] = _one_line(
            f"{'Re: ' if alert.phase == 'end' else ''}[{alert.title('camera')}] {alert.title('rule')}: {alert.text}"
        )
        message["Date"] = format_datetime(datetime.fromtimestamp(alert.t_wall, UTC))
        message["Idempotency-Key"] = alert.id
        message["Auto-Submitted"] = "auto-generated"
        if alert.phase == "start":
            message["Message-ID"] = thread
        else:
            message["Message-ID"] = f"<{alert.id}@surveil.invalid>"
            message["In-Reply-To"] = message["References"] = thread
        message.set_content(_body(alert, omitted, self._settings.language or Language.ENGLISH))
        if picture:
            name = Path(alert.evidence["snapshot"]).name
            message.add_attachment(picture, maintype="image", subtype="jpeg", filename=name)
        return message


def _timed_out(error: smtplib.SMTPServerDisconnected) -> bool:
    """Return whether smtplib calls a server that does not answer in time disconnected."""
    return isinstance(error.__context__, TimeoutError)


def _list(refused: Mapping[str, SmtpRefusal]) -> str:
    """Return who was refused and why."""
    by_reason: dict[str, list[str]] = {}
    for one, why in refused.items():
        by_reason.setdefault(str(why), []).append(one)
    return "; ".join(f"{why} (to {', '.join(to)})" for why, to in by_reason.items())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _body(alert: Alert, omitted: int = 0, language: Language = Language.ENGLISH) -> str:
    fields = to_dict(alert)
    fields |= {what: f"{title} ({fields[what]})" for what, title in alert.titles.items()}
    fields["local time"] = local_and_utc(alert.t_wall)
    lines = [alert.text, ""]
    lines += [
        f"{in_language(name, language):<10} {fields[field]}"
        for field, name in _SHOWN.items()
        if fields[field] not in ("", None)
    ]
    lines += [f"{kind:<10} {path}" for kind, path in alert.evidence.items()]
    if page := page_link(alert):
        lines += ["", page]
    if omitted:
        why = say(
            "The picture ({omitted} bytes) was omitted: the mail server does not accept it.", omitted=omitted
        )
        lines += ["", in_language(why, language)]
    return "\n".join(lines) + "\n"
