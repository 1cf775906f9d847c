"""Couriers come as a whole or not at all; the bell wakes those that there are, whichever came or went."""

import sqlite3
import threading

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.delivery import InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.app.couriers import Bell, Couriers
from surveil.clock import Stop, SystemClock
from surveil.errors import StateError
from surveil.metrics import Metrics
from surveil.threads import ThreadGroup

SETTINGS = OutboxSettings()


@pytest.fixture
def bell():
    return Bell()


@pytest.fixture
def couriers(tmp_path, bell):
    clock, group = SystemClock(), ThreadGroup(Stop())
    outbox = Outbox.open(tmp_path / "surveil.db", [], clock, SETTINGS)
    made = Couriers(
        outbox, SETTINGS, tmp_path, Metrics(CollectorRegistry()), clock, group,
        lambda: InstallationStatus(cameras={}), "surveil", bell,
    )  # fmt: skip
    yield made
    assert made.end(5.0)
    outbox.close()


def sink(path):
    return FileSinkSettings(type="file", path=path)


def test_a_bell_without_couriers_wakes_nobody(bell):
    bell.ring()
    assert bell.couriers == ()


def test_the_bell_knows_who_came_was_replaced_and_went(tmp_path, couriers, bell):
    couriers.add({name: sink(tmp_path / name) for name in ("one", "two")})
    first = {courier.name: courier for courier in bell.couriers}
    assert set(first) == {"one", "two"}
    couriers.add({"two": sink(tmp_path / "other")})
    second = {courier.name: courier for courier in bell.couriers}
    assert second["one"] is first["one"]
    assert second["two"] is not first["two"]
    couriers.remove(["one"])
    assert bell.couriers == (second["two"],)
    bell.ring()


def test_couriers_that_the_database_refuses_leave_those_there_are_at_work(tmp_path, couriers, bell):
    """Before, the reload was refused after the old courier had ended: no alert was delivered any more."""
    couriers.add({"one": sink(tmp_path / "one")})
    before = bell.couriers
    other = sqlite3.connect(tmp_path / "surveil.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="locked"):
        couriers.add({name: sink(tmp_path / "other") for name in ("one", "two")})
    other.close()
    assert bell.couriers == before
    running = {thread.name for thread in threading.enumerate() if thread.name.startswith("courier-")}
    assert running == {"courier-one"}
