"""How many series a daemon exposes: a number that its configuration gives, whatever the cameras see."""

import json
from collections import Counter

import pytest

from surveil.app.daemon import Daemon
from surveil.app.metrics_page import LABELS
from surveil.config import load
from tests.integration.world import config_text

A_CAMERA, A_RULE, A_SINK = 110, 12, 12
"""Most series of each; what a daemon has beside them is `A_DAEMON`."""
A_DAEMON = 180


def series(folder, detector, cameras, rules, sinks):
    """Every series, as its name and labels, of a daemon that has been made and not started."""
    one = json.loads(config_text("rtsp://127.0.0.1:9/cam", folder / "state"))
    camera = one["cameras"]["yard"]
    camera["rules"] = [{"type": "intrusion", "zone": "yard", "name": f"rule{k}"} for k in range(rules)]
    one["cameras"] = {f"c{k}": {**camera, "url": f"rtsp://127.0.0.1:9/{k}"} for k in range(cameras)}
    one["sinks"] = {f"s{k}": {"type": "log"} for k in range(sinks)}
    folder.mkdir()
    (folder / "config.yaml").write_text(json.dumps(one))
    daemon = Daemon(load(folder / "config.yaml"), detector)
    try:
        return [
            (sample.name, sample.labels)
            for family in daemon.registry.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]
    finally:
        daemon._watches.close()
        daemon.pipeline.commit.close()
        daemon.outbox.close()
        daemon._listener.close()


@pytest.mark.parametrize(("cameras", "rules", "sinks"), [(1, 1, 0), (4, 3, 2), (32, 2, 5)])
def test_series_are_bounded_by_what_the_configuration_names(tmp_path, detector, cameras, rules, sinks):
    found = series(tmp_path / "a", detector, cameras, rules, sinks)
    bound = A_DAEMON + cameras * (A_CAMERA + rules * A_RULE) + sinks * A_SINK
    worst = Counter(name for name, _ in found).most_common(5)
    assert len(found) <= bound, worst


def test_every_further_camera_costs_the_same(tmp_path, detector):
    one, two, nine = (len(series(tmp_path / str(n), detector, n, 1, 1)) for n in (1, 2, 9))
    assert nine - two == 7 * (two - one)


def test_every_label_is_one_of_the_page_s(tmp_path, detector):
    labels = {label for _, labels in series(tmp_path / "a", detector, 2, 1, 1) for label in labels}
    standard = {"implementation", "major", "minor", "patchlevel", "generation"}
    assert labels - standard <= set(LABELS)
