"""`surveil collect` from running cameras: the daemon's own capture, one collector a camera, until enough is seen.

It opens each stream itself. Where the daemon runs with `learn: auto` it is not needed: the daemon learns alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry

from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import Clock, Stop
from surveil.features.health.picture_health import PictureHealth
from surveil.features.health.settings import HealthSettings
from surveil.features.normality.settings import NormalitySettings, is_excluded
from surveil.lane import Lost, Slot
from surveil.metrics import Metrics
from surveil.offline.normality.collect import Collected, FootageCollector
from surveil.ring import FrameRing
from surveil.threads import ThreadGroup
from surveil.types import Frame
from surveil.vision.motion import plane_size

log = structlog.get_logger(__name__)
FPS = 10.0
"""Frames a second that are looked at: more brings nothing (see `surveil.features.normality.flow`)."""
_JOIN_S = 5.0


@dataclass(slots=True, kw_only=True)
class FootageSource:
    """One camera to collect from. Owned by the thread that calls `collect_live`."""

    name: str
    stream: StreamSettings
    collector: FootageCollector
    normality: NormalitySettings = field(default_factory=NormalitySettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    stop: Stop = field(default_factory=Stop)
    """Ends this camera's capture alone."""


class _Eye:
    """Looks at one camera's frames and keeps those that may be learned from."""

    def __init__(self, source: FootageSource) -> None:
        self.source = source
        self._health = PictureHealth(source.health)
        self._why_not = ""

    def take(self, frame: Frame) -> bool:
        """Take one frame; return whether the folder has grown."""
        why_not = self._unfit(frame)
        if why_not != self._why_not:
            log.info("collecting", camera=frame.camera, paused=why_not or None)
            self.source.collector.gap()
            self._why_not = why_not
        return not why_not and self.source.collector.take(frame.picture, frame.t, frame.t_wall)

    def _unfit(self, frame: Frame) -> str:
        if frame.damaged:
            return "the pictures are damaged"
        size = plane_size(frame.picture.width, frame.picture.height, frame.picture.height)
        faults = self._health.update(frame.picture.luma(*size), frame.t).states
        if faults:
            return f"the picture is {', '.join(faults)}"
        return (
            "this hour is excluded" if is_excluded(frame.t_wall, self.source.normality.exclude_hours) else ""
        )


Told = Callable[[str, Collected], None]


def _serve(slot: Slot[_Eye], open_: set[str], progress: Told) -> None:
    """Take what one camera brings; forget it once it has its hours, or its recording has ended."""
    eye = slot.state
    source, item = eye.source, slot.item
    if isinstance(item, Lost):
        source.collector.gap()
    grew = isinstance(item, Frame) and eye.take(item)
    ended = source.collector.done or (isinstance(item, Lost) and item.final)
    if ended:
        source.collector.gap()
        source.stop.set()
        open_.discard(source.name)
    if grew or ended:
        progress(source.name, source.collector.collected())


def collect_live(
    sources: Sequence[FootageSource],
    stop: Stop,
    clock: Clock,
    progress: Told = lambda _camera, _collected: None,
) -> dict[str, Collected]:
    """Collect until every camera has its hours, or until `stop`; what is there by then is kept.

    A camera that is lost is opened again and again, as by the daemon. `progress` is told of every camera when its
    folder grows. Raises what ended a capture that should not have ended.
    """
    ring: FrameRing[_Eye] = FrameRing()
    metrics, group = Metrics(CollectorRegistry()), ThreadGroup(stop)
    open_ = {source.name for source in sources}
    for source in sources:
        ring.add(source.name, _Eye(source), FPS)
    loops = [CaptureLoop(s.name, s.stream, ring.put, ring.lose, metrics, clock, s.stop) for s in sources]
    for source, loop in zip(sources, loops, strict=True):
        group.start(f"capture-{source.name}", loop.run)
    try:
        while open_ and not stop:
            if (slot := ring.take(stop)) is not None:
                _serve(slot, open_, progress)
                ring.give_back(slot)
    finally:
        for source in sources:
            source.stop.set()
            source.collector.gap()
        group.join_all(_JOIN_S, clock)
    if group.failure is not None:
        raise group.failure
    return {source.name: source.collector.collected() for source in sources}
