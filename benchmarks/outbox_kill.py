"""Kill -9 at random moments under load, again and again: 0 committed alerts lost, no id twice in the books.

    python benchmarks/outbox_kill.py --kills 100

A process commits alerts with evidence to every kind of sink until it is killed: a webhook, a file, the log, a
mosquitto and a mail server with TLS and passwords, an Alertmanager, a service of Apprise, Grafana's API as documented,
and a dead webhook. Afterwards everything it had said was committed must have arrived at each live sink, ends after
starts, repetitions under the same key, one annotation for each event, and `check` must find nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from alerts.test_crash import kill_often


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        committed, repeated = kill_often(Path(folder), options.kills, options.seed, everything=True)
    print(
        f"{options.kills} kills, {committed} alerts committed, 0 lost, {repeated} repetitions under the same key"
    )


if __name__ == "__main__":
    main()
