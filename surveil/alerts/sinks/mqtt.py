"""MQTT 5, with Home Assistant discovery. Extra `surveil[mqtt]`.

Delivered when the broker has acknowledged (QoS 1). Topics below `<prefix>/<instance>`:

    status                   retained `online`; `offline` is the last will
    <camera>/alert           every alert as JSON, with `event_type` for Home Assistant
    <camera>/state           retained state of the camera
    <camera>/zone/<zone>     retained `ON` while an event is open there, else `OFF`
    <camera>/snapshot        retained JPEG of the last alert
    <camera>/armed           with `remote_arming`: retained `ON`, or `OFF` while a rule is disarmed
    <camera>/armed/set       with `remote_arming`: `ON` and `OFF` are taken from here

What was retained of a camera or zone that left the configuration is emptied, so that it leaves Home Assistant, too.
No thread of its own: the courier's thread reads and writes, while it delivers and in `maintain`.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, SecretStr, model_validator

from surveil.alerts.deadline import Deadline
from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.homeassistant import discovery, states, topic_part
from surveil.alerts.http import Authorities, tls_context
from surveil.alerts.payload import to_dict
from surveil.alerts.remote import RemoteArming
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.types import Alert

if TYPE_CHECKING:
    import paho.mqtt.client as mqtt

_KEEPALIVE_S = 30


class MqttSettings(SinkSettings):
    """Publish alerts and states over MQTT."""

    type: Literal["mqtt"] = Field(default="mqtt", description="MQTT 5; needs surveil[mqtt].")
    host: str = Field(min_length=1, description="The broker.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Default: 8883, without TLS 1883.")
    tls: bool = Field(default=True, description="Encrypt, and check the broker's certificate.")
    ca_file: Authorities | None = Field(
        default=None, description="Authorities to trust instead of the system's (PEM)."
    )
    username: str = Field(default="", description="Name to log in with; empty: no login.")
    password: SecretStr = Field(default=SecretStr(""), description="Password to log in with.")
    prefix: str = Field(default="surveil", pattern=r"^[^#+]+$", description="What every topic begins with.")
    pictures: bool = Field(default=True, description="Publish the snapshot of the last alert of each camera.")
    discovery: bool = Field(default=True, description="Announce cameras, zones and alerts to Home Assistant.")
    discovery_prefix: str = Field(default="homeassistant", description="Home Assistant's discovery prefix.")

    remote_arming: bool = Field(
        default=False,
        description="Take commands from the broker: whoever may publish to `<camera>/armed/set` can switch a "
        "camera's rules off. Home Assistant gets a switch for each camera. Needs a login; read docs/sinks.md first.",
    )

    @model_validator(mode="after")
    def _no_anonymous_commands(self) -> MqttSettings:
        if self.remote_arming and not (self.username and self.password.get_secret_value()):
            raise ValueError(
                "remote_arming needs username and password: a broker open to all would disarm for all"
            )
        return self

    @model_validator(mode="after")
    def _installed(self) -> MqttSettings:
        if find_spec("paho") is None:
            raise ValueError("needs paho-mqtt; install surveil[mqtt]")
        return self

    @model_validator(mode="after")
    def _no_clear_password(self) -> MqttSettings:
        if not self.tls and self.username and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("a password is not sent in the clear over the network: set tls")
        return self


class MqttSink(BaseSink):
    """Publishes alerts, states and, for Home Assistant, what there is."""

    maintain_every_s: float | None = 5.0

    def __init__(self, settings: MqttSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._base = f"{settings.prefix}/{topic_part(context.instance)}"
        self._place = f"{settings.host}:{settings.port or (8883 if settings.tls else 1883)}"
        self._client: mqtt.Client | None = None
        self._socket: Any = None
        self._refused = ""
        self._said: dict[str, bytes] = {}
        """What is retained at the broker, so that only changes are published."""
        self._remote: RemoteArming | None = None
        if settings.remote_arming:
            self._remote = RemoteArming(self._base, context.state_dir, context.clock)
            self.maintain_every_s = 2.0
        self._retained: set[str] = set()
        """Topics of cameras and zones, kept over connections: those that went are emptied."""

    def probe(self) -> str:
        """Connect and log in as a guest, and leave."""
        with self._guest(self._deadline()):
            return "connected, logged in" if self._settings.username else "connected"

    def send_test(self, alert: Alert) -> None:
        """Publish as a guest: under the daemon's own name, the broker would end the daemon's connection."""
        deadline = self._deadline()
        with self._guest(deadline) as client:
            self._publish_alert(client, alert, deadline)

    def deliver(self, delivery: Delivery) -> None:
        """Publish one alert and its picture; returns when the broker has acknowledged both."""
        deadline = self._deadline()
        self._publish_alert(self._connected(deadline), delivery.alert, deadline)

    def _publish_alert(self, client: mqtt.Client, alert: Alert, deadline: Deadline) -> None:
        camera = f"{self._base}/{topic_part(alert.camera)}"
        kind = alert.rule if alert.phase == "start" else f"{alert.rule}_end"
        body = json.dumps(to_dict(alert) | {"event_type": kind}, ensure_ascii=False).encode()
        picture = self.context.picture(alert) if self._settings.pictures else None
        if picture:
            self._publish(client, f"{camera}/snapshot", picture.read_bytes(), deadline, retain=True)
            self._retained.add(f"{camera}/snapshot")
        self._publish(client, f"{camera}/alert", body, deadline, key=alert.id)

    def maintain(self, status: InstallationStatus) -> None:
        """Keep the connection alive and publish what has changed since."""
        deadline = self._deadline()
        client = self._connected(deadline)
        self._loop(client, 0.0)
        wanted = states(self._base, status) | (self._remote.follow(status) if self._remote else {})
        if self._settings.discovery:
            prefix, switches = self._settings.discovery_prefix, self._remote is not None
            wanted |= discovery(prefix, self._base, self.context.instance, status, switches=switches)
        pictures = {f"{self._base}/{topic_part(name)}/snapshot" for name in status.cameras}
        gone = self._retained - wanted.keys() - pictures
        for topic, payload in [*wanted.items(), *((topic, b"") for topic in sorted(gone))]:
            if self._said.get(topic) != payload:
                self._publish(client, topic, payload, deadline, retain=True)
                self._said[topic] = payload
        self._retained |= wanted.keys()

    def close(self) -> None:
        """Say `offline` and disconnect."""
        if self._remote:
            self._remote.close()
        client, self._client = self._client, None
        if client is None:
            return
        try:
            end = Deadline(self.context.clock, self.context.stop, 0.5)
            self._publish(client, f"{self._base}/status", b"offline", end, retain=True)
            client.disconnect()
            client.loop(0.0)
        except RetryLater:
            return
        finally:
            _hang_up(self._socket)

    # The connection.

    def _deadline(self) -> Deadline:
        return Deadline(self.context.clock, self.context.stop, self._settings.timeout_s)

    def _connected(self, deadline: Deadline) -> mqtt.Client:
        """Return a client that is connected. Raises RetryLater."""
        if self._client is None:
            self._client = self._connect(deadline)
        return self._client

    @contextmanager
    def _guest(self, deadline: Deadline) -> Iterator[mqtt.Client]:
        """Give a connection without a name, a will and a status."""
        client = self._connect(deadline, guest=True)
        try:
            yield client
            client.disconnect()
            client.loop(0.0)
        finally:
            _hang_up(self._socket)

    def _connect(self, deadline: Deadline, *, guest: bool = False) -> mqtt.Client:
        client = self._make(guest=guest)
        self._said.clear()
        self._refused = ""
        try:
            client.connect_timeout = deadline.left_s()
            client.connect(self._settings.host, int(self._place.rpartition(":")[2]), _KEEPALIVE_S)
            self._socket = client.socket()
            while not client.is_connected():
                self._loop(client, deadline.slice_s())
            if not guest:
                if self._remote:
                    self._remote.listen(client)
                self._publish(client, f"{self._base}/status", b"online", deadline, retain=True)
        except ssl.SSLCertVerificationError as error:
            _hang_up(client.socket())
            raise RetryLater(f"{self._place}: certificate refused: {error.verify_message}") from error
        except OSError as error:
            _hang_up(client.socket())
            why = "no answer" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
            raise RetryLater(f"{self._place}: {why}") from error
        except RetryLater:
            _hang_up(self._socket)
            raise
        return client

    def _make(self, *, guest: bool) -> mqtt.Client:
        import paho.mqtt.client as mqtt  # noqa: PLC0415 - optional
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 - optional

        name = f"surveil-{topic_part(self.context.instance)}-{topic_part(self.context.name)}"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="" if guest else name,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        if self._settings.tls:
            client.tls_set_context(tls_context(self._settings.ca_file))
        if self._settings.username:
            client.username_pw_set(self._settings.username, self._settings.password.get_secret_value())
        if not guest:
            client.will_set(f"{self._base}/status", b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        return client

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else ""

    def _loop(self, client: mqtt.Client, seconds: float) -> None:
        """Read, write and keep alive once. Raises RetryLater when the connection is gone."""
        code = client.loop(seconds)
        if code or self._refused:
            self._drop(client, self._refused or "the broker closed the connection")

    def _drop(self, client: mqtt.Client, why: str) -> None:
        self._client = None
        # Paho forgets its socket without closing it when the broker was first.
        _hang_up(self._socket or client.socket())
        raise RetryLater(f"{self._place}: {why}")

    def _publish(
        self,
        client: mqtt.Client,
        topic: str,
        payload: bytes,
        deadline: Deadline,
        *,
        retain: bool = False,
        key: str = "",
    ) -> None:
        """Publish and wait for the acknowledgement. Raises RetryLater."""
        info = client.publish(topic, payload, qos=1, retain=retain, properties=_properties(key))
        try:
            while not info.is_published():
                self._loop(client, deadline.slice_s())
        except TimeoutError:
            self._drop(client, f"no acknowledgement in {self._settings.timeout_s:g} s")
        except (ValueError, RuntimeError) as error:
            self._drop(client, f"not published: {type(error).__name__}")


def _properties(key: str) -> Any:
    """Return the MQTT 5 properties of an alert's message."""
    if not key:
        return None
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415 - optional
    from paho.mqtt.properties import Properties  # noqa: PLC0415 - optional

    properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    properties.UserProperty = ("idempotency-key", key)
    return properties


def _hang_up(sock: Any) -> None:
    """Close the socket without a word: the broker then publishes the will."""
    if sock is not None:
        sock.close()
