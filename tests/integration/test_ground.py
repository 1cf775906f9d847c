"""Speed on the ground and the way that people go: a drawn yard whose metres are known, through the replay."""

import json

import pytest

from surveil.app.replay import Replay
from surveil.config import load
from surveil.demo.backdrop import Pinhole
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from tests.integration.world import config_text

pytestmark = pytest.mark.slow
METRES = ((-3.0, 7.0), (3.0, 7.0), (3.0, 11.0), (-3.0, 11.0))


def scale(size):
    """Four points of the drawn yard, in the picture and on the ground."""
    camera = Pinhole(*size)
    points = [camera.ground(x, z) for x, z in METRES]
    return {"points": [[x / size[0], y / size[1]] for x, y in points], "metres": METRES}


@pytest.fixture(scope="module")
def alerts(passing, passing_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    middle = {"middle": [[0.25, 0.3], [0.75, 0.3], [0.75, 1.0], [0.25, 1.0]]}
    rules = [
        {"type": "speed", "zone": "middle", "scale": scale(passing.size), "min_kmh": 1, "linger_s": 0.5},
        {"type": "speed", "name": "running", "zone": "middle", "scale": scale(passing.size), "min_kmh": 9},
        {"type": "wrong_way", "zone": "middle", "way": [[0.1, 0.6], [0.9, 0.6]]},
    ]
    path = folder / "config.yaml"
    path.write_text(config_text(str(passing_clip), folder / "state", rules=rules, zones=middle))
    detector = open_detector(ModelSettings(), ModelStore(folder / "models"))
    return Replay(load(path), "yard", detector, folder / "state").run([passing_clip]).alerts


def test_how_fast_somebody_walks_is_told_within_an_eighth(alerts, passing):
    told = [a.details["kmh"] for a in alerts if a.rule == "speed" and a.phase == "start"]
    way = [(w.way[0], w.way[-1]) for w in passing.walkers]
    truth = [3.6 * abs(b[1] - a[1]) / (b[0] - a[0]) for a, b in way]
    assert told == [pytest.approx(kmh, rel=0.125) for kmh in truth], json.dumps([told, truth])


def test_a_walk_is_no_run(alerts):
    assert not [a for a in alerts if a.rule == "running"]


def test_only_who_goes_against_the_arrow_goes_the_wrong_way(alerts, passing):
    wrong = [a for a in alerts if a.rule == "wrong_way" and a.phase == "start"]
    left = [c for c in passing.crossings("gate") if c.direction == "left"]
    assert [a.t for a in wrong] == [pytest.approx(c.t, abs=3.0) for c in left]
