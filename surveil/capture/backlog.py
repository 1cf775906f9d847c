"""Encoded packets of an idle camera, kept until something moves and then decoded as if they had not waited.

Asleep, only the pictures are decoded that are looked at: key frames, and where those are too far apart, the picture
that is due between them. What came after the look before the last is kept, so that nothing is lost when the last
one shows motion.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from surveil.capture.decoder import MOST_OWED, Damage, DecodedPackets, Drought, PacketDecoder
from surveil.capture.pace import KeptPacket, Pace
from surveil.errors import SourceError
from surveil.types import Frame, Picture

_BEHIND_S = 1.5
"""Beyond a group of pictures: what has waited for longer is given up."""


class EncodedBacklog:
    """What is kept of one connection. `append` is for the capture thread, the rest as `surveil.lane.Backlog` says.

    The packets begin with a key frame while it sleeps; awake, they are those that were not decoded yet.
    """

    def __init__(self, camera: str, decoder: PacketDecoder, pace: Pace, patience_s: float) -> None:
        self._camera, self._decoder, self._pace = camera, decoder, pace
        self._lock = threading.Lock()
        self._packets: deque[KeptPacket] = deque()
        self._targets: deque[int] = deque()
        """Numbers of the packets that are to be looked at."""
        self._ended = self._is_finished = self._is_dropped = False
        # Of the holder of the slot.
        self._seen = -1
        """The last picture that was looked at or analysed."""
        self._counted = -1
        """The last that had been looked at or analysed when decoding began at a key frame."""
        self._look = -1
        self._next: int | None = None
        """What the decoder can go on with."""
        self._damage, self._broken = Damage(patience_s), False
        self._fed: dict[int, KeptPacket] = {}
        """Packets whose pictures the decoder still owes."""
        self._shown: deque[Frame] = deque()
        self._catches_up = False
        self._woken = float("-inf")
        """When the last packet arrived (monotonic s) that was kept before it was woken."""
        self._skipped = 0
        # For the capture thread to read.
        self.awake = True
        self.bytes = 0
        self.overrun = False
        """More came than may be kept: it sleeps no more."""
        self.is_full = False
        """Nothing more is kept: all that comes is given up."""
        self.failure: SourceError | None = None
        """Why nothing more can be decoded in this connection."""
        self.drought = Drought()

    def append(self, packet: KeptPacket) -> None:
        """Keep a packet; the first is a key frame. Where there is no room, nothing more is kept.

        A camera that sleeps is woken first: then all of its group up to the next key frame can be decoded.
        """
        with self._lock:
            if self._is_dropped:
                return
            self._make_room(len(packet.data))
            if self.is_full:
                self._skipped += 1
                return
            if not self._packets and self._seen < 0:
                self._seen = packet.seq - 1
            self._pace.follow(packet)
            self._packets.append(packet)
            self.bytes += len(packet.data)
            if not self.awake and self._pace.due(packet):
                self._targets.append(packet.seq)

    def _make_room(self, size: int) -> None:
        """Wake the camera for want of room for `size` bytes; awake, give up."""
        wanted = self.bytes + size
        if wanted > self._pace.most_bytes and not self.overrun:
            self.overrun, self.is_full = True, self.awake
        self.is_full |= self.overrun and wanted > self._pace.most_woken_bytes

    # For the ring.

    @property
    def t(self) -> float:
        """Stream time of the oldest picture that was not taken, s; infinite if there is none."""
        with self._lock:
            return next((p.t for p in self._packets if p.seq > self._seen), float("inf"))

    def is_ready(self, due_at: float) -> bool:
        """Whether there is anything to take, when the next picture is due at stream time `due_at` (s)."""
        with self._lock:
            if self._ended and not self._is_finished:
                return True
            if not self.awake:
                return bool(self._targets) or self.overrun
            if self._shown:
                return True
            last = self._packets[-1] if self._packets else None
            return last is not None and last.seq > self._seen and last.t >= due_at

    def end(self) -> None:
        """Take note that nothing follows: what is kept is looked at for a last time."""
        with self._lock:
            self._ended = True
            if not self.awake:
                self._plan_last()

    def _plan_last(self) -> None:
        last = self._packets[-1].seq if self._packets else -1
        if last > max(self._seen, self._look, *self._targets):
            self._targets.append(last)

    def drop(self) -> int:
        """Forget everything; return how many pictures were not taken."""
        with self._lock:
            last = self._packets[-1].seq if self._packets else self._seen
            unseen, self._seen = max(0, last - self._seen), max(last, self._seen)
            self._targets.clear()
            self._forget(len(self._packets))
            self._is_dropped = True
            return unseen

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self.bytes -= len(self._packets.popleft().data)

    # For the holder of the slot: asleep.

    def look(self) -> Frame | None:
        """Return the picture to look at next, decoded; None: none is due, or it is awake, maybe from now on.

        One that cannot be decoded shows nothing; therefore what comes before it is wanted.
        """
        if self.overrun and not self.awake:
            self.wake()
        with self._lock:
            group = [] if self.awake else self._next_group()
        if not group:
            return None
        first = group[0]
        goes_on = self._next is not None and first.seq < self._next <= self._look
        if not goes_on:
            self._decoder.flush()
        shown, broken = self._through([p for p in group if not goes_on or p.seq >= (self._next or 0)])
        self.drought.update(group[-1].arrived, gave=shown is not None, complains=shown is None)
        if shown is None:
            self.wake()
            return None
        broken |= any(p.broken for p in group)
        self._damage.update(group[-1].arrived, key=not goes_on, broken=broken)
        return self._frame(group[-1], shown)

    def _next_group(self) -> list[KeptPacket]:
        """Return the packet that is looked at next, after those from the last key frame on; empty if there is none."""
        group: list[KeptPacket] = []
        if not self._targets:
            if self._ended:
                self._finish()
            return group
        self._look = self._targets.popleft()
        for packet in islice(self._packets, self._look - self._packets[0].seq + 1):
            if packet.key:
                group.clear()
            group.append(packet)
        return group

    def _through(self, packets: list[KeptPacket]) -> tuple[Picture | None, bool]:
        """Decode packets in order; return the picture of the last, and whether the decoder complained."""
        found: Picture | None = None
        broken = False
        for packet in packets:
            decoded = self._decode(packet)
            broken |= decoded.broken
            found = next((one.picture for one in decoded.pictures if one.number == packet.seq), None)
        self._next = packets[-1].seq + 1
        if found is None:  # a decoder that re-orders keeps a lone key frame back
            self._next = None
            kept = self._guarded(self._decoder.drain)
            found = next((one.picture for one in kept.pictures if one.number == packets[-1].seq), None)
        return found, broken

    def stay(self) -> int:
        """Sleep on after a look that showed nothing; return how many pictures before it were never decoded."""
        if self._pace.is_of_keys:
            self._decoder.rest()
            self._next = None
        with self._lock:
            idle, self._seen = max(0, self._look - self._seen - 1), max(self._look, self._seen)
            keys = [i for i, p in enumerate(self._packets) if p.key and p.seq <= self._look]
            self._forget(keys[-1] if keys else 0)
            return idle

    def wake(self) -> None:
        """Go back to the first picture after the look before the last; every picture is wanted from there on."""
        with self._lock:
            self.awake = self._catches_up = True
            self._targets.clear()
            if self._packets:
                self._woken = self._packets[-1].arrived
        self._begin()

    def _begin(self) -> None:
        """Be ready for a key frame after what was not decoded."""
        self._decoder.flush()
        self._fed.clear()
        self._next, self._broken = None, False
        self._counted = self._seen

    def _finish(self) -> None:
        """Keep nothing more: all was taken, nothing follows, and the connection may go on for days."""
        self._is_finished = True
        self._forget(len(self._packets))
        self._decoder.rest()

    # Awake.

    def frames(self, *, calm: bool) -> Iterator[Frame]:
        """Decode picture after picture; `calm`: fall asleep at the next key frame."""
        while self.awake:
            while self._shown:
                yield self._shown.popleft()
            ended = self._ended
            packet = self._take()
            if packet is None:
                if ended and not self._fed:
                    self._finish()
                if self._is_finished or not ended:
                    return
                self._drain()
            elif calm and packet.key and packet.seq > self._seen and not self.overrun:
                self._put_back(packet)
                if self._fed:  # these come before, and may show something
                    self._drain()
                else:
                    self._sleep()
            else:
                self._owe(packet)
                self._show(self._decode(packet), broken=packet.broken)

    def _owe(self, packet: KeptPacket) -> None:
        """Take note of a packet that the decoder gets; what it has owed for too long, it will never give."""
        self._fed[packet.seq] = packet._replace(data=b"")
        if len(self._fed) > MOST_OWED:
            del self._fed[next(iter(self._fed))]

    def _take(self) -> KeptPacket | None:
        """Return what is decoded next."""
        with self._lock:
            if not self._packets:
                self._catches_up = False
                return None
            self._give_up()
            first = self._packets[0]
            self._forget(1)
            return first

    def _put_back(self, packet: KeptPacket) -> None:
        with self._lock:
            self._packets.appendleft(packet)
            self.bytes += len(packet.data)

    def _drain(self) -> None:
        """Take what the decoder still owes."""
        self._show(self._guarded(self._decoder.drain))
        self._fed.clear()

    def _show(self, decoded: DecodedPackets, *, broken: bool = False) -> None:
        """Make frames of pictures, in order."""
        self._broken |= broken or decoded.broken
        for one in decoded.pictures:
            packet = self._fed.pop(one.number, None)
            if packet is None:
                continue
            self._damage.update(packet.arrived, key=one.key, broken=self._broken)
            self._broken = False
            if one.number > self._seen:
                self._seen = one.number
                self._shown.append(self._frame(packet, one.picture))
            elif one.number > self._counted:  # B frames began, and one that was sent later has been taken
                with self._lock:
                    self._skipped += 1

    def _sleep(self) -> None:
        """Fall asleep at the key frame that is next: it is looked at first."""
        with self._lock:
            self.awake = self._catches_up = False
            self._next = None
            self._pace.begin()
            self._targets.extend(packet.seq for packet in self._packets if self._pace.due(packet))
            if self._ended:
                self._plan_last()

    def _give_up(self) -> None:
        """Go on at the last key frame where what comes first has waited for too long since it was wanted."""
        waited = self._packets[-1].arrived - max(self._packets[0].arrived, self._woken)
        if waited <= self._pace.gop_s + _BEHIND_S:
            return
        last = max(i for i, packet in enumerate(self._packets) if packet.key or i == 0)
        if last:
            before = self._packets[last].seq - 1
            self._skipped += max(0, before - max(self._seen, self._packets[0].seq - 1))
            self._seen = max(self._seen, before)
            self._forget(last)
            self._begin()

    def take_skipped(self) -> int:
        """Return how many pictures were given up since the last call, because the analysis is behind."""
        with self._lock:
            skipped, self._skipped = self._skipped, 0
            return skipped

    # Decoding.

    def _decode(self, packet: KeptPacket) -> DecodedPackets:
        """Decode a packet; where the stream has become another, nothing, and the capture is told."""
        decoded = self._guarded(lambda: self._decoder.decode(packet.data, packet.seq))
        self.drought.update(packet.arrived, gave=bool(decoded.pictures), complains=decoded.broken)
        return decoded

    def _guarded(self, decode: Callable[[], DecodedPackets]) -> DecodedPackets:
        try:
            return decode()
        except SourceError as error:
            self.failure = error
            return DecodedPackets((), broken=True)

    def _frame(self, packet: KeptPacket, picture: Picture) -> Frame:
        return Frame(
            camera=self._camera,
            seq=packet.seq,
            t=packet.t,
            t_wall=packet.t_wall,
            picture=picture,
            arrived=packet.arrived,
            lag_s=packet.lag_s,
            damaged=self._damage.damaged,
            degraded=self._damage.degraded,
            late=self._catches_up,
        )
