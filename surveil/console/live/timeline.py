"""The media time of a live stream: in step with its stamps, and without gaps. Pure.

A browser stops for good at a gap of a tenth of a second, and drops pictures up to the next key frame after one that
lasted less than half of the way to the next. So each picture lasts until the next is expected, and what was wrong
about that is made good by the next one's duration. Where the camera paused, media time does not.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import NamedTuple

from surveil.capture.packets import StoredPacket
from surveil.capture.stamps import TIMESCALE, offset, stamp

_FIRST = TIMESCALE // 15
"""What a picture lasts when nothing is known yet."""
_LEAST = TIMESCALE // 1000
_PAUSE = TIMESCALE
"""A longer step than this, and than three usual ones, is a pause."""
_LONGEST = 30 * TIMESCALE
"""A longer step than this tells nothing of the camera's pace."""
_STEPS = 5


class PictureTime(NamedTuple):
    """Where a picture stands, in ticks."""

    start: int
    """When it is decoded."""
    duration: int
    offset: int
    """From there to when it is shown."""


class MediaClock:
    """Gives the pictures of one stream, in decoding order, their places."""

    def __init__(self) -> None:
        self._line = 0
        """Where the next picture begins."""
        self._ideal = 0
        """Where the last one would have begun by its stamp."""
        self._steps: deque[int] = deque(maxlen=_STEPS)
        self._last: StoredPacket | None = None

    def restart(self) -> None:
        """Expect stamps that have nothing to do with the last ones."""
        self._last = None

    def place(self, packet: StoredPacket) -> PictureTime:
        """Return the place of the next picture."""
        step, start = self._step(packet), self._line
        self._ideal = start if step is None else self._ideal + step
        duration = max(_LEAST, self._usual() + self._ideal - start)
        self._line, self._last = start + duration, packet
        return PictureTime(start, duration, offset(packet))

    def _usual(self) -> int:
        return round(median(self._steps)) if self._steps else _FIRST

    def _step(self, packet: StoredPacket) -> int | None:
        """Return the ticks since the last picture; None where that says nothing, as after a pause."""
        last = self._last
        if last is None:
            return None
        before, now = stamp(last), stamp(packet)
        arrived = round((packet.arrived - last.arrived) * TIMESCALE)
        step = arrived if before is None or now is None else now - before
        if step <= 0:
            return self._usual()
        if step > _LONGEST:
            return None
        self._steps.append(step)
        return step if step <= max(_PAUSE, 3 * self._usual()) else None
