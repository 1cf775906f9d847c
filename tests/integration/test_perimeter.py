"""The rule `perimeter` and `classes: [any]` through the replay, with a model that sees nobody."""

import pytest

from surveil.app.replay import Replay
from surveil.config import load
from tests.integration.world import config_text

EVERYWHERE = {"all": [[0, 0], [1, 0], [1, 1], [0, 1]]}
BLIND = {"high_score": 1.0}
"""No detection is as sure as this, so that nothing gets a track."""


@pytest.fixture(scope="module")
def alerts(passing_clip, detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("perimeter")
    rules = [
        {"type": "perimeter", "zone": "all"},
        {"type": "intrusion", "zone": "all", "classes": ["any"], "after_s": 0.4},
        {"type": "presence"},
    ]
    path = folder / "config.yaml"
    path.write_text(
        config_text(str(passing_clip), folder / "state", rules=rules, zones=EVERYWHERE, track=BLIND)
    )
    return Replay(load(path), "yard", detector, folder / "state").run([passing_clip]).alerts


def test_people_whom_the_model_does_not_see_are_found_by_their_way(alerts):
    starts = [(alert.rule, alert.label) for alert in alerts if alert.phase == "start"]
    assert starts.count(("perimeter", "object")) == 2
    assert starts.count(("intrusion", "object")) == 2
    assert len(starts) == 4
