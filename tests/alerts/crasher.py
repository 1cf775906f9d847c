"""A process that commits alerts and delivers them until it is killed: the victim of the kill -9 tests.

Prints the id of each alert after its commit has returned. Arguments: state directory, receiver's port, the
number of the first alert, and the ports of a mail server and of a broker, 0 for none. Beside them there are a
file, the log and a sink at a closed port.
"""

from __future__ import annotations

import itertools
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context
from surveil.alerts.evidence import Evidence, Scenery
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.settings import EvidenceSettings, OutboxSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.alerts.sinks.base import SinkSettings
from surveil.alerts.sinks.email import EmailSettings
from surveil.alerts.sinks.file import FileSettings
from surveil.alerts.sinks.log import LogSettings
from surveil.alerts.sinks.mqtt import MqttSettings
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.alerts.writer import AlertWriter, Job
from surveil.clock import Stop, SystemClock

from .helpers import alert, frame


def sinks(ports: Ports) -> dict[str, SinkSettings]:
    base = f"http://127.0.0.1:{ports.http}"
    made: dict[str, SinkSettings] = {
        "live": WebhookSettings(url=f"{base}/hook"),
        "file": FileSettings(path="alerts.jsonl"),
        "dead": WebhookSettings(url="http://127.0.0.1:9/"),
        "log": LogSettings(),
        "alertmanager": AlertmanagerSettings(url=base),
    }
    if ports.smtp:
        made["mail"] = EmailSettings(
            host="127.0.0.1",
            port=ports.smtp,
            security="none",
            sender="a@x.example",
            recipients=["b@x.example"],
        )
    if ports.mqtt:
        made["mqtt"] = MqttSettings(host="127.0.0.1", port=ports.mqtt, tls=False, discovery=False)
    return made


@dataclass(frozen=True)
class Ports:
    """Where the counterparts listen; 0: there is none."""

    http: int
    smtp: int = 0
    mqtt: int = 0


def start_couriers(
    outbox: Outbox, state_dir: Path, kinds: dict[str, SinkSettings], stop: Stop
) -> list[Courier]:
    clock = SystemClock()
    couriers = []
    for name, settings in kinds.items():
        sink = make_sink(settings, Context(name=name, state_dir=state_dir, stop=stop))
        couriers.append(Courier(name, sink, outbox, clock, OutboxSettings(backoff_max_s=1)))
        threading.Thread(target=couriers[-1].run, args=(stop,), daemon=True).start()
    return couriers


def main(state_dir: Path, first: int, ports: Ports) -> None:
    kinds = sinks(ports)
    outbox = Outbox.open(state_dir / "outbox.db", list(kinds), SystemClock())
    couriers = start_couriers(outbox, state_dir, kinds, Stop())

    def wake() -> None:
        for courier in couriers:
            courier.wake()

    writer = AlertWriter(outbox, Evidence(state_dir, EvidenceSettings(clean=False)), wake=wake)
    ended = outbox.end_open_events(0.0)
    print(*[a.id for a in ended], sep="\n", flush=True)
    picture = frame(160, 90)
    for n in itertools.count(first):
        for phase in ("start", "end"):
            counts = {Entry("gate", "intrusion", "opened"): 1} if phase == "start" else {}
            new = writer.write([Job([alert(n, phase)], Scenery(picture), counts)])
            print(*[a.id for a in new], sep="\n", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Ports(*(int(port) for port in sys.argv[3:])))
