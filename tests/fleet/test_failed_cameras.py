"""A camera that could not be added is tried again, keeps no other out, and goes to another node in the end."""

import json

import pytest

from surveil.app.daemon import Daemon
from surveil.app.failed_cameras import PATIENCE_S, RETRY_S
from surveil.config import load
from surveil.detect.settings import ModelSettings
from surveil.features.counting.store import DATABASE
from surveil.fleet.messages import Orders
from surveil.models.store import ModelStore, open_detector

pytestmark = pytest.mark.rig
CAMERA = {"url": "rtsp://127.0.0.1:9/x"}
CAMERAS = {"yard": {**CAMERA, "counting": {"enabled": True}}, "gate": CAMERA}


class LeasedDaemon:
    """A daemon that gets its leases by hand. Its counts cannot be opened at first."""

    def __init__(self, folder, store):
        self.now, self.number = 1000.0, 0
        self.path, state = folder / "config.yaml", folder / "state"
        self.whole = {
            "version": 1,
            "state_dir": str(state),
            "http": {"listen": "127.0.0.1:0"},
            "cameras": CAMERAS,
            "fleet": {"node": "east", "store": str(store), "on_lost_coordinator": "stop"},
        }
        self.write()
        self.daemon = Daemon(load(self.path), open_detector(ModelSettings(), ModelStore(folder / "models")))
        self.daemon._node._now = lambda: self.now
        self.counts = state / DATABASE
        self.counts.symlink_to(folder / "away" / DATABASE)
        self.daemon.start()

    def write(self, **changes):
        self.path.write_text(json.dumps(self.whole | changes))

    def grant(self, **grants):
        """Renew the leases, and let the main thread look."""
        self.number += 1
        self.daemon._node._follow(Orders(number=self.number, asked=self.now, grants=grants))
        self.daemon._follow_leases()

    def passes(self, seconds, **grants):
        for _ in range(int(seconds)):
            self.now += 1.0
            self.grant(**grants)

    def report(self):
        return self.daemon._node._report(with_cameras=False)

    def runs(self):
        """Name the cameras with a thread that reads."""
        return {name for name, one in self.daemon.cameras.runtimes.items() if one.threads}


@pytest.fixture
def east(tmp_path, store):
    made = LeasedDaemon(tmp_path, store)
    yield made
    assert made.daemon.end()


def test_a_camera_that_could_not_be_added_comes_later_and_keeps_no_other_out(east):
    leases = {"yard": 7, "gate": 8}
    east.grant(**leases)
    assert east.runs() == {"gate"}
    assert set(east.daemon.pipeline.ring.books()) == {"gate"}
    assert east.report().reading == {"gate": 8}
    assert not east.daemon._node.differs()
    east.counts.unlink()
    east.passes(RETRY_S, **leases)
    assert east.runs() == {"yard", "gate"}
    assert east.report().reading == leases


def test_a_reload_adds_at_once_what_could_not_be_added(east):
    east.grant(yard=7, gate=8)
    east.counts.unlink()
    assert east.daemon.reloader.reload().good
    assert east.runs() == {"yard", "gate"}


def test_a_camera_that_is_granted_during_a_refused_reload_is_added(east):
    east.grant(gate=8)
    east.daemon._node._follow(Orders(number=100, asked=east.now, grants={"yard": 7, "gate": 8}))
    digest = east.report().digest
    east.write(log={"level": "warning"})
    assert not east.daemon.reloader.reload().good
    assert east.report().digest == digest
    assert east.report().reading == {"gate": 8}
    east.counts.unlink()
    east.daemon._follow_leases()
    assert east.runs() == {"yard", "gate"}


def test_a_node_says_for_a_minute_that_it_cannot_watch_what_it_has_tried_for_a_minute(east):
    leases = {"yard": 7, "gate": 8}
    east.grant(**leases)
    east.passes(PATIENCE_S - 1, **leases)
    assert east.report().unable == []
    east.passes(1, **leases)
    assert east.report().unable == ["yard"]
    east.passes(PATIENCE_S - 1, gate=8)
    assert east.report().unable == ["yard"]
    east.passes(1, gate=8)
    assert east.report().unable == []
