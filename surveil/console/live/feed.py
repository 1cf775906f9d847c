"""One camera's live pictures for all its viewers: remuxed and encoded once, however many viewers there are.

A feed belongs to the event loop, but for its ends: the tap is filled by the capture thread, and the look takes its
pictures on the thread that holds the frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from surveil.clock import Clock
from surveil.console.live.metrics import LiveMetrics
from surveil.console.live.pictures import Hide, Look, Sight, jpeg_of
from surveil.console.live.reasons import WhyPictures
from surveil.console.live.remux import Fragment, Header, Piece, Remuxer
from surveil.console.live.tap import PacketReader, PacketTap
from surveil.console.live.viewer import Video, Viewer
from surveil.console.live.wire import Message, message

_MOST_GROUP_BYTES = 8 << 20
"""Of fragments since the last key frame, kept for viewers that come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrecy:
    """What of a camera's pictures must not be seen."""

    hide: Hide | None = None
    hide_moved: Hide | None = None
    """The same for a picture that has moved."""

    @property
    def hides(self) -> bool:
        """Whether it is anything."""
        return self.hide is not None or self.hide_moved is not None


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture of what may be seen."""

    data: bytes
    at: float
    """Unix s of its capture."""
    secrecy: Secrecy


@dataclass(slots=True, eq=False)
class Subscription:
    """A viewer of a camera."""

    viewer: Viewer
    wants_video: bool
    why: WhyPictures | None = None
    """Why it gets pictures; None: it gets video."""
    is_new: bool = field(default=True)

    @property
    def gets_pictures(self) -> bool:
        """Whether it is sent pictures."""
        return self.why is not None and self.viewer.takes_pictures


class CameraFeed:
    """The live side of one camera."""

    def __init__(self, camera: str, clock: Clock, metrics: LiveMetrics, news: Callable[[], None]) -> None:
        """`news`: called from any thread when there is something for `advance`."""
        self.camera = camera
        self.tap = PacketTap()
        self.look = Look(self._see)
        self.secrecy = Secrecy()
        self.is_webcam = False
        self.jpeg: Jpeg | None = None
        self._clock = clock
        self._news = news
        self._viewers = metrics.viewers.labels(camera)
        self._dropped = metrics.dropped.labels(camera)
        self._subscriptions: list[Subscription] = []
        self._sights: deque[Sight] = deque(maxlen=1)
        self._reader: PacketReader | None = None
        self._remuxer = Remuxer()
        self._header: Video | None = None
        self._group: list[Video] = []
        self._group_size = 0
        self._waiters: list[asyncio.Future[Jpeg]] = []
        """Of those who want a single picture."""
        self._viewers.set(0)

    def show_by(self, secrecy: Secrecy, *, is_webcam: bool) -> None:
        """Show what these settings allow from now on."""
        self.secrecy, self.is_webcam = secrecy, is_webcam
        self.jpeg = None
        self._sights.clear()
        self._follow_demand()
        self.advance()

    # Who looks.

    def join(self, viewer: Viewer, *, wants_video: bool) -> WhyPictures | None:
        """Begin to send to a viewer; return why it gets pictures, None: it gets video."""
        one = Subscription(viewer, wants_video)
        self._subscriptions.append(one)
        self._follow_demand()
        self.advance()
        return one.why

    def leave(self, viewer: Viewer) -> None:
        """Send to a viewer no more."""
        self._subscriptions = [one for one in self._subscriptions if one.viewer is not viewer]
        self._follow_demand()

    def close(self) -> None:
        """End with the camera."""
        for one in self._subscriptions:
            one.viewer.forget(self.camera)
        self._subscriptions = []
        self._follow_demand()

    @property
    def is_watched(self) -> bool:
        """Whether anybody wants anything."""
        return bool(self._subscriptions or self._waiters)

    def await_picture(self, waiter: asyncio.Future[Jpeg]) -> None:
        """Have a picture taken for a caller that waits for one."""
        self._waiters.append(waiter)
        self._follow_demand()

    def await_no_picture(self, waiter: asyncio.Future[Jpeg]) -> None:
        """Wait no more."""
        self._waiters.remove(waiter)
        self._follow_demand()

    def _follow_demand(self) -> None:
        """Read packets and take pictures only while there are viewers."""
        self._viewers.set(len(self._subscriptions))
        wants_video = any(one.wants_video for one in self._subscriptions) and not self.secrecy.hides
        if wants_video and self._reader is None:
            self._reader, self._remuxer = self.tap.reader(), Remuxer()
            self._forget_group()
            self.tap.wake = self._news
        elif not wants_video and self._reader is not None:
            self._reader = None
            self._header = None
            self._forget_group()
            self.tap.stop_waking()
        self.look.wanted = bool(self._waiters) or any(one.gets_pictures for one in self._subscriptions)
        if not self.look.wanted:
            self.jpeg = None

    # What is sent.

    def advance(self) -> None:
        """Send what has come since the last time."""
        for packet in self._reader.take() if self._reader is not None else ():
            if packet is None:
                self._remuxer.restart()
                self._forget_group()
                continue
            for piece in self._remuxer.take(packet):
                self._spread(piece)
        self._choose()

    def _spread(self, piece: Piece) -> None:
        video = self._video_of(piece)
        if video.is_header:
            self._header = video
            self._forget_group()
        else:
            self._keep(video)
        now = self._clock.monotonic()
        for one in self._subscriptions:
            if one.why is None and not one.is_new:
                self._dropped.inc(one.viewer.play(self.camera, video, now))

    def _keep(self, video: Video) -> None:
        if video.key:
            self._forget_group()
        elif not self._group:
            return
        self._group.append(video)
        self._group_size += video.message.size
        if self._group_size > _MOST_GROUP_BYTES:
            self._forget_group()

    def _forget_group(self) -> None:
        self._group, self._group_size = [], 0

    def _choose(self) -> None:
        """Decide for every viewer whether it gets video or pictures; tell those for whom that changes."""
        changed = False
        for one in self._subscriptions:
            why = self._why(one)
            if one.is_new or why != one.why:
                one.why, changed = why, True
                self._begin(one)
        if changed:
            self._follow_demand()

    def _why(self, one: Subscription) -> WhyPictures | None:
        if self.secrecy.hides:
            return WhyPictures.HIDDEN
        if self.is_webcam:
            return WhyPictures.RAW
        return self._remuxer.why_not if one.wants_video else WhyPictures.ASKED

    def _begin(self, one: Subscription) -> None:
        """Begin video or pictures with what there is, so that a viewer sees something at once."""
        one.is_new = False
        viewer = one.viewer
        viewer.forget(self.camera)
        viewer.note(self.hello(one.why))
        if one.why is not None:
            if one.gets_pictures and self.jpeg is not None:
                viewer.show("jpeg", self.camera, self._jpeg_message(self.jpeg))
            elif not viewer.takes_pictures and one.why is not WhyPictures.UNKNOWN:
                viewer.end()
            return
        now = self._clock.monotonic()
        for video in (*((self._header,) if self._header else ()), *self._group):
            viewer.play(self.camera, video, now)

    def hello(self, why: WhyPictures | None) -> Message:
        """Say how the camera is shown from here on."""
        mime = self._remuxer.header.mime if why is None and self._remuxer.header else ""
        told = {"mode": "mp4" if why is None else "jpeg", "mime": mime, "why": why.value if why else ""}
        return message({"type": "hello", "cameras": {self.camera: told}})

    def _video_of(self, piece: Piece) -> Video:
        match piece:
            case Header():
                told = {"type": "init", "camera": self.camera, "mime": piece.mime}
                return Video(message(told, piece.data), is_header=True)
            case Fragment():
                at = self.wall(piece.arrived)
                header = {
                    "type": "media",
                    "camera": self.camera,
                    "at": round(at, 4),
                    "base": round(at - piece.start, 4),
                    "key": piece.key,
                    "duration": round(piece.duration, 5),
                }
                return Video(message(header, piece.data), key=piece.key)

    def wall(self, arrived: float) -> float:
        """Return the Unix time of a moment on the monotonic clock, s; pictures and tracks agree by it."""
        return self._clock.wall() - (self._clock.monotonic() - arrived)

    # Pictures.

    def _see(self, sight: Sight) -> None:
        """Take what was seen, from the thread that holds the frame; the newest replaces what waits."""
        self._sights.append(sight)
        self._news()

    def encoder(self) -> Callable[[], Jpeg | None] | None:
        """Return what makes a JPEG of the newest sight, on any thread; None where there is nothing to do."""
        if not self._sights:
            return None
        return partial(self._encode, self._sights.popleft())

    def _encode(self, sight: Sight) -> Jpeg | None:
        secrecy = self.secrecy
        data = jpeg_of(sight, secrecy.hide, secrecy.hide_moved)
        return Jpeg(data, self.wall(sight.arrived), secrecy) if data is not None else None

    def show(self, jpeg: Jpeg) -> None:
        """Send a picture to all who get pictures, unless what must not be seen has changed meanwhile."""
        if jpeg.secrecy is not self.secrecy:
            return
        self.jpeg = jpeg
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(jpeg)
        told = self._jpeg_message(jpeg)
        for one in self._subscriptions:
            if one.gets_pictures:
                one.viewer.show("jpeg", self.camera, told)

    def _jpeg_message(self, jpeg: Jpeg) -> Message:
        return message({"type": "jpeg", "camera": self.camera, "at": round(jpeg.at, 4)}, jpeg.data)

    def tell(self, kind: str, told: Message) -> None:
        """Send the newest of a kind to all pages."""
        for one in self._subscriptions:
            if one.viewer.takes_notes:
                one.viewer.show(kind, self.camera, told)
