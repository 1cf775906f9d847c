"""Tests, while a connection is decoded in full, whether its key frames and GOPs can be decoded alone.

Nothing is taken from what the stream says of itself: a decoder beside the stream's own is given each key frame alone
and then its group, and must give the very same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surveil.capture.decoder import Numbered, PacketDecoder
from surveil.capture.source import Arrival, Decoded, Shot
from surveil.errors import SourceError
from surveil.reasons import DecodeWhy
from surveil.types import Picture

_GROUPS = 2
"""So many whole groups of pictures must be the same."""
_LONGEST_S = 60.0
"""A connection that has not shown them by then does not send what could be decoded on demand."""
_COMPARED = (320, 180)


@dataclass(frozen=True, slots=True)
class Groups:
    """What groups of pictures a connection sends."""

    gop_s: float
    gop_bytes: int


class KeyFrameTrial:
    """Owned by the capture thread. `verdict` comes after two groups of pictures, or when hope is gone."""

    def __init__(self, decoder: PacketDecoder, now: float) -> None:
        self._decoder = decoder
        self._number = 0
        self._shown: dict[int, float | None] = {}
        """Presentation time of each packet whose picture the trial's decoder still owes, s."""
        self._planes: dict[float, bytes] = {}
        """What the stream's own decoder made of them, by presentation time."""
        self._is_clean = False
        """Nothing of the group so far was damaged, and all of it was the same."""
        self._is_compared = False
        self._began = self._key_at = now
        self._key_shown: float | None = None
        self._gop_s = 0.0
        self._bytes = self._most_bytes = self._same = 0
        self._latest = float("-inf")
        self.verdict: DecodeWhy | None = None

    @property
    def groups(self) -> Groups:
        """The longest group so far."""
        return Groups(self._gop_s, self._most_bytes)

    def take(self, arrival: Arrival, data: bytes, shown: float | None, decoded: Decoded, now: float) -> None:
        """Take a packet, its presentation time (s), and what the stream's own decoder made of it."""
        self._is_clean &= not (arrival.broken or decoded.broken)
        self._bytes += arrival.size
        self._note(shown, decoded.shots)
        if self.verdict is None and now - self._began > _LONGEST_S:
            self.verdict = DecodeWhy.LONG_GOP
        if self.verdict is None and self._is_clean:
            self._try(arrival, data)

    def begin_group(self, now: float, shown: float | None) -> None:
        """Take note of a key frame, to be shown at `shown` s, before it is decoded: the group before is complete."""
        if self._is_clean and self._is_compared:
            self._gop_s = max(self._gop_s, self._length_s(now, shown))
            self._most_bytes = max(self._most_bytes, self._bytes)
            self._same += 1
            if self._same >= _GROUPS:
                self.verdict = self.verdict or DecodeWhy.PROVEN
        self._key_at, self._key_shown = now, shown
        self._bytes, self._is_clean, self._is_compared = 0, True, False

    def _length_s(self, now: float, shown: float | None) -> float:
        """Return how long the group was: by its stamps, if these are about right. A busy machine reads packets late."""
        arrived_s = now - self._key_at
        if shown is None or self._key_shown is None:
            return arrived_s
        stamped_s = shown - self._key_shown
        return stamped_s if 0.5 * arrived_s <= stamped_s <= 2.0 * arrived_s else arrived_s

    def _note(self, shown: float | None, shots: Sequence[Shot]) -> None:
        self._number += 1
        self._shown[self._number] = shown
        for shot in shots:
            if shot.stamp is not None:
                self._planes[shot.stamp] = _plane(shot.picture)
            elif shown is None:  # of a stream without time, or the first of a connection
                self._shown[self._number] = -float(self._number)
                self._planes[-float(self._number)] = _plane(shot.picture)
        if shown is not None:
            if shown < self._latest:
                self.verdict = DecodeWhy.REORDERED
            self._latest = shown

    def _try(self, arrival: Arrival, data: bytes) -> None:
        """Decode the packet, a key frame first alone; compare what that gives."""
        decoder = self._decoder
        found: list[Numbered] = []
        try:
            if arrival.key:
                self._compare(decoder.drain().pictures)  # of the group before
                self._forget(self._number)
                found += decoder.decode(data, self._number).pictures or decoder.drain().pictures
                if not found or not arrival.whole:
                    self.verdict = DecodeWhy.NOT_ALONE
                decoder.flush()
            found += decoder.decode(data, self._number).pictures
        except SourceError:
            self._is_clean = False
            return
        self._compare(found)

    def _compare(self, found: Sequence[Numbered]) -> None:
        for one in found:
            stamp = self._shown.get(one.number)
            plane = None if stamp is None else self._planes.get(stamp)
            self._is_compared |= plane is not None
            if plane is not None and plane != _plane(one.picture):
                self.verdict = DecodeWhy.NOT_ALONE
            if one.number != self._number:
                self._forget(one.number + 1)

    def _forget(self, until: int) -> None:
        """Let go of what came before a packet."""
        for number in [n for n in self._shown if n < until]:
            self._planes.pop(self._shown.pop(number) or math.nan, None)


def _plane(picture: Picture) -> bytes:
    return picture.luma(*_COMPARED).tobytes()
