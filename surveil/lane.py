"""One camera's part of the frame ring: the waiting frame, the slot, the counters. Guarded by the ring's lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from surveil.types import Frame

State = TypeVar("State")

_JITTER = 0.1
"""Share of the interval by which a frame may come early and still be due."""


class Drop(StrEnum):
    """Why a decoded frame was not analysed: a closed set, because it is a metric label."""

    DECIMATED = "decimated"
    """Not due: the camera is analysed at fewer frames per second than it sends."""
    OVERWRITTEN = "overwritten"
    """Due, but a newer one came before the analysis was free."""
    DAMAGED = "damaged"
    """Decoded from damaged data."""
    LOST = "lost"
    """Waited when its camera was lost, or the program ended."""
    IDLE = "idle"
    """Not decoded: nothing moved between the two pictures that were looked at before and after it."""
    BEHIND = "behind"
    """Kept encoded, and given up unseen because the analysis was too far behind."""


@dataclass(frozen=True, slots=True)
class FrameCounters:
    """What became of one camera's frames: received == processed + Σ dropped + waiting, always."""

    received: int
    processed: int
    waiting: int
    """Waiting in the ring or in flight."""
    dropped: Mapping[Drop, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The camera's stream ended. Cannot be overwritten by frames."""

    camera: str
    t: float
    t_wall: float
    cause: str
    final: bool = False
    """A recording came to its end: nothing follows."""


class Backlog(Protocol):
    """Pictures of one camera that are kept encoded until the holder of its slot wants them.

    It sleeps or is awake. Asleep it offers looks, far apart; awake every picture, in order. The ring calls `t`,
    `is_ready`, `end` and `drop`; everything else is for the holder of the slot.
    """

    @property
    def t(self) -> float:
        """Stream time of the oldest picture that was not taken, s; infinite if there is none."""

    @property
    def awake(self) -> bool:
        """Whether every picture is wanted."""

    def is_ready(self, due_at: float) -> bool:
        """Whether there is anything to take, when the next picture is due at stream time `due_at` (s)."""

    def end(self) -> None:
        """Take note that nothing follows: what is kept is looked at for a last time."""

    def drop(self) -> int:
        """Forget everything; return how many pictures were not taken."""

    def look(self) -> Frame | None:
        """Return the picture to look at next, decoded; None: none is due, or it is awake, maybe from now on."""

    def stay(self) -> int:
        """Sleep on after a look that showed nothing; return how many pictures before it were never decoded."""

    def wake(self) -> None:
        """Go back to the first picture after the look before the last; every picture is wanted from there on."""

    def frames(self, *, calm: bool) -> Iterator[Frame]:
        """Decode picture after picture; `calm`: fall asleep at the next key frame."""

    def take_skipped(self) -> int:
        """Return how many pictures were given up since the last call, because the analysis is behind."""


@dataclass(slots=True)
class Slot(Generic[State]):
    """The right to work on one camera, and what travels with it from stage to stage.

    The holder owns `state` and the frame's picture; it goes back with `FrameRing.give_back`.
    """

    camera: str
    state: State
    item: Frame | Lost | Backlog | None = None
    is_orphan: bool = False
    """Its lane was closed while it was away: what it brings belongs to no camera any more."""

    @property
    def frame(self) -> Frame:
        """The frame in flight; only while `item` is a frame."""
        assert isinstance(self.item, Frame)
        return self.item


@dataclass(slots=True, kw_only=True)
class Lane(Generic[State]):
    """One camera's side of the ring. Guarded by the ring's lock."""

    slot: Slot[State]
    interval_s: float
    waiting: Frame | None = None
    lost: Lost | None = None
    backlog: Backlog | None = None
    ended: Backlog | None = None
    """The backlog that `lost` has ended; one that came since belongs to the connection after the loss."""
    slot_is_home: bool = True
    is_announced: bool = False
    """A thread was told that it is ready, and has not taken it yet."""
    successor: State | None = None
    """Takes the place of the slot's state once the slot is home."""
    next_due: float = float("-inf")
    last_served: int = 0
    received: int = 0
    processed: int = 0
    in_flight: int = 0
    dropped: dict[Drop, int] = field(default_factory=lambda: dict.fromkeys(Drop, 0))

    def is_ready(self) -> bool:
        """Whether something may be taken now."""
        has_any = self.waiting is not None or self.lost is not None
        return self.slot_is_home and (has_any or self.has_kept())

    def has_kept(self) -> bool:
        """Whether the backlog has something to take."""
        return self.backlog is not None and self.backlog.is_ready(self.next_due - _JITTER * self.interval_s)

    def is_early(self, t: float) -> bool:
        """Whether a frame at stream time `t` comes before the next that is to be analysed."""
        return t < self.next_due - _JITTER * self.interval_s

    def is_due(self, t: float) -> bool:
        """Whether a frame at stream time `t` is to be analysed; moves the grid of due times on."""
        if self.is_early(t):
            return False
        # Stay on the grid while the stream keeps up, so that jitter does not lower the rate.
        keeps_up = t < self.next_due + self.interval_s
        self.next_due = (self.next_due if keeps_up else t) + self.interval_s
        return True

    def pass_over(self, t: float) -> None:
        """Move the grid of due times beyond `t`, as if everything up to there had been offered."""
        if self.next_due == float("-inf"):
            self.next_due = t
        while not self.is_early(t):
            self.next_due += self.interval_s

    def unwanted(self, frame: Frame) -> Drop | None:
        """Return why a frame that comes in order is not analysed; None: it is."""
        if self.is_bad(frame):
            return Drop.DAMAGED
        return None if self.is_due(frame.t) else Drop.DECIMATED

    @staticmethod
    def is_bad(frame: Frame) -> bool:
        """Whether a frame cannot be trusted, and better ones may be hoped for."""
        return frame.damaged and not frame.degraded

    def forget_kept(self) -> None:
        """Drop the backlog; pictures that were not taken are lost."""
        backlog, self.backlog = self.backlog, None
        if backlog is not None:
            self.count(Drop.LOST, backlog.drop())
            self.count(Drop.BEHIND, backlog.take_skipped())

    def count(self, reason: Drop, pictures: int) -> None:
        """Count pictures that were never decoded."""
        self.received += pictures
        self.dropped[reason] += pictures

    def lose(self, lost: Lost) -> None:
        """Take note of a loss; what was kept until then is still looked at before it is told."""
        self.lost, self.ended = lost, self.backlog
        if self.backlog is None:
            self.next_due = float("-inf")
        else:
            self.backlog.end()

    def drop_waiting(self, reason: Drop) -> None:
        """Let go of the frame that waits, for a reason that is counted."""
        if self.waiting is not None:
            self.dropped[reason] += 1
            self.waiting = None

    def load(self) -> Slot[State]:
        """Put what is next into the slot.

        A loss goes before what came after it; what was kept until then goes before the loss.
        """
        slot, self.slot_is_home, self.is_announced = self.slot, False, False
        if self._kept_is_next() and self.has_kept():
            slot.item = self.backlog
        elif self.lost is not None:
            slot.item, self.lost = self.lost, None
            if self.backlog is self.ended:
                self.forget_kept()
            self.ended = None
            self.next_due = float("-inf")
        elif self.waiting is not None:
            self.pass_over(self.waiting.t)  # where it waited for what was kept, it is not in the grid yet
            slot.item, self.waiting = self.waiting, None
            self.in_flight = 1
        return slot

    def _kept_is_next(self) -> bool:
        """Whether what is kept, if there is any, comes before everything else."""
        if self.lost is not None:
            return self.backlog is self.ended
        return self.waiting is None or self.has_older(self.waiting)

    def has_older(self, frame: Frame) -> bool:
        """Whether something that is kept comes before `frame`, or is being decoded now."""
        if self.backlog is None:
            return False
        return self.backlog.t < frame.t or (not self.slot_is_home and self.slot.item is self.backlog)

    def books(self) -> FrameCounters:
        """Return what became of the camera's frames."""
        waiting = self.in_flight + (self.waiting is not None)
        return FrameCounters(self.received, self.processed, waiting, dict(self.dropped))
