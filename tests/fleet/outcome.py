"""What became of the alerts of a fleet: what its nodes have written down, and what has arrived."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.fleet.clock import Step

Alerts = list[dict]


def written(state: Path) -> Alerts:
    """All alerts in the outbox of a node, in order."""
    return [json.loads(body) for (body,) in _rows(state, "SELECT body FROM alerts ORDER BY seq")]


def waiting(state: Path) -> int:
    """How many alerts of a node have not arrived yet."""
    return next(iter(_rows(state, "SELECT count(*) FROM deliveries WHERE state <> 'delivered'")))[0]


def lost(nodes: Mapping[str, Alerts], arrived: Iterable[dict]) -> set[str]:
    """Alerts that a node has written down and that never arrived."""
    return {alert["id"] for alerts in nodes.values() for alert in alerts} - {a["id"] for a in arrived}


def twice(nodes: Mapping[str, Alerts], arrived: Iterable[dict]) -> set[str]:
    """What was told twice as if it were two: one phase under two ids, or one epoch of a camera by two nodes."""
    ids, owners = defaultdict(set), defaultdict(set)
    for alert in arrived:
        ids[f"{alert['event_id']} {alert['phase']}"].add(alert["id"])
    for node, alerts in nodes.items():
        for alert in _of_cameras(alerts):
            owners[f"{alert['camera']} {alert['details']['epoch']}"].add(node)
    return {key for found in (ids, owners) for key, several in found.items() if len(several) > 1}


def overtaken(nodes: Mapping[str, Alerts], steps: Sequence[Step] = ()) -> int:
    """How many starts have a lower epoch than one before them: of a node that another had replaced."""
    starts = sorted(
        (_right(node, alert["t_wall"], steps), alert["camera"], alert["details"]["epoch"])
        for node, alerts in nodes.items()
        for alert in _of_cameras(alerts)
    )
    highest: dict[str, int] = {}
    number = 0
    for _, camera, epoch in starts:
        number += epoch < highest.get(camera, 0)
        highest[camera] = max(epoch, highest.get(camera, 0))
    return number


def unended(nodes: Mapping[str, Alerts], owners: Mapping[str, str]) -> set[str]:
    """Events without an end whose camera is not with their node (`owners`: node by camera)."""
    return {
        alert["event_id"]
        for node, alerts in nodes.items()
        for alert in _of_cameras(alerts)
        if alert["event_id"] not in _ended(alerts) and owners.get(alert["camera"]) != node
    }


def begun_twice(nodes: Mapping[str, Alerts]) -> set[str]:
    """Events that a node began while another of the same rule and place had no end."""
    found = set()
    for alerts in nodes.values():
        going_on: dict[tuple[str, str, str], str] = {}
        for alert in alerts:
            what = alert["camera"], alert["rule"], alert["key"]
            if alert["phase"] == "start":
                found |= {alert["event_id"]} if what in going_on else set()
                going_on[what] = alert["event_id"]
            elif going_on.get(what) == alert["event_id"]:
                del going_on[what]
    return found


def _right(node: str, t_wall: float, steps: Sequence[Step]) -> float:
    for step in steps:
        t_wall = step.right(node, t_wall)
    return t_wall


def _of_cameras(alerts: Alerts) -> Alerts:
    """The starts of events that belong to a camera."""
    return [alert for alert in alerts if alert["phase"] == "start" and "epoch" in alert["details"]]


def _ended(alerts: Alerts) -> Collection[str]:
    return {alert["event_id"] for alert in alerts if alert["phase"] == "end"}


def _rows(state: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{state / 'surveil.db'}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(query).fetchall()
