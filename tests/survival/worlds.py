"""A running daemon without cameras that can be reached, for damaged configurations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surveil.app.daemon import Daemon
from surveil.config import load
from surveil.detect.detector import Detector

TEXT = """version: 1
defaults: {{detect: {{fps: 5}}, motion: {{threshold: 3}}}}
schedules:
  night: {{timezone: Europe/Berlin, windows: ["mon-fri 18:00-06:00", "sat,sun 00:00-24:00"]}}
cameras:
  yard:
    url: "rtsp://user:secret-word@127.0.0.1:9/x"
    enabled: false
    zones: {{yard: [[0.1, 0.4], [0.9, 0.4], [0.9, 1.0], [0.1, 1.0]]}}
    lines: {{door: [[0.5, 0.0], [0.5, 1.0]]}}
    masks: {{m: {{points: [[0, 0], [0.2, 0], [0.2, 0.2]], hide: both}}}}
    counting: {{enabled: true, lines: [door], zones: [yard], classes: [person]}}
    normality: {{enabled: true, exclude_hours: ["22:00-06:00"]}}
    rules:
      - {{type: intrusion, zone: yard, classes: [person], after_s: 1.0, schedule: night, name: a}}
      - {{type: line_crossing, line: door, classes: [person]}}
      - {{type: left_object, zone: yard}}
      - {{type: picture}}
      - {{type: anomaly}}
sinks:
  archive: {{type: file, path: alerts.jsonl}}
  lg: {{type: log}}
state_dir: {state}
http: {{listen: "127.0.0.1:0"}}
outbox: {{max_pending: 10}}
storm: {{max_per_hour: 3}}
"""


@contextmanager
def running(folder: Path, detector: Detector) -> Iterator[Daemon]:
    """Yield a daemon that runs."""
    path = folder / "config.yaml"
    path.write_text(TEXT.format(state=folder / "state"))
    daemon = Daemon(load(path), detector)
    daemon.start()
    try:
        yield daemon
    finally:
        assert daemon.end()
