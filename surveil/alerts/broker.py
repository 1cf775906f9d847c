"""One MQTT 5 connection: its limits, its refusals, and why it ended.

Paho neither heeds the Maximum Packet Size of the CONNACK nor tells a refused message (reason code 0x80 and above) from
one that was taken. Both are done here.
"""

from __future__ import annotations

import select
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surveil.alerts.deadline import Deadline, open_socket
from surveil.alerts.doubt import ClosedError
from surveil.errors import RetryLater

if TYPE_CHECKING:
    import paho.mqtt.client as mqtt

_KEEPALIVE_S = 30
_LOST = 7
"""Paho's code of a connection that is gone (MQTT_ERR_CONN_LOST)."""
_RETAIN_NOT_SUPPORTED = 0x9A
_TAKEN_OVER = 0x8E


class RefusedError(Exception):
    """The broker does not take this message; the connection is still good. Says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """How a broker is reached."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None: in the clear."""
    username: str = ""
    password: str = ""
    timeout_s: float = 5.0
    """For messages: a deadline says when, this how long it was."""

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


class Broker:
    """A connection to a broker. Made, used and closed on one thread; it has none of its own."""

    def __init__(self, login: Login, *, client_id: str = "", will: str = "") -> None:
        """Prepare a connection; `will` is the topic on which the broker says `offline` when it is lost."""
        self._login = login
        self._client_id = client_id
        self._will = will
        self.client = self._make()
        self._socket: Any = None
        self._why_ended = ""
        self._refused: dict[int, str] = {}
        """By message id: why it was not taken."""
        self._connack_code = 0
        self.most_bytes: int | None = None
        """The largest packet that the broker takes; None: it announced no limit."""
        self._retains = True

    def connect(self, deadline: Deadline) -> None:
        """Connect and log in. Raises RetryLater."""
        place = self._login.place
        try:
            self._try(deadline)
            if self._connack_code == _RETAIN_NOT_SUPPORTED and self._will:
                # The will itself is retained: without it the broker may take the rest.
                self.hang_up()
                self._retains, self._connack_code, self._why_ended, self._will = False, 0, "", ""
                self.client = self._make()
                self._try(deadline)
        except ssl.SSLCertVerificationError as error:
            self.hang_up()
            raise RetryLater(f"{place}: certificate refused: {error.verify_message}") from error
        except OSError as error:
            self.hang_up()
            why = "no answer" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
            raise RetryLater(f"{place}: {why}") from error
        if self._why_ended:
            self.hang_up()
            raise RetryLater(f"{place}: {self._why_ended}")

    def turn(self, seconds: float) -> None:
        """Read, write and keep alive once. Raises ClosedError when the connection is gone."""
        if self._spin(seconds):
            self.hang_up()
            raise ClosedError(f"{self._login.place}: {self._why_ended}")

    def publish(
        self, topic: str, payload: bytes, deadline: Deadline, *, retain: bool = False, key: str = ""
    ) -> None:
        """Publish and wait for the acknowledgement.

        Raises RefusedError when the broker does not take it, ClosedError when it ended the connection meanwhile, and
        RetryLater when it does not answer.
        """
        if why := self.too_large(topic, payload, key):
            raise RefusedError(why)
        properties = _properties(key)
        retain = retain and self._retains
        info = self.client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        try:
            while not info.is_published():
                self.turn(deadline.slice_s())
        except TimeoutError as error:
            self.hang_up()
            raise RetryLater(
                f"{self._login.place}: no acknowledgement in {self._login.timeout_s:g} s"
            ) from error
        except (ValueError, RuntimeError) as error:
            self.hang_up()
            raise RetryLater(f"{self._login.place}: not published: {type(error).__name__}") from error
        if why := self._refused.pop(info.mid, ""):
            raise RefusedError(why)

    def too_large(self, topic: str, payload: bytes, key: str = "") -> str:
        """Return by how much a message exceeds what the broker accepts; empty if it does not."""
        properties = _properties(key)
        size = 9 + len(topic.encode()) + len(payload) + (len(properties.pack()) if properties else 1)
        if self.most_bytes is None or size <= self.most_bytes:
            return ""
        return f"{size} bytes, the broker accepts at most {self.most_bytes}"

    def leave(self) -> None:
        """Disconnect in an orderly way: the broker does not publish the will."""
        try:
            self.client.disconnect()
            self._turn_once(0.0)
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        """Close the socket without a word: the broker then publishes the will."""
        # Paho forgets its socket without closing it when the broker was first.
        for sock in (self._socket, self.socket()):
            if sock is not None:
                sock.close()

    def socket(self) -> Any:
        """Return the socket of the connection, None without one."""
        return self.client.socket()

    def _try(self, deadline: Deadline) -> None:
        """Connect, and return when the broker has said yes or no; why not is in `_why_ended`."""
        client, login = self.client, self._login
        self._socket = open_socket(login.host, login.port, deadline, login.tls).raw
        # Paho would try one address after the other, each for the whole time, and hold up the end.
        client._create_socket = lambda: self._socket  # type: ignore[method-assign]  # noqa: SLF001 - its only way
        client.connect(login.host, login.port, _KEEPALIVE_S)
        while not client.is_connected() and not self._spin(deadline.slice_s()):
            pass

    def _spin(self, seconds: float) -> bool:
        """Read and write once; return whether the connection has ended."""
        code = self._turn_once(seconds)
        if (code or self._connack_code) and not self._why_ended:
            self._why_ended = "the broker closed the connection"
        return bool(self._why_ended)

    def _turn_once(self, seconds: float) -> int:
        """Do as paho's `loop`, which cannot wait for a descriptor beyond 1023; return its code."""
        client, sock = self.client, self.socket()
        if sock is None or sock.fileno() < 0:
            return _LOST
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        is_buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        events = sum(event for _, event in poll.poll(0 if is_buffered else seconds * 1000))
        code = client.loop_read() if is_buffered or events & ~select.POLLOUT else 0
        return code or (client.loop_write() if client.want_write() else 0) or client.loop_misc()

    def _make(self) -> mqtt.Client:
        import paho.mqtt.client as mqtt  # noqa: PLC0415 - optional
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 - optional

        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        if self._login.username:
            client.username_pw_set(self._login.username, self._login.password)
        if self._will:
            client.will_set(self._will, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._connack_code, self._why_ended = reason.value, str(reason)
            return
        self.most_bytes = getattr(properties, "MaximumPacketSize", None)
        self._retains = self._retains and getattr(properties, "RetainAvailable", 1) != 0
        if getattr(properties, "MaximumQoS", 1) == 0:
            self._why_ended = "the broker accepts QoS 0 only and acknowledges no messages; allow QoS 1"

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._refused[mid] = str(reason)

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if not flags.is_disconnect_packet_from_server:
            return
        self._why_ended = f"the broker closed the connection: {reason}"
        if reason.value == _TAKEN_OVER:
            self._why_ended += (
                "; another program uses the same client id, give each daemon its own `instance`"
            )


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
