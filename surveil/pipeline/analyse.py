"""The stage that owns every camera's engine: observation → tracks → events → alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from surveil.clock import Clock
from surveil.engine import LOST_GRACE_S, CameraEngine, Step
from surveil.lane import Lost
from surveil.metrics import Metrics
from surveil.pipeline.commit import CommitRequest, PictureOverlay
from surveil.pipeline.decisions import DecisionLog
from surveil.pipeline.inbox import Inbox
from surveil.pipeline.work import CameraSlot
from surveil.reasons import Reason
from surveil.types import Observation, Track
from surveil.vision.foresight import Foresight

log = structlog.get_logger(__name__)
_TICK_S = 0.5
"""How often lost cameras are looked after: their open events end after the grace."""


@dataclass(slots=True)
class _Away:
    """A camera without a stream."""

    lost: Lost
    since: float
    """Monotonic s."""


@dataclass(frozen=True, slots=True)
class Admit:
    """A camera comes, before the first frame of it."""

    camera: str
    engine: CameraEngine
    places: PictureOverlay


@dataclass(frozen=True, slots=True)
class Retune:
    """A camera goes on differently from its next frame on."""

    camera: str
    change: Callable[[CameraEngine], Step]
    places: PictureOverlay
    done: Callable[[], None]
    """Called once what it led to is on the disk."""


@dataclass(frozen=True, slots=True)
class Attend:
    """Something that follows the tracks of a camera changes, on the thread that has them."""

    camera: str
    change: Callable[[float], None]
    """Given the Unix time of the camera's last frame."""


@dataclass(frozen=True, slots=True)
class Dismiss:
    """A camera goes, after the last frame of it: what is open ends for `reason`."""

    camera: str
    reason: Reason
    done: Callable[[], None]
    """Called once what it led to is on the disk."""


Order = Admit | Retune | Attend | Dismiss


class TrackObserver(Protocol):
    """Follows the tracks of all cameras, beside the rules. Owned by the analyse thread."""

    def take(
        self, camera: str, tracks: Sequence[Track], size: tuple[int, int], t: float, t_wall: float
    ) -> None:
        """Take the tracks of one frame of `size` px at stream time `t` and Unix time `t_wall`."""

    def lose(self, camera: str, t_wall: float) -> None:
        """Note that the camera is away or shows something else."""

    def drop(self, camera: str, t_wall: float) -> None:
        """Let a camera go."""


class StepObserver(Protocol):
    """Shows what a frame led to. Told by the analyse thread, which it must not keep waiting."""

    def analysed(self, camera: str, observation: Observation, step: Step) -> None:
        """Take note of a frame that was analysed."""


class AnalyseStage:
    """One thread; no locks and no I/O here. It owns the engines: what changes them comes through its inbox.

    `observer`: what follows the tracks, too. `audience`: who shows them.
    """

    def __init__(
        self,
        offer: Callable[[CommitRequest], None],
        metrics: Metrics,
        clock: Clock,
        observer: TrackObserver | None = None,
        decisions: DecisionLog | None = None,
        audience: StepObserver | None = None,
    ) -> None:
        self.inbox: Inbox[CameraSlot | Order] = Inbox()
        self._engines: dict[str, CameraEngine] = {}
        self._places: dict[str, PictureOverlay] = {}
        self._foresight: dict[str, Foresight] = {}
        self._offer = offer
        self._metrics = metrics
        self._seconds = metrics.stage.labels("analyse")
        self._clock = clock
        self._observer = observer
        self._audience = audience
        self.decisions = decisions or DecisionLog(())
        """What was decided about frames, by the minute."""
        self._away: dict[str, _Away] = {}
        self._tracks: dict[str, tuple[Track, ...]] = {}

    def run(self, beat: Callable[[], None]) -> None:
        """Serve until the inbox is closed and empty, then end what is open."""
        while not self.inbox.is_done:
            for item in self.inbox.take(64, beat, patience_s=_TICK_S):
                self.process(item)
            self.tick()
        self.finish(Reason.STOP)

    def process(self, item: CameraSlot | Order) -> None:
        """Analyse what a slot brings and hand it on, or do as one is told."""
        match item:
            case Admit():
                self._engines[item.camera] = item.engine
                self._place(item.camera, item.places)
            case Retune():
                self._retune(item)
            case Attend():
                item.change(self._engines[item.camera].t_wall)
            case Dismiss():
                self._dismiss(item)
            case _:
                self._analyse(item)

    def _analyse(self, slot: CameraSlot) -> None:
        if slot.is_orphan:
            return
        started = self._clock.monotonic()
        step = self._lose(slot, slot.item) if isinstance(slot.item, Lost) else self._step(slot)
        self._seconds.observe(self._clock.monotonic() - started)
        self._offer(CommitRequest(camera=slot.camera, step=step, slot=slot, places=self._places[slot.camera]))

    def _retune(self, order: Retune) -> None:
        step = order.change(self._engines[order.camera])
        # The ends of the old rules' events are still drawn where those rules saw them.
        self._offer(
            CommitRequest(camera=order.camera, step=step, places=self._places[order.camera], done=order.done)
        )
        self._place(order.camera, order.places)

    def _place(self, camera: str, places: PictureOverlay) -> None:
        self._places[camera] = places
        self._foresight[camera] = Foresight(places.zones.values(), places.lines.values())

    def _dismiss(self, order: Dismiss) -> None:
        engine = self._engines.pop(order.camera)
        if self._observer:
            self._observer.drop(order.camera, engine.t_wall)
        places = self._places.pop(order.camera)
        del self._foresight[order.camera]
        self._away.pop(order.camera, None)
        self._tracks.pop(order.camera, None)
        self.decisions.drop(order.camera)
        step = engine.finish(engine.t, engine.t_wall, order.reason)
        self._offer(CommitRequest(camera=order.camera, step=step, places=places, done=order.done))

    def _step(self, slot: CameraSlot) -> Step:
        work, frame = slot.state, slot.frame
        self._away.pop(slot.camera, None)
        observation = Observation(
            frame=frame,
            width=frame.picture.width,
            height=frame.picture.height,
            motion=work.motion,
            detections=work.detections,
            regions=work.regions,
            closest=work.closest,
            findings=work.findings,
        )
        engine = self._engines[slot.camera]
        held, step = engine.held, engine.step(observation)
        gate = work.motion.gate if work.motion else None
        self.decisions.step(slot.camera, frame.t_wall, gate, work.detections, step, engine.held)
        if engine.held != held:
            self._tell_held(slot.camera, engine.held)
        before = self._tracks.get(slot.camera)
        if before is None or len(before) != len(step.tracks):
            self._metrics.tracks.labels(slot.camera).set(len(step.tracks))
        work.tracks = self._tracks[slot.camera] = step.tracks
        work.doubtful = step.doubtful
        work.events = tuple(engine.open_events)
        work.foresight = self._foresight[slot.camera]
        work.pending = any(engine.pending().values())
        if engine.held:
            self._leave(slot.camera, frame.t_wall)
        elif self._observer:
            size = (observation.width, observation.height)
            self._observer.take(slot.camera, step.tracks, size, frame.t, frame.t_wall)
        if self._audience:
            self._audience.analysed(slot.camera, observation, step)
        return step

    @staticmethod
    def _tell_held(camera: str, why: str) -> None:
        if why:
            remedy = f"turn it back, or run: surveil cameras accept {camera}"
            what = "camera view differs from the reference: rules about places, normality and counting held"
            log.warning(what, camera=camera, why=why, remedy=remedy)
        else:
            log.info("camera view matches the reference again, rules resumed", camera=camera)

    def _lose(self, slot: CameraSlot, lost: Lost) -> Step:
        engine = self._engines[slot.camera]
        self._away[slot.camera] = _Away(lost, self._clock.monotonic())
        slot.state.tracks = slot.state.doubtful = ()
        if lost.final:
            self._away.pop(slot.camera)
            self._leave(slot.camera, lost.t_wall)
            step = engine.finish(lost.t, lost.t_wall, Reason.ENDED)
        else:
            step = engine.lost(lost.t, lost.t_wall)
        slot.state.events = tuple(engine.open_events)
        self.decisions.lost(lost, step)
        return step

    def tracks(self, camera: str) -> tuple[Track, ...]:
        """Return the tracks as of the camera's last frame; any thread may ask."""
        return self._tracks.get(camera, ())

    def tick(self) -> None:
        """Let time pass for cameras that send nothing, so that their open events end."""
        self.decisions.turn(self._clock.wall())
        for camera, away in self._away.items():
            passed = self._clock.monotonic() - away.since
            step = self._engines[camera].tick(away.lost.t + passed, away.lost.t_wall + passed)
            if passed >= LOST_GRACE_S:
                self._leave(camera, away.lost.t_wall)
            if step.alerts or step.outcomes:
                self._offer(CommitRequest(camera=camera, step=step))

    def finish(self, reason: Reason) -> None:
        """End what is open at every camera."""
        for camera, engine in self._engines.items():
            step = engine.finish(engine.t, engine.t_wall, reason)
            self._leave(camera, engine.t_wall)
            self.decisions.drop(camera)
            if step.alerts or step.outcomes:
                self._offer(CommitRequest(camera=camera, step=step))

    def _leave(self, camera: str, t_wall: float) -> None:
        """Count no object as present any more."""
        if self._observer:
            self._observer.lose(camera, t_wall)
