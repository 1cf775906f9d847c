"""A daemon as a node of a fleet: it watches what its orders say, and only while it may."""

import json
import os
import signal
import stat
from itertools import count

import pytest

from surveil.clock import Stop, SystemClock
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.errors import StateError
from surveil.fleet import control
from surveil.fleet.messages import VALID_S, Orders
from tests.integration.world import Process, Webhook, config_text, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]


class Noting(RtspServer):
    """Counts what it is asked for; whoever says that it leaves asks for nothing."""

    asked = 0

    def before_reply(self, method):
        self.asked += method != "TEARDOWN"


@pytest.fixture
def stream(passing_clip):
    with Noting(RtpClip(passing_clip)) as server:
        yield server


class Node:
    """A daemon, and an agent whose coordinator is the test."""

    def __init__(self, tmp_path, stream, policy, webhook=None):
        self.state = tmp_path / "state"
        self.path = tmp_path / "config.yaml"
        fleet = {
            "node": "east", "store": str(tmp_path / "store"), "on_lost_coordinator": policy,
            "nodes": {"east": {"labels": {"site": "east"}, "capacity": 5}},
        }  # fmt: skip
        self.path.write_text(config_text(stream.url, self.state, webhook, top={"fleet": fleet}))
        self._numbers = count(1)

    def ask(self, **request):
        return control.ask(self.state, request)

    def report(self):
        return self.ask(do="status", cameras=True)

    def assign(self, peers=None, **grants):
        asked = self.report()["asked"]
        orders = Orders(number=next(self._numbers), asked=asked, grants=grants, peers=peers)
        assert self.ask(do="assign", orders=orders.plain()) == {"followed": True}

    def reads(self, **grants):
        """Renew until the daemon has followed."""

        def follows():
            self.assign(**grants)
            return self.report()["reading"] == grants

        return wait_for(follows)


def up(daemon):
    def answers():
        try:
            return daemon.ask(do="status")
        except StateError:
            return None

    return wait_for(answers, 60)


def test_a_node_watches_what_its_orders_say_and_tells_the_epoch(tmp_path, stream):
    with Webhook() as hook:
        node = Node(tmp_path, stream, "stop", hook.url)
        with Process(node.path) as daemon:
            report = up(node)
            assert (report["node"], report["labels"], report["capacity"]) == ("east", {"site": "east"}, 5)
            assert stat.S_IMODE((node.state / control.NAME).stat().st_mode) == 0o600
            assert node.report()["cameras"] == ["yard"]
            assert stream.sessions() == []
            node.reads(yard=7)

            def started():
                node.assign(yard=7)
                return hook.starts("intrusion")

            start = wait_for(started, 60)[0]
            assert start["details"]["epoch"] == 7
            assert start["evidence"]["snapshot"].endswith("-e7.jpg")
            found = samples(daemon.get("/metrics")[1])
            assert found["surveil_camera_lease_epoch", frozenset({("camera", "yard")})] == 7
            assert found["surveil_camera_owner", frozenset({("camera", "yard")})] == 1
            assert found["surveil_lease_age_seconds", frozenset()] < VALID_S
            node.assign(peers={"west": "https://10.0.0.2:9108", "east": "10.0.0.1:9108"}, yard=7)
            targets = json.loads(daemon.get("/fleet/targets")[1])
            assert targets == [
                {"targets": ["10.0.0.1:9108"], "labels": {"node": "east"}},
                {"targets": ["10.0.0.2:9108"], "labels": {"node": "west", "__scheme__": "https"}},
            ]
            node.reads()
            assert wait_for(lambda: stream.sessions() == [])
            ends = wait_for(
                lambda: [a for a in hook.alerts if a["phase"] == "end" and a["rule"] == "intrusion"]
            )
            assert ends[-1]["reason"] == "handed_over"
            assert node.report()["applied"] > 1
            assert daemon.end() == 0
        assert not (node.state / control.NAME).exists()


@pytest.mark.parametrize("policy", ["stop", "watch"])
def test_a_node_that_was_frozen_reads_nothing_before_it_may(tmp_path, stream, policy):
    node = Node(tmp_path, stream, policy)
    with Process(node.path) as daemon:
        up(node)
        node.reads(yard=7)
        wait_for(stream.sessions)
        os.kill(daemon.child.pid, signal.SIGSTOP)
        SystemClock().sleep(VALID_S + 1, Stop())
        stream.close_clients(reset=True)
        asked = stream.asked
        os.kill(daemon.child.pid, signal.SIGCONT)
        wait_for(lambda: node.report()["leases"] == {})
        SystemClock().sleep(1.5, Stop())
        # The other policy reads on, and so it may connect again.
        if policy == "stop":
            assert stream.asked == asked, "it has not asked the camera for anything"
        assert node.report()["reading"] == ({"yard": 7} if policy == "watch" else {})
        node.reads(yard=9)
        wait_for(stream.sessions)


def test_without_a_coordinator_one_policy_stops_and_a_restarted_daemon_goes_on_by_the_other(tmp_path, stream):
    node = Node(tmp_path, stream, "stop")
    with Process(node.path) as daemon:
        up(node)
        node.reads(yard=7)
        wait_for(stream.sessions)
        # A camera that connects again has no session for a moment: that is not the end of the lease.
        wait_for(lambda: node.report()["reading"] == {})
        assert wait_for(lambda: not stream.sessions())
        daemon.end()
    node.path.write_text(node.path.read_text().replace('"stop"', '"watch"'))
    with Process(node.path) as daemon:
        up(node)
        assert node.report()["reading"] == {}
        wait_for(stream.sessions)
        assert node.report()["reading"] == {"yard": 7}
        assert node.report()["leases"] == {}
        assert node.ask(do="drain", on=True) == {"draining": True}
        assert node.report()["draining"]
        node.ask(do="release", cameras=["yard"])
        assert wait_for(lambda: not stream.sessions())
        with pytest.raises(StateError, match="unknown request"):
            node.ask(do="dance")
        daemon.end()
