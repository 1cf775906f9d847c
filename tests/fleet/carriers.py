"""State directories with what carries it between nodes."""

from contextlib import closing, contextmanager

import numpy as np

from surveil.alerts.arming import ArmingChannel, arm, disarm
from surveil.alerts.outbox import Outbox
from surveil.app.learned import LearnedCarrier
from surveil.clock import ManualClock
from surveil.features.counting.live import GRID
from surveil.features.counting.rollup import Key, Rollup, Sum
from surveil.features.counting.store import DATABASE, CountStore
from surveil.features.normality.store import NormalityStore

NOW = 1_700_000_000.0
DAY = 86_400
NOON = 20_000 * DAY + 12 * 3600
RULE = "yard", "intrusion"
SETTLE_S = 10.0


class Node:
    """A state directory with its carrier."""

    def __init__(self, folder, store):
        folder.mkdir()
        self.folder, self.store, self.held = folder, store, {}
        Outbox.open(folder / "surveil.db", [], ManualClock()).close()
        self._now = 1000.0
        self.restart()

    def restart(self):
        self.carrier = LearnedCarrier(
            self.folder,
            self.store,
            lambda: [(name, epoch, True) for name, epoch in self.held.items()],
            now=lambda: self._now,
        )

    def passes(self, seconds):
        self._now += seconds

    @property
    def models(self):
        return NormalityStore(self.folder, "yard")

    def model(self):
        path = self.models.path()
        return None if path is None else path.read_bytes()

    def disarmed(self):
        board = ArmingChannel(self.folder / "surveil.db")
        keys = set(board.read())
        board.close()
        return keys

    def disarm(self, *keys):
        self._switch(disarm(keys, NOW))

    def arm(self, *keys):
        self._switch(arm(keys, NOW))

    def _switch(self, change):
        with closing(ArmingChannel(self.folder / "surveil.db")) as board:
            board.change(change, NOW)

    def count(self, hour, n, camera="yard"):
        """Count n crossings in the hour that begins then, as a daemon does."""
        rollup = Rollup()
        rollup.sums[Key(camera=camera, hour=hour, kind="crossing", place="door", direction="in")] = Sum(n=n)
        rollup.maps[camera, hour // 86_400 * 86_400] = np.full(GRID[::-1], n, np.float32)
        with closing(CountStore(self.folder / DATABASE)) as store:
            store.add(rollup)

    def counted(self, camera="yard"):
        """Crossings by hour, and the sum of the map of all days."""
        with closing(CountStore(self.folder / DATABASE)) as store:
            hours = {key.hour: total.n for key, total in store.hours(camera, 0, 1e12)}
            return hours, float(store.map(camera, 0, 1e12).max())

    def carry(self, **held):
        """Take and put; the first time of a lease once more, when the node before has put its last changes."""
        self.round(**held)
        self.passes(SETTLE_S)
        self.carrier.run_once()

    def round(self, **held):
        """Take and put once."""
        self.held = held
        self.carrier.run_once()


@contextmanager
def away(store):
    """Take the store away for a while."""
    store.rename(store.with_name("away"))
    yield
    store.with_name("away").rename(store)


def share(*nodes):
    """Let each node take from the store and put there once, in this order."""
    for node in nodes:
        node.share()
