"""Probes of cameras for the console: each on its own thread, a few at a time, with a time limit.

What a probe found, and its picture, stay in memory for some minutes and are never stored.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from surveil.clock import Clock, Stop
from surveil.config import CameraConfig
from surveil.console.refusal import Refusal, not_found
from surveil.console.running import Probed

log = structlog.get_logger(__name__)

LIMIT_S = 30.0
"""How long a probe may take: a camera that sends a key frame every 12 s is told so within it."""
AT_ONCE = 2
_KEPT = 8
_KEPT_S = 600.0
_END_S = 2.0
"""How long the end of the daemon waits for probes; opening a stream cannot be interrupted."""
Prober = Callable[[CameraConfig, Stop], Probed]


@dataclass(slots=True, kw_only=True)
class Probe:
    """One probe. `found` is set once, by its thread."""

    camera: CameraConfig
    began: float
    """Monotonic s."""
    stop: Stop = field(default_factory=Stop)
    found: Probed | None = None


class Probes:
    """The probes of one console. Any thread may call any method."""

    def __init__(self, run: Prober, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._probes: dict[str, Probe] = {}
        self._threads: list[threading.Thread] = []
        self._ended = False

    def start(self, camera: CameraConfig) -> str:
        """Probe a camera; return what the probe is called. Raises Refusal (429) while others are under way."""
        with self._lock:
            self._forget()
            if self._ended or sum(one.found is None for one in self._probes.values()) >= AT_ONCE:
                raise Refusal(
                    429, "limited", "other cameras are being probed", remedy="try again in half a minute",
                    headers={"retry-after": str(round(LIMIT_S))},
                )  # fmt: skip
            name = secrets.token_urlsafe(12)
            probe = self._probes[name] = Probe(camera=camera, began=self._clock.monotonic())
            thread = threading.Thread(target=self._work, args=(probe,), name="probe", daemon=True)
            self._threads.append(thread)
            thread.start()
        return name

    def get(self, name: str) -> Probe:
        """Return a probe. Raises Refusal (404) for one that is unknown or forgotten."""
        with self._lock:
            self._forget()
            if name not in self._probes:
                raise not_found("probe")
            return self._probes[name]

    def since_s(self, probe: Probe) -> float:
        """Return how long ago a probe began."""
        return self._clock.monotonic() - probe.began

    def close(self) -> None:
        """End all probes."""
        with self._lock:
            self._ended = True
            threads = list(self._threads)
            for probe in self._probes.values():
                probe.stop.set()
        for thread in threads:
            thread.join(_END_S / len(threads))

    def _work(self, probe: Probe) -> None:
        limit = threading.Timer(LIMIT_S, probe.stop.set)
        limit.daemon = True
        limit.start()
        try:
            probe.found = self._run(probe.camera, probe.stop)
        except Exception:
            log.exception("bug in a probe", camera=probe.camera.name)
            probe.found = Probed(failure="this is a bug in surveil, please report it")
        finally:
            limit.cancel()

    def _forget(self) -> None:
        """Forget probes that are old, or too many."""
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        done = [name for name, one in self._probes.items() if one.found is not None]
        old = [name for name in done if self.since_s(self._probes[name]) > _KEPT_S]
        for name in {*old, *done[: max(0, len(self._probes) - _KEPT)]}:
            del self._probes[name]
