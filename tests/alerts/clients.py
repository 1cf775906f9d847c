"""What the tests of sinks reach the servers of `servers` with: settings that log in, and a listener at the broker."""

from __future__ import annotations

from pathlib import Path

from surveil.alerts.sinks.email import EmailSettings
from surveil.alerts.sinks.mqtt import MqttSettings

from .servers import wait_for


def mail_settings(
    port: int, certificate: tuple[Path, Path], security: str, **changes: object
) -> EmailSettings:
    values = {"host": "127.0.0.1", "port": port, "security": security, "ca_file": certificate[0]}
    values |= {
        "username": "nvr",
        "password": "s3cret",
        "sender": "nvr@x.example",
        "recipients": ["ops@x.example"],
    }
    return EmailSettings(**(values | changes))


def mqtt_settings(port: int, certificate: tuple[Path, Path], **changes: object) -> MqttSettings:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "ca_file": certificate[0],
        "username": "nvr",
        "password": "s3cret",
    }
    return MqttSettings(**(values | changes))


class Listener:
    """An MQTT client that notes everything it hears; driven by hand."""

    def __init__(self, port: int, certificate: tuple[Path, Path]) -> None:
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: dict[str, list] = {}
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.tls_set(str(certificate[0]))
        self.client.username_pw_set("nvr", "s3cret")
        self.client.on_message = lambda _c, _d, m: self.heard.setdefault(m.topic, []).append(m)
        self.client.on_connect = lambda c, *_: c.subscribe("#", qos=1)
        subscribed = []
        self.client.on_subscribe = lambda *_: subscribed.append(1)
        self.client.connect("127.0.0.1", port)
        self.socket = self.client.socket()
        wait_for(lambda: self.client.loop(0.05) == 0 and bool(subscribed), "subscription")

    def wait(self, topic: str, n: int = 1) -> bytes:
        def there() -> bool:
            self.client.loop(0.05)
            return len(self.heard.get(topic, [])) >= n

        wait_for(there, f"message on {topic}")
        return self.heard[topic][-1].payload

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        sent = self.client.publish(topic, payload, qos=1, retain=retain)
        wait_for(lambda: self.client.loop(0.05) == 0 and sent.is_published(), f"acknowledgement of {topic}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop(0.05)
        self.socket.close()
