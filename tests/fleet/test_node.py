"""What a node shows of its leases, and the clock that they run by."""

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

import surveil.fleet
from surveil.alerts.outbox import Outbox
from surveil.app import node as node_module
from surveil.app.fleetcheck import look
from surveil.clock import ManualClock, Stop, SystemClock, boot_s
from surveil.errors import StateError
from surveil.features.normality.store import NormalityStore
from surveil.fleet.control import ControlSocket, ask
from surveil.fleet.messages import STOP_S, Orders
from surveil.fleet.shelf import Shelf
from surveil.threads import Heartbeats, ThreadGroup
from tests.integration.world import wait_for

BOOT = "from surveil.clock import boot_s; print(boot_s())"


def shown(node, name):
    """Values of a metric by camera."""
    registry = CollectorRegistry()
    registry.register(node.collector())
    return {
        sample.labels["camera"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def have_what_the_leases_say(node):
    """Do as the daemon does, with cameras of which none fails."""
    whole = node._whole
    cameras = node.narrow(whole).cameras
    node.begin(whole)
    node.applied(cameras)


@pytest.mark.parametrize(("policy", "without"), [("watch", {"yard": 0.0}), ("stop", {})])
def test_a_node_shows_that_it_watches_without_a_lease_for_as_long_as_it_does(make_node, policy, without):
    now = 1000.0
    node = make_node("east", lambda: now, policy)

    def follow(number):
        node._follow(Orders(number=number, asked=now, grants={"yard": 7}))
        have_what_the_leases_say(node)

    follow(1)
    assert shown(node, "surveil_camera_owner") == {"yard": 1.0}
    for now in range(1001, 1030):
        node._leases.look(now)
    assert now > 1000 + STOP_S
    have_what_the_leases_say(node)
    assert shown(node, "surveil_camera_owner") == without
    assert node.may_read("yard") is (policy == "watch")
    follow(2)
    assert shown(node, "surveil_camera_owner") == {"yard": 1.0}
    assert shown(node, "surveil_camera_lease_epoch") == {"yard": 7}


def test_a_node_names_the_cameras_of_the_fleet_whoever_watches_them(make_node):
    assert shown(make_node("east"), "surveil_fleet_camera") == {"yard": 1.0, "gate": 1.0}


def test_a_node_that_stops_puts_what_was_changed_last(make_node, store, tmp_path):
    """Counts are written when the pipeline ends, and so after the stop was asked for."""
    node, folder = make_node("east"), tmp_path / "east"
    Outbox.open(folder / "surveil.db", [], ManualClock()).close()
    node._follow(Orders(number=1, asked=boot_s(), grants={"yard": 7}))
    have_what_the_leases_say(node)
    clock, stop = SystemClock(), Stop()
    (service,) = node.services(ThreadGroup(stop), clock, stop, Heartbeats(clock))
    service.start()
    stop.set()
    models = NormalityStore(folder, "yard")
    models.publish(b"model")
    assert service.stop(60.0)
    shelf = Shelf(store, "learned/yard")
    entry = wait_for(shelf.newest)
    assert shelf.get(entry.parts["normality"]) == b"model"


def test_an_outbox_that_cannot_be_read_ends_no_lease(make_node, tmp_path):
    path = tmp_path / "east" / "surveil.db"
    path.parent.mkdir()
    outbox = Outbox.open(path, [], ManualClock())
    node = make_node("east", deliveries=outbox.queue.counts)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE deliveries")
    with pytest.raises(StateError):
        outbox.queue.counts()
    serving = threading.Thread(target=lambda: node._socket.serve_one(node._answer, 10.0))
    serving.start()
    report = ask(tmp_path / "east", {"do": "status"})
    serving.join()
    outbox.close()
    assert (report["node"], report["pending"]) == ("east", 0)


def test_the_check_of_a_node_says_that_it_has_no_orders(make_node, tmp_path):
    now = 1000.0
    node = make_node("east", lambda: now)
    config = replace(node._whole, state_dir=tmp_path / "east")

    def leases():
        serving = threading.Thread(target=lambda: node._socket.serve_one(node._answer, 10.0))
        serving.start()
        found = {one.what: one for one in look(config, config.fleet)}
        serving.join()
        return found["leases"].good, found["leases"].text

    assert leases()[0] is False
    node._follow(Orders(number=1, asked=now, grants={"yard": 7}))
    now += 2
    assert leases() == (True, "were renewed 2 s ago")
    now += 60
    good, text = leases()
    assert not good
    assert "no orders for 62 s; is `surveil fleet start`" in text


def test_a_request_that_fails_is_an_error_and_the_next_one_is_answered(tmp_path):
    board = ControlSocket(tmp_path)

    def fails(_request):
        raise StateError("disk I/O error")

    serving = threading.Thread(target=lambda: [board.serve_one(one, 10.0) for one in (fails, dict)])
    serving.start()
    with pytest.raises(StateError, match="disk I/O error"):
        ask(tmp_path, {"do": "status"})
    assert ask(tmp_path, {"do": "status"}) == {"do": "status"}
    serving.join()
    board.close()


def test_no_lease_knows_the_time_of_day():
    """A clock that is set an hour forward or back changes no lease."""
    files = [*Path(surveil.fleet.__file__).parent.glob("*.py"), Path(node_module.__file__)]
    for path in files:
        assert not re.search(r"\bwall\b|time\.time|datetime", path.read_text()), path


@pytest.mark.rig
def test_leases_run_by_the_clock_that_counts_suspended_time():
    unshare = shutil.which("unshare")
    ahead = [unshare or "", "--map-root-user", "--time", "--fork", "--boottime", "3600"]
    if unshare is None or subprocess.run([*ahead, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no time namespaces here")
    before = boot_s()
    done = subprocess.run([*ahead, sys.executable, "-c", BOOT], capture_output=True, text=True, check=True)
    assert before + 3600 <= float(done.stdout) <= boot_s() + 3600
