"""The bounded queue of one viewer: a slow viewer loses pictures and nothing else.

All of it belongs to the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from typing import NamedTuple

from surveil.console.live.wire import Message, message

LATE_S = 4.0
"""What has waited for so long is dropped up to the next key frame."""
_MOST_BYTES = 12 << 20
"""Of one camera's video; more than the group that a viewer begins with."""
_MOST_NOTES = 2000
"""Events and states; a viewer that left so many unread is not there."""
_CHUNK = 256 << 10
"""Bytes that are handed to the connection at once."""


class Video(NamedTuple):
    """A header or a fragment on its way."""

    message: Message
    is_header: bool = False
    key: bool = False
    is_note: bool = False
    """Neither a header nor a picture."""


class VideoQueue:
    """One camera's video for one viewer."""

    def __init__(self, camera: str) -> None:
        self.dropped = 0
        """In all."""
        self._camera = camera
        self._waiting: deque[tuple[float, Video]] = deque()
        self._size = 0
        self._header: Video | None = None
        """To be sent before the next key frame."""
        self._awaits_key = True
        self._has_begun = False
        self._untold = 0

    def put(self, video: Video, now: float) -> int:
        """Take the next piece; return how many pictures were dropped for it."""
        before = self.dropped
        if self._is_late(now):
            self._drop()
        if video.is_header and self._awaits_key:
            self._header = video
        elif self._awaits_key and not video.key:
            self._count(1)
        else:
            self._resume(now)
            self._append(video, now)
        return self.dropped - before

    def restart(self) -> None:
        """Begin again at the next key frame, as where the video stopped for another reason."""
        self._waiting.clear()
        self._size = 0

    def take(self) -> Video | None:
        """Return what is next."""
        if not self._waiting:
            return None
        _, video = self._waiting.popleft()
        self._size -= video.message.size
        return video

    def __bool__(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def _is_late(self, now: float) -> bool:
        return bool(self._waiting) and (now - self._waiting[0][0] > LATE_S or self._size > _MOST_BYTES)

    def _drop(self) -> None:
        headers = [video for _, video in self._waiting if video.is_header]
        self._count(sum(not video.is_header and not video.is_note for _, video in self._waiting))
        self._header = headers[-1] if headers else self._header
        self.restart()
        self._awaits_key = True

    def _resume(self, now: float) -> None:
        self._awaits_key, self._has_begun = False, True
        if self._untold:
            told = message({"type": "dropped", "camera": self._camera, "n": self._untold})
            self._append(Video(told, is_note=True), now)
            self._untold = 0
        if self._header is not None:
            self._append(self._header, now)
            self._header = None

    def _append(self, video: Video, now: float) -> None:
        self._waiting.append((now, video))
        self._size += video.message.size

    def _count(self, n: int) -> None:
        if not self._has_begun:
            return
        self.dropped += n
        self._untold += n


class ViewerKind(StrEnum):
    """What a viewer can take."""

    PAGE = "page"
    """Messages of every kind, with their headers."""
    PLAYER = "player"
    """One camera's video, as a file that does not end; a second header would break it."""
    TABLET = "tablet"
    """One camera's pictures, each in the place of the one before."""


BOUNDARY = "surveil-picture"
"""Between the pictures of a tablet."""


class Viewer:
    """One page, player or tablet. `ended` is set when there is no use in going on."""

    def __init__(self, kind: ViewerKind = ViewerKind.PAGE) -> None:
        self.kind = kind
        self.ended = False
        self._had_header = False
        self._videos: dict[str, VideoQueue] = {}
        self._notes: deque[Message] = deque()
        self._newest: dict[tuple[str, str], Message] = {}
        """Tracks and pictures, by kind and camera: the newest replaces the one that waits."""
        self._news = asyncio.Event()

    @property
    def takes_notes(self) -> bool:
        """Whether it takes anything but pictures and video."""
        return self.kind is ViewerKind.PAGE

    @property
    def takes_pictures(self) -> bool:
        """Whether it takes pictures in the place of video."""
        return self.kind is not ViewerKind.PLAYER

    def note(self, told: Message) -> None:
        """Send something that is not dropped."""
        if not self.takes_notes:
            return
        self._notes.append(told)
        if len(self._notes) > _MOST_NOTES:
            self.end()
        self._news.set()

    def show(self, kind: str, camera: str, shown: Message) -> None:
        """Send the newest of a kind; what waits of the same kind and camera is out of date."""
        self._newest[kind, camera] = shown
        self._news.set()

    def play(self, camera: str, video: Video, now: float) -> int:
        """Send video; return how many pictures were dropped for it."""
        dropped = self._videos.setdefault(camera, VideoQueue(camera)).put(video, now)
        self._news.set()
        return dropped

    def forget(self, camera: str) -> None:
        """Send no more of what waits of a camera's pictures."""
        self._videos.pop(camera, None)
        for kind, name in list(self._newest):
            if name == camera:
                del self._newest[kind, name]

    def end(self) -> None:
        """Send no more at all."""
        self.ended = True
        self._news.set()

    async def next(self, patience_s: float) -> bytes:
        """Wait for something to send; return it, or nothing when that takes longer than `patience_s`."""
        if not self._has_something() and not self.ended:
            self._news.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self._news.wait()
            except TimeoutError:
                return b""
        return b"" if self.ended else self.chunk()

    def _has_something(self) -> bool:
        return bool(self._notes or self._newest or any(self._videos.values()))

    def chunk(self) -> bytes:
        """Take what waits, up to the size of a chunk: first what is small, then each camera in turn."""
        parts: list[bytes] = []
        size = 0
        while self._notes and size < _CHUNK:
            size += self._add(parts, self._notes.popleft())
        while self._newest and size < _CHUNK:
            size += self._add(parts, self._newest.pop(next(iter(self._newest))))
        for camera in [name for name, video in self._videos.items() if video]:
            if size >= _CHUNK:
                break
            # Next time it is another camera's turn first.
            video = self._videos[camera] = self._videos.pop(camera)
            while size < _CHUNK and (taken := video.take()) is not None:
                if taken.is_header and self._had_header and self.kind is ViewerKind.PLAYER:
                    self.end()
                    return b"".join(parts)
                self._had_header |= taken.is_header
                size += self._add(parts, taken.message)
        return b"".join(parts)

    def _add(self, parts: list[bytes], one: Message) -> int:
        match self.kind:
            case ViewerKind.PAGE:
                parts += one
            case ViewerKind.PLAYER:
                parts.append(one.payload)
            case ViewerKind.TABLET:
                parts += _part(one.payload)
        return one.size


def _part(jpeg: bytes) -> tuple[bytes, ...]:
    """Return a picture as a part of a multipart answer."""
    head = f"--{BOUNDARY}\r\ncontent-type: image/jpeg\r\ncontent-length: {len(jpeg)}\r\n\r\n"
    return (head.encode(), jpeg, b"\r\n")
