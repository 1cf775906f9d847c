"""What the tests of reload share: a configuration file that is edited, and the daemon that is asked to follow it."""

from __future__ import annotations

import json
import signal

from tests.integration.world import samples, wait_for

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
