"""Runs a capture and waits, without sleeping, for what it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from prometheus_client import CollectorRegistry

from surveil.capture.loop import CaptureLoop
from surveil.capture.packets import PacketRing
from surveil.capture.settings import StreamSettings
from surveil.clock import Stop, SystemClock
from surveil.lane import Lost
from surveil.metrics import STATES, Metrics
from surveil.types import Frame

QUICK = {"open_timeout_s": 1.0, "read_timeout_s": 0.4}
"""Timeouts for tests; a stall shows after twice the second."""


class Watch:
    """A capture on a thread of its own. Use in a `with`; the thread is joined at the end."""

    def __init__(self, url: str, *, packets: PacketRing | None = None, **settings: object) -> None:
        self.frames: list[Frame] = []
        self.losses: list[Lost] = []
        self.states: list[str] = []
        self._asked = 0
        self._news = threading.Condition()
        self.stop = Stop()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.add_camera("cam", ())
        stream = StreamSettings(url=url, **(QUICK | settings))
        self.clock = SystemClock()
        self.loop = CaptureLoop(
            "cam", stream, self._put, self._lost, self.metrics, self.clock, self.stop, packets=packets
        )
        self._thread = threading.Thread(target=self.loop.run, name="capture")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _put(self, frame: Frame) -> None:
        self._tell(lambda: self.frames.append(frame))

    def _lost(self, lost: Lost) -> None:
        self._tell(lambda: self.losses.append(lost))

    def _tell(self, note: Callable[[], None]) -> None:
        with self._news:
            note()
            if not self.states or self.states[-1] != self.loop.status.state:
                self.states.append(self.loop.status.state)
            self._news.notify_all()

    def until(self, met: Callable[[], object], what: str, timeout_s: float = 15.0) -> None:
        """Wait for a condition; it is looked at with every frame, every loss and every 50 ms."""
        deadline = self.clock.monotonic() + timeout_s
        with self._news:
            while not met():
                left = deadline - self.clock.monotonic()
                assert left > 0, f"{what} did not come; {self}"
                self._news.wait(min(left, 0.05))

    def until_frames(self, count: int = 5) -> None:
        """Wait for so many more frames."""
        target = len(self.frames) + count
        self.until(lambda: len(self.frames) >= target, f"{count} frames")

    def until_lost(self, cause: str) -> Lost:
        """Wait for the next loss that was not asked for yet, and check its cause."""
        known, self._asked = self._asked, self._asked + 1
        self.until(lambda: len(self.losses) > known, f"loss ({cause})")
        assert self.losses[known].cause == cause, str(self)
        return self.losses[known]

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name, {"camera": "cam"} | labels) or 0.0

    def shown_states(self) -> list[str]:
        """The states whose series is 1."""
        return [s for s in STATES if self.value("surveil_camera_state", state=s) == 1]

    def __str__(self) -> str:
        return f"{len(self.frames)} frames, {self.losses}, {self.loop.status.state}, {self.loop.status.error}"
