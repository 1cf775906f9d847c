"""Takes pictures from what is kept encoded: far apart while nothing moves, every one once something does."""

from __future__ import annotations

from math import isfinite

from surveil.pipeline.work import CameraSlot, Work
from surveil.ring import Backlog, FrameRing
from surveil.types import Frame, GateDecision
from surveil.view import FrameView, hiding

QUIET = (GateDecision.CLOSED_STILL, GateDecision.IDLE)
"""The gate saw nothing move."""


def pull(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog) -> bool:
    """Put the picture that is analysed next into the slot; return False where there is none.

    A picture of a camera that sleeps is only looked at. Where it shows motion, everything since the look before is
    decoded first.
    """
    t = backlog.t
    if backlog.awake and _next(ring, slot, backlog, calm=isfinite(t) and slot.state.is_calm(t)):
        return True
    look = backlog.look()
    if look is None:
        return False
    if look.damaged or not _stirs(look, slot.state):
        return ring.admit_look(slot, look, backlog.stay())
    backlog.wake()
    return _next(ring, slot, backlog, calm=False)


def _next(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog, *, calm: bool) -> bool:
    admitted = any(ring.admit(slot, frame) for frame in backlog.frames(calm=calm))
    if skipped := backlog.take_skipped():
        ring.skip(slot, skipped)
    return admitted


def _stirs(look: Frame, work: Work) -> bool:
    """Whether the picture of a look shows anything for which those before it are wanted."""
    if not work.is_calm(look.t):
        return True
    frame = hiding(look, work.undetected)
    size = (frame.picture.width, frame.picture.height)
    luma = FrameView(frame, work.tracks, events=work.events).luma(*work.plane(size))
    motion = work.gate.peek(luma, look.t, size, (*work.tracks, *work.doubtful))
    return motion.gate not in QUIET
