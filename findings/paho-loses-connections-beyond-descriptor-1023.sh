#!/usr/bin/env bash
# paho-mqtt 2.2.0: in a process with more than 1023 descriptors open, every connection counts as lost.
#
# Client.loop(), loop_start() and loop_forever() wait with select(), which takes no descriptor beyond 1023. Python raises
# ValueError for one, paho takes that for a socket that was closed meanwhile, and loop() returns MQTT_ERR_CONN_LOST
# ("The connection was lost."), although the broker has answered and the socket is good: it looks as if the broker hangs up.
# Raising the limit of descriptors (LimitNOFILE=) for a service with many cameras brings it about.
# Who builds a service on it: wait with poll() on client.socket(), and call loop_read(), loop_write() and loop_misc().
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install paho-mqtt==2.2.0 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import os
import resource
import select
import socket
import threading

import paho.mqtt.client as mqtt

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
broker = socket.create_server(("127.0.0.1", 0))


def serve():
    """Accept whoever connects, as an MQTT 5 broker does (CONNACK, success, no properties), and stay."""
    while True:
        connection, _ = broker.accept()
        connection.recv(4096)
        connection.sendall(b"\x20\x03\x00\x00\x00")
        stays.append(connection)


def connected():
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
    client.connect("127.0.0.1", broker.getsockname()[1])
    return client


stays = []
threading.Thread(target=serve, daemon=True).start()

few = connected()
while not few.is_connected():
    assert few.loop(1.0) == mqtt.MQTT_ERR_SUCCESS
print("few descriptors: connected by loop()")

held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
many = connected()
code = many.loop(1.0)
print("descriptor", many.socket().fileno(), "- loop() returns", repr(code))
assert code == mqtt.MQTT_ERR_CONN_LOST

other = connected()
poll = select.poll()
poll.register(other.socket(), select.POLLIN)
assert poll.poll(5000)
assert other.loop_read() == mqtt.MQTT_ERR_SUCCESS
print("the same waited for by poll(), read by loop_read(): connected", other.is_connected())
assert other.is_connected()
PY
echo "as described"
