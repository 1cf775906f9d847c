"""Cameras over HTTP: streams that FFmpeg reads, sequences of JPEGs, and snapshots."""

from __future__ import annotations

import http.client
from collections import deque
from collections.abc import Mapping
from typing import Any

import av
import av.error

from surveil.capture.causes import open_error, source_error
from surveil.capture.certificates import Pins
from surveil.capture.jpegs import JpegCutter, begins_with_jpeg
from surveil.capture.network import NetworkSource
from surveil.capture.settings import StreamSettings
from surveil.capture.source import NOTHING, Arrival
from surveil.capture.weblink import WebBody, WebClient
from surveil.clock import Clock, Stop, SystemClock
from surveil.errors import Cause, SourceError

_FORMATS = "mpjpeg,mjpeg,jpeg_pipe,hls,mpegts,flv,live_flv,mov,matroska,webm,h264,hevc,mpegvideo,m4v,mpeg,avi,asf,ogg"
"""What may come over HTTP: nothing that opens other protocols or files."""
_CHUNK = 65_536
_LONGEST_PAUSE_S = 2.0
"""Between two snapshots: a capture must end within seconds."""
_MOST_EMPTY = 3
"""Snapshots in a row without a picture before the stream is lost."""
_NO_JPEG = "the camera sends no JPEG as its snapshot: check the path of the address"
_PAGE = "the camera sent a web page instead of video: check the path of the address"
_FATAL = (Cause.REDIRECTED, Cause.CERTIFICATE)


class WebSource(NetworkSource):
    """A camera's web server. FFmpeg decodes; what it reads comes through `WebClient`."""

    def __init__(
        self, settings: StreamSettings, pins: Pins | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__(settings, pins)
        self._clock = clock or SystemClock()
        self._client = WebClient(self._url, settings.tls, self._pins, self._clock, settings.serial)
        self._bodies: list[WebBody] = []
        self._first: WebBody | None = None
        self._pictures: _JpegFile | None = None
        self._fault: SourceError | None = None

    # Opening.

    def _av_open(self, **arguments: Any) -> Any:
        self._client.allow(2 * self._timeout()[0])
        self._fault = None
        body = self._get(self._url)
        try:
            head = body.peek()
        except (OSError, http.client.HTTPException) as error:
            raise open_error(error, self._url, ()) from None
        if begins_with_jpeg(head, body.content_type):
            arguments["options"] = {**arguments["options"], "probesize": "32", "analyzeduration": "0"}
            self._pictures = _JpegFile(self, body)
            return self._opened(self._pictures, format="mpjpeg", **arguments)
        self._first = body
        try:
            return self._opened(self._url, io_open=self._io_open, **arguments)
        except av.error.FFmpegError:
            if body.content_type.startswith("text/html"):
                raise source_error(Cause.NO_VIDEO, self._url, _PAGE) from None
            raise

    def _opened(self, file: object, **arguments: Any) -> Any:
        try:
            return av.open(file, **arguments)
        except Exception:
            if self._fault is not None:
                raise self._fault from None
            raise

    def _options(self) -> Mapping[str, str]:
        # FFmpeg's persistent connections assume its own client, and abort the process without it.
        lists = {"format_whitelist": _FORMATS, "http_persistent": "0", "http_multiple": "0"}
        return {**super()._options(), **lists}

    def _io_open(self, url: str, _flags: int, _options: Mapping[str, str]) -> _WebFile:
        """Open what a playlist names. Never raises: FFmpeg would go on, and print what it was."""
        first, self._first = self._first, None
        if first is not None:
            return _WebFile(self, first)
        try:
            return _WebFile(self, self._get(url))
        except SourceError as error:
            self._note(error)
            return _WebFile(self, None)

    def _get(self, url: str) -> WebBody:
        body = self._client.get(url)
        self._bodies = [*(b for b in self._bodies if b is not body), body]
        return body

    def _note(self, error: SourceError) -> None:
        if self._fault is None or self._fault.cause not in _FATAL:
            self._fault = error

    def read_body(self, body: WebBody, size: int) -> bytes:
        """Read for FFmpeg; what goes wrong is kept, and is an end for it."""
        try:
            return body.read(size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._note(self._read_error(error))
            return b""

    def _read_error(self, error: Exception) -> SourceError:
        if isinstance(error, TimeoutError):
            return source_error(Cause.STALLED, self._url, "the stream stalled: no data arrived")
        if isinstance(error, http.client.IncompleteRead):
            return source_error(Cause.ENDED, self._url)
        return open_error(error, self._url, ())

    def release(self, body: WebBody) -> None:
        """Close a body."""
        body.close()
        self._bodies = [b for b in self._bodies if b is not body]

    def next_snapshot(self, pause_s: float) -> WebBody | None:
        """Ask for the picture once more after a pause; None, and a fault, where it cannot be had."""
        self._clock.sleep(pause_s, Stop())
        self._client.allow(2 * self._timeout()[1])
        try:
            return self._get(self._url)
        except SourceError as error:
            self._note(error)
            return None

    def lacks_picture(self) -> None:
        """Take note that there is no picture in what was to be a snapshot."""
        self._note(source_error(Cause.NO_VIDEO, self._url, _NO_JPEG))

    @property
    def has_failed(self) -> bool:
        """Whether reading went wrong."""
        return self._fault is not None

    @property
    def snapshot_interval_s(self) -> float:
        """Seconds from one snapshot to the next."""
        return min(_LONGEST_PAUSE_S, 1 / self._settings.fps)

    def monotonic(self) -> float:
        """Return the time, s."""
        return self._clock.monotonic()

    # Reading.

    def read(self) -> Arrival | None:
        """Return the next packet, or NOTHING between the pictures of a camera that sends few. Raises SourceError."""
        if self._pictures is None:
            return super().read()
        if self._is_quiet(self._pictures):
            return self._silent()
        arrival = super().read()
        self._pictures.waiting -= 1
        return arrival

    def _is_quiet(self, pictures: _JpegFile) -> bool:
        self._client.allow(2 * self._timeout()[1])
        try:
            return not pictures.has_more()
        except OSError:
            return False  # reading raises it with its cause

    def _silent(self) -> Arrival:
        # FFmpeg was not asked, so that it can go on.
        return NOTHING if self._patience.more() else super()._silent()

    def _next_packet(self) -> Any:
        self._client.allow(2 * self._timeout()[1])
        try:
            packet = super()._next_packet()
        except (SourceError, av.error.ExitError):
            self._raise_fault(always=True)
            raise
        self._raise_fault(always=packet is None or packet.size == 0)
        return packet

    def _raise_fault(self, *, always: bool) -> None:
        """Raise what FFmpeg was not told. One segment that is gone is no fault while others come."""
        if self._fault is not None and (always or self._fault.cause in _FATAL):
            raise self._fault

    def close(self) -> None:
        """Close the container, and then what it read."""
        super().close()
        bodies, self._bodies, self._first, self._pictures = self._bodies, [], None, None
        for body in bodies:
            body.close()


class _WebFile:
    """What FFmpeg reads."""

    def __init__(self, source: WebSource, body: WebBody | None) -> None:
        self._source = source
        self._body = body

    def read(self, size: int) -> bytes:
        return self._source.read_body(self._body, size) if self._body else b""

    def close(self) -> None:
        if self._body is not None:
            self._source.release(self._body)


class _JpegFile:
    """A row of JPEGs in the one form that FFmpeg reads; a server that sends a single one is asked again and again."""

    name = "pictures"

    def __init__(self, source: WebSource, body: WebBody) -> None:
        self._source = source
        self._body: WebBody | None = body
        self._is_snapshot = body.content_type.startswith("image/")
        self._in_body = self._empty = 0
        """Pictures in the body so far; bodies in a row that had none."""
        self._cutter = JpegCutter()
        self._ready: deque[bytes] = deque()
        self.waiting = 0
        """Pictures that were handed over and did not come back as packets yet."""
        self._rest = b""
        self._asked = source.monotonic()

    def has_more(self) -> bool:
        """Wait for bytes of the next picture; False when none came in time. Raises OSError."""
        if self.waiting > 0 or self._ready or self._is_snapshot or self._body is None:
            return True
        return self._body.has_more()

    def read(self, size: int) -> bytes:
        while not self._rest:
            if not self._ready and not self._fetch():
                return b""
            if self._ready:
                jpeg = self._ready.popleft()
                self.waiting += 1
                head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self._rest = head.encode() + jpeg + b"\r\n"
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _fetch(self) -> bool:
        """Read some more; return whether there is any more."""
        if self._body is None:
            return False
        data = self._source.read_body(self._body, _CHUNK)
        if not data:
            return self._ask_again(self._body)
        found = self._cutter.feed(data)
        self._in_body += len(found)
        self._ready += found
        return True

    def _ask_again(self, ended: WebBody) -> bool:
        self._body = None
        self._source.release(ended)
        # Some servers call a picture by another type than its own.
        self._is_snapshot |= self._in_body == 1 and not ended.content_type.startswith("multipart/")
        self._empty, self._in_body = 0 if self._in_body else self._empty + 1, 0
        if self._is_snapshot and self._empty >= _MOST_EMPTY:
            self._source.lacks_picture()
        if not self._is_snapshot or self._source.has_failed:
            return False
        pause_s = self._source.snapshot_interval_s - (self._source.monotonic() - self._asked)
        self._body = self._source.next_snapshot(max(0.0, pause_s))
        self._asked = self._source.monotonic()
        self._cutter = JpegCutter()
        return self._body is not None
