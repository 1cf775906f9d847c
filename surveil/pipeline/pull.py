"""Takes pictures from what is kept encoded: far apart while nothing moves, every one once something does."""

from __future__ import annotations

import copy
from math import isfinite

from surveil.lane import Backlog
from surveil.pipeline.work import CameraSlot, Work
from surveil.ring import FrameRing
from surveil.types import Frame, GateDecision, Motion
from surveil.view import FrameView

QUIET = (GateDecision.CLOSED_STILL, GateDecision.IDLE)
"""The gate saw nothing move."""


def pull(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog) -> bool:
    """Put the picture that is analysed next into the slot; return False where there is none.

    A picture of a camera that sleeps is only looked at. Where it shows motion, everything since the look before is
    decoded first.
    """
    t = backlog.t
    if backlog.awake and _next(ring, slot, backlog, calm=isfinite(t) and slot.state.calmed(t)):
        return True
    look = backlog.look()
    if look is None:
        return False
    if look.damaged:
        return ring.admit_look(slot, look, backlog.stay())
    slot.state.watched = _watched(look, slot.state)
    if slot.state.watched is not None:
        slot.state.asleep = backlog
        return ring.admit_look(slot, look, backlog.stay())
    backlog.wake()
    return _next(ring, slot, backlog, calm=False)


def _next(ring: FrameRing[Work], slot: CameraSlot, backlog: Backlog, *, calm: bool) -> bool:
    admitted = any(ring.admit(slot, frame) for frame in backlog.frames(calm=calm))
    if skipped := backlog.take_skipped():
        ring.skip(slot, skipped)
    return admitted


def _watched(look: Frame, work: Work) -> tuple[FrameView, Motion] | None:
    """Return the view of a look that shows nothing, and what moved; None where the pictures before it are wanted.

    They come before it to the gate, which has not seen it then.
    """
    if not work.calmed(look.t):
        return None
    before, work.gate = work.gate, copy.deepcopy(work.gate)
    view, motion = work.watch(look)
    if motion.gate in QUIET:
        return view, motion
    work.gate = before
    return None
