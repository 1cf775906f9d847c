"""The agent of a node: brings the daemon's report to the coordinator and returns with its orders.

It decides nothing and remembers nothing. A daemon that is frozen makes no report, so its leases end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from surveil.clock import Clock, Stop
from surveil.errors import StateError
from surveil.fleet.control import ask
from surveil.fleet.messages import RENEW_S

log = structlog.get_logger(__name__)

Report = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Takes a node's report as JSON types and returns its orders (None: there are none). Raises CoordinatorLostError."""


class CoordinatorLostError(Exception):
    """The coordinator cannot be reached."""


class Agent:
    """Owned by one thread.

    Args:
        folder: state directory of the daemon.
        report: asks the coordinator.
        clock: for waiting.
    """

    def __init__(self, folder: Path, report: Report, clock: Clock) -> None:
        self._folder, self._report, self._clock = folder, report, clock
        self._tell_cameras = True
        self._trouble = ""

    def run(self, stop: Stop) -> None:
        """Renew until `stop`, whatever happens to the daemon or the coordinator."""
        while not stop:
            try:
                pause_s, trouble = self.run_once(), ""
            except (StateError, CoordinatorLostError) as error:
                pause_s, trouble = RENEW_S / 2, str(error)
                self._tell_cameras = True
            self._tell(trouble)
            self._clock.sleep(pause_s, stop)

    def run_once(self) -> float:
        """Report once and bring the orders; return how soon to do it again, s.

        Raises StateError when the daemon does not answer, CoordinatorLostError.
        """
        report = ask(self._folder, {"do": "status", "cameras": self._tell_cameras})
        orders = self._report(report)
        # Orders of another version may lack what only says how soon and how much to report.
        self._tell_cameras = orders is None or bool(orders.get("tell_cameras"))
        if orders is None:
            return RENEW_S / 2
        ask(self._folder, {"do": "assign", "orders": dict(orders)})
        return float(orders.get("again_s", RENEW_S))

    def _tell(self, trouble: str) -> None:
        """Log when trouble begins, changes its kind, and ends."""
        if trouble and not self._trouble:
            log.error("leases not renewed", why=trouble)
        elif self._trouble and not trouble:
            log.info("leases are renewed again")
        self._trouble = trouble
