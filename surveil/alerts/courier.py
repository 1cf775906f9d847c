"""One courier per sink: it owns the sink's connection and its back-off, and delays no other sink.

`run_once` delivers one alert and raises nothing a sink may raise; `run` repeats it until the end is asked
for, and then makes one more short pass.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from surveil.alerts.database import DamagedError
from surveil.alerts.delivery import Delivery, InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Dead
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.base import Sink
from surveil.clock import Clock, Stop
from surveil.errors import PartlyRejected, Refused, Rejected, RetryLater, StateError
from surveil.logs import LogThrottle, scrub
from surveil.metrics import Metrics

if TYPE_CHECKING:
    from surveil.alerts.signed import Links

log = structlog.get_logger(__name__)
LAST_PASS_S = 0.5
"""How long deliveries may go on after the end was asked for."""
_IDLE_S = 0.5
"""How often an idle courier looks for work it was not woken for, and for the end."""
_PATIENCE = 3
"""Suspect failures of one alert before others go first."""
_MOST_REFUSALS = 12
"""Tries of an alert that the sink refuses: with the pauses of one sink, a quarter of an hour."""
_TELL_EVERY_S = 600.0
"""How often a sink that stays away is logged."""
RESULTS = ("delivered", "retry", "rejected", "error")


class Courier:
    """Carries one sink's alerts. Owned by its own thread; `wake` may come from any."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        outbox: Outbox,
        clock: Clock,
        settings: OutboxSettings,
        *,
        metrics: Metrics | None = None,
        rng: random.Random | None = None,
        status: Callable[[], InstallationStatus] | None = None,
        links: Links | None = None,
    ) -> None:
        self.name = name
        self._sink = sink
        self._queue, self._db = outbox.queue, outbox.db
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        # Jitter needs no cryptography.
        self._rng = rng or random.Random()  # noqa: S311
        self._status = status or InstallationStatus
        self._links = links
        self._wake = threading.Event()
        self._failures = 0
        self._resume_at = 0.0
        self._maintain_at = 0.0
        self._tell_at = 0.0
        self._answers = True
        """Whether the last failure was of one alert: the sink itself answers, and is maintained during the pause."""
        self._takes_new = False
        """Whether the pause is only for what was tried already: new alerts go at once."""
        self._new_refused = 0
        """How many new alerts were refused since the last one that was taken: after a few, the sink takes none now."""
        self._failed_at_maintenance = False
        self._unnoted: Callable[[], None] | None = None
        """Notes the end of the last delivery, which the outbox did not take (a full disk); nothing is sent before."""
        self._refusals, self._bugs = LogThrottle(clock), LogThrottle(clock)
        for result in RESULTS:
            self._count(result, 0)

    def wake(self) -> None:
        """Say that there is work. Does not end a back-off."""
        self._wake.set()

    def waits_s(self) -> float:
        """Seconds of back-off left."""
        return max(0.0, self._resume_at - self._clock.monotonic())

    def run(self, stop: Stop) -> None:
        """Deliver until `stop`, then for at most half a second more. What is left stays in the outbox."""
        try:
            while not stop:
                if pause_s := self._idle_s():
                    self._clock.sleep(pause_s, stop)
                elif not self._try_once() and (self._takes_new or not self.waits_s()):
                    self._wake.wait(_IDLE_S)
                    self._wake.clear()
            self._last_pass()
        finally:
            self._sink.close()

    def _idle_s(self) -> float:
        """Return for how many seconds there is nothing to do because of a back-off."""
        left = 0.0 if self._takes_new else self.waits_s()
        if self._answers and self._sink.maintain_every_s is not None:
            left = min(left, max(0.0, self._maintain_at - self._clock.monotonic()))
        return left

    def run_once(self) -> bool:
        """Maintain what the sink keeps, deliver one alert if one is due; return whether one was tried."""
        if self._unnoted and not self.waits_s():
            self._note(self._unnoted)
            self._succeeded()
        self._maintain()
        waits = self.waits_s() > 0
        if self._unnoted or (waits and not self._takes_new):
            return False
        delivery = self._queue.next(self.name, new=waits)
        if delivery is None:
            return False
        self._attempt(delivery)
        self._db.checkpoint()
        return True

    def _try_once(self) -> bool:
        """Do as `run_once`; a database that fails (a full disk) is waited for as for a sink.

        One that was damaged meanwhile ends the program: the next start takes over what can be read.
        """
        try:
            return self.run_once()
        except DamagedError:
            raise
        except StateError as error:
            self._answers = True
            self._back_off(str(error), None)
            return False

    def _last_pass(self) -> None:
        end = self._clock.monotonic() + LAST_PASS_S
        while not self.waits_s() and self._clock.monotonic() < end and self._try_once():
            pass

    def _attempt(self, delivery: Delivery) -> None:
        try:
            self._sink.deliver(self._linked(delivery))
        except RetryLater as error:
            self._retry(delivery, error)
        except Rejected as error:
            self._succeeded()
            self._give_up(delivery, error)
        except Exception as error:  # noqa: BLE001 - a bug in a sink must not stop the others
            self._bug(delivery, error)
        else:
            self._count("delivered")
            self._succeeded()
            self._note(partial(self._queue.delivered, self.name, delivery.seq))

    def _linked(self, delivery: Delivery) -> Delivery:
        """Return the delivery with the link to its event's page, where there are such pages."""
        return replace(delivery, alert=self._links.linked(delivery.alert)) if self._links else delivery

    def _retry(self, delivery: Delivery, error: RetryLater) -> None:
        refused = isinstance(error, Refused)
        if refused and delivery.suspect_failures + 1 >= _MOST_REFUSALS:
            self._failures = 0
            self._give_up(delivery, error)
            return
        self._count("retry")
        suspect = error.suspect and (refused or delivery.attempts + 1 >= _PATIENCE)
        self._queue.failed(self.name, delivery.seq, _words(error), suspect=suspect)
        self._answers = error.suspect
        self._back_off(str(error), error.after_s)
        self._new_refused += refused and not delivery.attempts
        self._takes_new = error.takes_new and self._new_refused < _PATIENCE

    def _give_up(self, delivery: Delivery, error: RetryLater | Rejected) -> None:
        """Make the alert a dead letter."""
        if n := self._refusals.take():
            alert = delivery.alert.id
            log.warning(
                "sink rejected alerts permanently", sink=self.name, times=n, last=alert, why=str(error)
            )
        self._count("rejected")
        reason = Dead.PARTIAL if isinstance(error, PartlyRejected) else Dead.REJECTED
        self._note(partial(self._queue.rejected, self.name, delivery.seq, _words(error), reason))

    def _note(self, note: Callable[[], None]) -> None:
        """Note how a delivery has ended. Raises StateError when that cannot be stored; it is not forgotten."""
        self._unnoted = note
        note()
        self._unnoted = None

    def _bug(self, delivery: Delivery, error: Exception) -> None:
        self._count("error")
        self._tell_bug(error)
        text = f"bug in the sink: {type(error).__name__}"
        self._queue.failed(self.name, delivery.seq, text, suspect=delivery.attempts + 1 >= _PATIENCE)
        self._answers = True
        self._back_off(text, None)

    def _tell_bug(self, error: Exception) -> None:
        if n := self._bugs.take():
            log.error("bug in a sink", sink=self.name, times=n, exc_info=error)

    def _maintain(self) -> None:
        """Let the sink refresh what would expire on the other side."""
        now = self._clock.monotonic()
        if self._sink.maintain_every_s is None or now < self._maintain_at:
            return
        if self.waits_s() and not self._answers:
            return
        try:
            self._sink.maintain(self._current())
        except (RetryLater, Rejected, StateError) as error:
            self._maintenance_failed(str(error), getattr(error, "after_s", None))
        except Exception as error:  # noqa: BLE001 - as above
            self._tell_bug(error)
            self._maintenance_failed(type(error).__name__, None)
        else:
            if self._failed_at_maintenance:
                self._succeeded()
        self._maintain_at = now + self._sink.maintain_every_s

    def _maintenance_failed(self, why: str, after_s: float | None) -> None:
        self._answers = False
        self._back_off(why, after_s)
        self._failed_at_maintenance = True

    def _current(self) -> InstallationStatus:
        status = self._status()
        return InstallationStatus(cameras=status.cameras, open=self._queue.open_at(self.name))

    def _back_off(self, why: str, after_s: float | None) -> None:
        """Pause twice as long as before, less up to a quarter of jitter; longer when the sink asks for it."""
        longest = self._settings.backoff_max_s
        pause = min(longest, self._settings.backoff_s * 2 ** min(self._failures, 30))
        pause *= 1 - 0.25 * self._rng.random()
        pause = max(pause, min(after_s or 0.0, 3600.0))
        self._failures += 1
        self._takes_new = self._failed_at_maintenance = False
        now = self._clock.monotonic()
        self._resume_at = now + pause
        if self._failures == 1 or now >= self._tell_at:
            self._tell_at = now + _TELL_EVERY_S
            log.warning(
                "sink unavailable, alerts wait in the outbox",
                sink=self.name,
                why=why,
                failures=self._failures,
                next_try_in_s=round(pause, 1),
            )

    def _succeeded(self) -> None:
        if self._failures:
            log.info("sink available again", sink=self.name, after_failures=self._failures)
        self._failures = self._new_refused = 0
        self._failed_at_maintenance = False

    def _count(self, result: str, n: int = 1) -> None:
        if self._metrics:
            self._metrics.delivery_attempts.labels(self.name, result).inc(n)


def _words(error: Exception) -> str:
    """Return what the outbox keeps of a failure: pages and commands show it, and a sink may repeat what it was told."""
    return str(scrub(str(error)))
