"""MQTT 5, with Home Assistant discovery. Extra `mqtt`.

Delivered when the broker has taken the alert (QoS 1, a reason code below 0x80). Topics below `<prefix>/<instance>`:

    status                   retained `online`; `offline` is the last will
    <camera>/alert           every alert as JSON, with `event_type` for Home Assistant
    <camera>/state           retained state of the camera
    <camera>/zone/<zone>     retained `ON` while an event is open there, else `OFF`
    <camera>/snapshot        retained JPEG of the last alert
    <camera>/armed           with `remote_arming`: retained `ON`, or `OFF` while a rule is disarmed
    <camera>/armed/set       with `remote_arming`: `ON` and `OFF` are taken from here

A picture that the broker does not take is left out, and the alert says so in `snapshot_omitted`; details that make the
alert itself too large are left out, too, and `details_omitted` says so.
What was retained of a camera or zone that left the configuration is emptied, so that it leaves Home Assistant, too.
No thread of its own: the courier's thread reads and writes, while it delivers and in `maintain`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import structlog
from pydantic import Field, SecretStr, model_validator

from surveil.alerts.addresses import Host, Topic
from surveil.alerts.broker import Broker, Login, RefusedError
from surveil.alerts.deadline import Deadline
from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.doubt import ClosedError, Doubt
from surveil.alerts.homeassistant import discovery, event_type, states, topic_part
from surveil.alerts.http import Authorities, tls_context
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.logs import LogThrottle
from surveil.types import Alert
from surveil.wording import Language

log = structlog.get_logger(__name__)
_TURN_S = 2.0
"""How long states are published before alerts have their turn; each waits for its acknowledgement."""
_REFUSED_AGAIN_S = 60.0
"""How often states that the broker refused are offered again: its access list may have been corrected."""


if TYPE_CHECKING:
    from surveil.alerts.remote import RemoteArming


class MqttSettings(SinkSettings):
    """Publish alerts and states over MQTT."""

    type: Literal["mqtt"] = Field(default="mqtt", description="MQTT 5; needs `surveil install --extra mqtt`.")
    host: Host = Field(min_length=1, description="Host of the broker.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the broker. Default: 8883, or 1883 without TLS."
    )
    tls: bool = Field(default=True, description="Encrypt, and check the broker's certificate.")
    ca_file: Authorities | None = Field(
        default=None, description="CA certificates to trust instead of the system's (PEM)."
    )
    username: str = Field(default="", description="User name; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password.")
    prefix: Topic = Field(default="surveil", description="Prefix of all topics.")
    pictures: bool = Field(default=True, description="Publish the snapshot of the last alert of each camera.")
    discovery: bool = Field(default=True, description="Announce cameras, zones and alerts to Home Assistant.")
    discovery_prefix: Topic = Field(default="homeassistant", description="Home Assistant's discovery prefix.")

    remote_arming: bool = Field(
        default=False,
        description="Accept arming commands from the broker. Anyone who may publish to `<camera>/armed/set` can then "
        "disarm a camera. Home Assistant shows a switch per camera. Needs a login; read docs/sinks.md "
        "first.",
    )

    @model_validator(mode="after")
    def _no_anonymous_commands(self) -> MqttSettings:
        if self.remote_arming and not (self.username and self.password.get_secret_value()):
            raise ValueError(
                "remote_arming requires username and password: otherwise every client of the broker can disarm rules"
            )
        return self

    @model_validator(mode="after")
    def _installed(self) -> MqttSettings:
        if find_spec("paho") is None:
            from surveil.extras import Extra, command  # noqa: PLC0415 - only where it is missing

            raise ValueError(f"needs paho-mqtt: run `{command(Extra.MQTT)}`")
        return self

    @model_validator(mode="after")
    def _no_clear_password(self) -> MqttSettings:
        if not self.tls and self.username and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("a password must not be sent unencrypted over the network: set tls")
        return self


class MqttSink(BaseSink):
    """Publishes alerts, states and, for Home Assistant, what there is."""

    maintain_every_s: float | None = 5.0

    def __init__(self, settings: MqttSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._base = f"{settings.prefix}/{topic_part(context.instance)}"
        self._login = Login(
            host=settings.host,
            port=settings.port or (8883 if settings.tls else 1883),
            tls=tls_context(settings.ca_file) if settings.tls else None,
            username=settings.username,
            password=settings.password.get_secret_value(),
            timeout_s=settings.timeout_s,
        )
        self._client: Broker | None = None
        self._said: dict[str, bytes] = {}
        """What is retained at the broker, so that only changes are published."""
        self._offered: set[str] = set()
        """Topics of what it refused, among those that count as said."""
        self._offer_at = 0.0
        self._doubt = Doubt(context.clock)
        self._refusals, self._omissions = LogThrottle(context.clock), LogThrottle(context.clock)
        self._remote: RemoteArming | None = None
        if settings.remote_arming:
            from surveil.alerts.remote import RemoteArming  # noqa: PLC0415 - off by default

            self._remote = RemoteArming(self._base, context.state_dir, context.clock)
            self.maintain_every_s = 2.0
        self._retained: set[str] = set()
        """Topics of cameras and zones, kept over connections: those that went are emptied."""

    def probe(self) -> str:
        """Connect and log in as a guest, publish an empty message that no client expects, and leave."""
        deadline = self._deadline()
        with self._guest(deadline) as broker:
            self._publish(broker, f"{self._base}/probe", b"", deadline)
            shown = "connected, logged in" if self._settings.username else "connected"
            most = broker.most_bytes
            return shown if most is None else f"{shown}; accepts messages up to {most} bytes"

    def send_test(self, alert: Alert) -> None:
        """Publish as a guest: under the daemon's own name, the broker would end the daemon's connection."""
        deadline = self._deadline()
        with self._guest(deadline) as broker:
            self._publish_alert(broker, alert, deadline)

    def deliver(self, delivery: Delivery) -> None:
        """Publish one alert and its picture; returns when the broker has taken the alert."""
        deadline = self._deadline()
        self._publish_alert(self._connected(deadline), delivery.alert, deadline)

    def maintain(self, status: InstallationStatus) -> None:
        """Keep the connection alive and publish what has changed since: as much as a turn has time for."""
        broker = self._connected(self._deadline())
        self._turn(broker)
        wanted = states(self._base, status) | (self._remote.follow(status) if self._remote else {})
        if self._settings.discovery:
            prefix, switches = self._settings.discovery_prefix, self._remote is not None
            wanted |= discovery(
                prefix,
                self._base,
                self.context.instance,
                status,
                switches=switches,
                language=self._settings.language or Language.ENGLISH,
            )
        pictures = {f"{self._base}/{topic_part(name)}/snapshot" for name in status.cameras}
        gone = self._retained - wanted.keys() - pictures
        self._offer_again()
        self._retained |= wanted.keys()
        self._say(broker, wanted | dict.fromkeys(sorted(gone), b""))

    def _say(self, broker: Broker, states: Mapping[str, bytes]) -> None:
        """Publish what is new of the states, until the turn is over; the rest is for the next one."""
        over = self.context.clock.monotonic() + _TURN_S
        for topic, payload in states.items():
            if self._said.get(topic) != payload:
                self._state(broker, topic, payload, self._deadline())
                self._said[topic] = payload
                if self.context.stop or self.context.clock.monotonic() >= over:
                    return

    def close(self) -> None:
        """Say `offline` and disconnect."""
        if self._remote:
            self._remote.close()
        broker, self._client = self._client, None
        if broker is None:
            return
        try:
            end = Deadline(self.context.clock, self.context.stop, 0.5)
            self._state(broker, f"{self._base}/status", b"offline", end)
            broker.leave()
        except RetryLater:
            broker.hang_up()

    # Messages.

    def _publish_alert(self, broker: Broker, alert: Alert, deadline: Deadline) -> None:
        camera = f"{self._base}/{topic_part(alert.camera)}"
        kind = event_type(alert)
        said = to_dict(alert) | {"event_type": kind}
        if omitted := self._publish_picture(broker, f"{camera}/snapshot", alert, deadline):
            said["snapshot_omitted"] = omitted
        topic = f"{camera}/alert"
        self._publish(broker, topic, self._fitting(broker, topic, said, alert.id), deadline, key=alert.id)

    def _fitting(self, broker: Broker, topic: str, said: dict[str, object], key: str) -> bytes:
        """Return the alert as JSON, without details if it is too large with them; whole if that is not enough."""
        whole = _encoded(said)
        if why := broker.too_large(topic, whole, key):
            for details in _ever_fewer(said["details"]):
                body = _encoded(said | {"details": details, "details_omitted": why})
                if not broker.too_large(topic, body, key):
                    self._tell_omission("alert too large for the broker, sent without some details", why)
                    return body
        return whole

    def _publish_picture(self, broker: Broker, topic: str, alert: Alert, deadline: Deadline) -> str:
        """Publish the alert's picture, if there is one; return why it was left out."""
        data, why = self.context.read_picture(alert) if self._settings.pictures else (b"", "")
        if not data:
            return why
        if self._doubt.holds(len(data)):
            return self._omit(f"{len(data)} bytes: the broker closes the connection on pictures of this size")
        try:
            broker.publish(topic, data, deadline, retain=True)
        except RefusedError as error:
            return self._omit(str(error))
        except ClosedError:
            self._client = None
            self._doubt.cut(alert.id, len(data))
            raise
        except RetryLater:
            self._client = None
            raise
        self._doubt.taken(alert.id, len(data))
        self._retained.add(topic)
        return ""

    def _omit(self, why: str) -> str:
        self._tell_omission("broker rejected the picture, alert sent without it", why)
        return why

    def _tell_omission(self, what: str, why: str) -> None:
        if n := self._omissions.take():
            log.warning(what, sink=self.context.name, times=n, why=why)

    def _publish(
        self, broker: Broker, topic: str, payload: bytes, deadline: Deadline, *, key: str = ""
    ) -> None:
        """Publish what must be taken. Raises RetryLater."""
        try:
            broker.publish(topic, payload, deadline, key=key)
        except RefusedError as error:
            # The access list may allow other topics: other alerts may go first.
            text = f"{self._login.place}: refused on {topic}: {error}"
            raise RetryLater(text, suspect=True) from error
        except RetryLater:
            self._client = None
            raise

    def _state(self, broker: Broker, topic: str, payload: bytes, deadline: Deadline) -> None:
        """Publish a retained state. One that the broker refuses holds up no alert; it is logged."""
        try:
            broker.publish(topic, payload, deadline, retain=True)
        except RefusedError as error:
            self._offered.add(topic)
            if n := self._refusals.take():
                log.warning(
                    "broker rejected a state message",
                    sink=self.context.name,
                    topic=topic,
                    times=n,
                    why=str(error),
                )
        except RetryLater:
            self._client = None
            raise

    def _offer_again(self) -> None:
        """Forget now and then what was refused, so that it is published again."""
        now = self.context.clock.monotonic()
        if now >= self._offer_at:
            self._offer_at = now + _REFUSED_AGAIN_S
            for topic in self._offered:
                self._said.pop(topic, None)
            self._offered.clear()

    # The connection.

    def _deadline(self) -> Deadline:
        return Deadline(self.context.clock, self.context.stop, self._settings.timeout_s)

    def _connected(self, deadline: Deadline) -> Broker:
        """Return the connection, made if need be. Raises RetryLater."""
        if self._client is not None:
            return self._client
        broker = Broker(self._login, client_id=self._client_id(), will=f"{self._base}/status")
        broker.connect(deadline)
        self._said.clear()
        self._offered.clear()
        self._client = broker
        if self._remote:
            self._remote.listen(broker.client)
        self._state(broker, f"{self._base}/status", b"online", deadline)
        return broker

    def _client_id(self) -> str:
        """Return a name that no other connection has: daemons of one host share its name, not their folder."""
        own = f"{self._settings.prefix}|{self.context.state_dir.absolute()}"
        mark = hashlib.sha256(own.encode()).hexdigest()[:8]
        return f"surveil-{topic_part(self.context.instance)}-{topic_part(self.context.name)}-{mark}"

    def _turn(self, broker: Broker) -> None:
        try:
            broker.turn(0.0)
        except ClosedError as error:
            self._client = None
            # Nothing was under way that could be the cause.
            raise RetryLater(str(error)) from error

    @contextmanager
    def _guest(self, deadline: Deadline) -> Iterator[Broker]:
        """Give a connection without a name, a will and a status."""
        broker = Broker(self._login)
        broker.connect(deadline)
        try:
            yield broker
            broker.leave()
        finally:
            broker.hang_up()


def _encoded(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _ever_fewer(details: object) -> Iterator[dict[str, object]]:
    """Yield details without lists, such as the events of an incident; then none."""
    if isinstance(details, dict):
        yield {name: value for name, value in details.items() if not isinstance(value, list)}
    yield {}
