"""Reload by SIGHUP, as its user sees it: what is unchanged does not notice, what is bad is refused, all is told."""

import json
import signal

import pytest

from surveil.demo.rtp import Clip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.world import Process, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
ZONE = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]


class File:
    """A configuration file that a test edits, and the daemon that runs by it."""

    def __init__(self, folder, cameras, sinks=None, **top):
        self.path = folder / "config.yaml"
        self.whole = {
            "version": 1,
            "cameras": cameras,
            "sinks": sinks or {},
            "state_dir": str(folder / "state"),
            "http": {"listen": "127.0.0.1:0"},
            **top,
        }
        self.write()

    def write(self):
        """Replace the file as an editor does, so that nobody reads half of it."""
        half = self.path.with_suffix(".tmp")
        half.write_text(json.dumps(self.whole, indent=1))
        half.rename(self.path)


def reload(daemon):
    """Ask for a reload; return how it ended."""
    before = json.loads(daemon.get("/status")[1])["reload"]["at"]
    daemon.child.send_signal(signal.SIGHUP)

    def ended():
        found = json.loads(daemon.get("/status")[1])["reload"]
        return found if found["at"] > before else None

    return wait_for(ended, 30)


def metrics(daemon, name, **labels):
    """The values of a metric, by the labels that were not given."""
    found = {}
    for (sample, its), value in samples(daemon.get("/metrics")[1]).items():
        rest = dict(its)
        if sample == name and all(rest.pop(key, None) == wanted for key, wanted in labels.items()):
            found[tuple(rest[key] for key in sorted(rest))] = value
    return found


def camera(url, **more):
    return {
        "url": str(url),
        "zones": {"yard": ZONE},
        "rules": [{"type": "intrusion", "zone": "yard", "after_s": 0.5}],
        **more,
    }


@pytest.fixture
def stream(passing_clip):
    with RtspServer(Clip(passing_clip)) as server:
        yield server


def test_one_zone_of_sixteen_cameras_changes_and_the_others_do_not_notice(tmp_path, passing_clip, stream):
    # Two over RTSP, which could reconnect; the others read a recording in real time for ever.
    urls = [stream.url, stream.url + "?second"] + [passing_clip] * 14
    names = [f"cam{k:02}" for k in range(16)]
    slow = {"detect": {"fps": 0.25}, "health": {"enabled": False}}
    file = File(
        tmp_path,
        {
            n: camera(url, **slow, **({"repeat": True} if k > 1 else {}))
            for k, (n, url) in enumerate(zip(names, urls, strict=True))
        },
    )
    with Process(file.path) as daemon:
        up = lambda: metrics(daemon, "surveil_camera_state", state="streaming")  # noqa: E731
        wait_for(lambda: sum(up().values()) == 16, 60)
        file.whole["cameras"]["cam05"]["zones"]["yard"] = [[0.1, 0.3], [0.9, 0.3], [0.9, 0.9]]
        file.write()
        result = reload(daemon)
        assert result["changes"] == {"cameras_changed": ["cam05"]}
        received = metrics(daemon, "surveil_frames_received_total")
        wait_for(
            lambda: all(
                n > received[key] for key, n in metrics(daemon, "surveil_frames_received_total").items()
            )
        )
        assert metrics(daemon, "surveil_frames_dropped_total", reason="lost") == {
            (name,): 0 for name in names
        }
        assert sum(metrics(daemon, "surveil_camera_disconnects_total").values()) == 0
        after = metrics(daemon, "surveil_camera_connects_total")
        assert {after[name,] for name in names[:2]} == {1.0}
        assert daemon.end() == 0
