"""The bell wakes the couriers that there are, whichever came or went since it was made."""

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.delivery import InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.file import FileSinkSettings
from surveil.app.couriers import Bell, Couriers
from surveil.clock import Stop, SystemClock
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
