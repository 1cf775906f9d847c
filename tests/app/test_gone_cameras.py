"""What there is of cameras that are not configured any more is kept by `defaults`, of others by their own settings."""

import json

import pytest

from surveil.alerts import rows
from surveil.alerts.database import transaction
from surveil.alerts.rows import StoredAlert
from surveil.app.daemon import Daemon
from surveil.clock import DAY_S
from surveil.config import load
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.recording.index import DATABASE, Index, Segment

pytestmark = pytest.mark.rig
AGES = (3, 10, 25)
"""Of the files of each camera, days."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return open_detector(ModelSettings(), ModelStore(tmp_path_factory.mktemp("models")))


class Home:
    """A daemon that has been made and not started, with evidence and recordings of cameras that it does not know."""

    def __init__(self, folder, detector):
        self.path, self.state = folder / "config.yaml", folder / "state"
        (self.state / "recordings").mkdir(parents=True)
        Index(self.state / DATABASE).close()
        self.daemon = Daemon(self.configure(20), detector)
        self.recorder = self.daemon._recordings._recorder

    def configure(self, days, mode="off", **cameras):
        keep = {"evidence": {"keep_days": days}, "record": {"keep_days": days, "mode": mode}}
        text = {"version": 1, "state_dir": str(self.state), "defaults": keep, "cameras": cameras}
        self.path.write_text(json.dumps({**text, "http": {"listen": "127.0.0.1:0"}}))
        return load(self.path)

    def store(self, camera):
        for days in AGES:
            names = [f"{kind}/{camera}/2026-03-01/{days}.bin" for kind in ("evidence", "recordings")]
            for name in names:
                (self.state / name).parent.mkdir(parents=True, exist_ok=True)
                (self.state / name).write_bytes(b"data")
            with transaction(self.daemon.outbox.db.acks) as db:
                rows.store(db, [StoredAlert(names[0], camera, 4)], -days * DAY_S)
            self.recorder._index.add(
                Segment(camera=camera, path=names[1], start=0.0, seconds=60.0, bytes=4, created_s=-days * DAY_S,
                        state="whole")
            )  # fmt: skip

    def left(self, camera):
        """Delete what is due; return the ages of what is left, days: of evidence and of recordings."""
        self.daemon.evidence._retention.sweep()
        self.recorder.sweep()
        return tuple(
            sorted(int(file.stem) for file in (self.state / kind / camera).rglob("*.bin"))
            for kind in ("evidence", "recordings")
        )

    def close(self):
        self.recorder._index.close()
        self.daemon._watches.close()
        self.daemon.pipeline.commit.close()
        self.daemon.outbox.close()
        self.daemon._listener.close()


@pytest.fixture
def home(tmp_path, detector):
    made = Home(tmp_path, detector)
    yield made
    made.close()


@pytest.mark.parametrize("mode", ["off", "events"])
def test_a_camera_that_is_gone_is_kept_by_the_defaults_of_the_file(home, mode):
    home.store("gone")
    assert home.left("gone") == ([3, 10], [3, 10])
    home.configure(5, mode)
    assert home.daemon.reloader.reload().changes == {"sections_changed": ["defaults"]}
    assert home.left("gone") == ([3], [3])


def test_a_camera_that_another_node_watches_is_kept_by_its_own_settings(home):
    home.store("yard")
    own = {"evidence": {"keep_days": 15}, "record": {"keep_days": 30, "mode": "events"}}
    home.daemon.cameras.keep_others(home.configure(5, yard={"url": "rtsp://127.0.0.1:9/x", **own}))
    assert home.left("yard") == ([3, 10], [3, 10, 25])
