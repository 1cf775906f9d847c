"""Cameras on the network: RTSP, RTSPS, HTTP and HTTPS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from surveil.capture.avsource import AvSource
from surveil.capture.causes import source_error, wants_other_transport
from surveil.capture.certificates import CertificatePlace, Pins, ffmpeg_options
from surveil.capture.settings import StreamSettings
from surveil.capture.source import NOTHING, Arrival, Decoded, StreamInfo
from surveil.errors import Cause, SourceError

_REDIRECT = re.compile(r"Status \d+: Redirecting to (\S+)")
_RTSPS_PORT = 322
_QUICK = {"probesize": "32", "analyzeduration": "0"}
"""Open after the first packet (0.1 s instead of 1.9 s) and keep it: `nobuffer` would throw away the key
frame that cameras send first, and with it up to a key frame interval."""
_FORMATS = "mpegts,flv,live_flv,mpjpeg,mjpeg,h264,hevc,mpegvideo,m4v,mpeg,matroska,webm,mov,asf"
"""What may come over rtmp, srt, udp and tcp: nothing that opens further addresses."""
_REORDER_PACKETS = {"tcp": "2", "udp": "64"}
"""TCP needs none, but without a queue FFmpeg does not notice what the camera left out."""
_TIMELESS = ("mpjpeg", "jpeg_pipe", "mjpeg", "h264", "hevc")
"""FFmpeg's formats that carry no time, as MJPEG over HTTP does: it makes up 25 pictures a second."""
_FINE_TICK = Fraction(1, 90_000)
"""Theirs is 1/25 s, too coarse for a clip that is timed by arrival."""


_TOO_WIDE = (
    "MJPEG over RTSP cannot carry pictures wider or higher than 2040 (RFC 2435): set the camera to H.264, to a smaller "
    "picture, or read its MJPEG over HTTP"
)
_TALL, _WIDE = 1.9, 8.0
"""Such pictures have lost 2048 columns or rows: 2560x1440 arrives as 512x1440."""
_HOPELESS = 4
_HTTP = {"analyzeduration": "500000"}
_NEWEST_PIECE = {"live_start_index": "-1"}
"""FFmpeg begins three pieces before the end, which may be half a minute ago."""
_PIECES_MAY_BE_LATE = 2
"""Times the time for reading: FFmpeg takes an interrupted HLS stream for ended."""


def _is_hls(url: str) -> bool:
    return urlsplit(url).path.lower().endswith(".m3u8")


class Patience:
    """How often reading may come back with nothing before the stream is stalled.

    A camera may send one picture in ten seconds, which its first pictures do not tell; one that has sent without
    such pauses is stalled at the first.
    """

    _FIRST_PACKETS = 3
    _AT_FIRST = 6

    def __init__(self) -> None:
        self._packets = self._silences = self._most = 0

    def came(self) -> None:
        """Take note of a packet."""
        self._packets += 1
        self._most, self._silences = max(self._most, self._silences), 0

    def more(self) -> bool:
        """Take note of a silence; return whether to wait on."""
        self._silences += 1
        allowed = 3 * min(self._most, self._AT_FIRST)
        return self._silences <= (
            max(self._AT_FIRST, allowed) if self._packets <= self._FIRST_PACKETS else allowed
        )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _first_transport(settings: StreamSettings) -> str:
    return "tcp" if settings.transport == "auto" else settings.transport


class NetworkSource(AvSource):
    """A live stream. `timeout` is bounded, because PyAV cannot be interrupted otherwise."""

    live = True

    def __init__(self, settings: StreamSettings, pins: Pins | None = None) -> None:
        super().__init__(settings)
        self._pins = pins or Pins()
        self._is_rtsp = settings.url.startswith("rtsp")
        self._patience = Patience()
        self._shown, self._undecoded = False, 0
        self.transport = _first_transport(settings) if self._is_rtsp else settings.url.partition(":")[0]

    def open(self) -> StreamInfo:
        """Open the stream; over UDP where TCP cannot be had and either may be used. Raises SourceError."""
        self._patience = Patience()
        info = self._open()
        return replace(info, bursts=self._container.format.name.startswith("hls"))

    def _open(self) -> StreamInfo:
        try:
            return super().open()
        except SourceError as error:
            self._stay_here()
            if not self._is_rtsp:
                raise
            if self._settings.transport == "auto" and wants_other_transport(line[2] for line in self._logs):
                self.close()
                self.transport = "udp"
                return super().open()
            if error.cause is Cause.UNAUTHORIZED:
                raise self._login_error(error) from None
            raise

    def _login_error(self, error: SourceError) -> SourceError:
        """Return why a login was refused, in more words where the camera gives them."""
        from surveil.capture.challenge import explain_refusal  # noqa: PLC0415 - a refused login only

        self.close()
        said = explain_refusal(self._url, self._settings.open_timeout_s)
        return source_error(said[0], self._url, said[1]) if said else error

    def _pick_stream(self) -> Any:
        self._stay_here()
        return super()._pick_stream()

    def _stay_here(self) -> None:
        """Refuse a stream that FFmpeg was sent to another host for; no login was sent there. Raises SourceError."""
        for line in self._logs:
            match = _REDIRECT.search(line[2])
            if match and _host(match[1]) != _host(self._url):
                raise source_error(Cause.REDIRECTED, self._url)

    def _options(self) -> Mapping[str, str]:
        if not self._is_rtsp:
            newest = _NEWEST_PIECE if _is_hls(self._settings.url) else {}
            return {**_HTTP, **newest, "format_whitelist": _FORMATS}
        return {
            **_QUICK,
            **self._tls_options(),
            "rtsp_transport": self.transport,
            "allowed_media_types": "video",
            "reorder_queue_size": _REORDER_PACKETS[self.transport],
        }

    def _tls_options(self) -> Mapping[str, str]:
        parts = urlsplit(self._url)
        if parts.scheme != "rtsps":
            return {}
        place = CertificatePlace(
            self._url, parts.hostname or "", parts.port or _RTSPS_PORT, self._settings.serial
        )
        return ffmpeg_options(place, self._settings.tls, self._pins, self._settings.open_timeout_s)

    def _timeout(self) -> tuple[float, float]:
        longer = _PIECES_MAY_BE_LATE if _is_hls(self._settings.url) else 1
        return self._settings.open_timeout_s, longer * self._settings.read_timeout_s

    def _silent(self) -> Arrival:
        if not self._is_rtsp or not self._patience.more():
            return super()._silent()
        # Only FFmpeg's RTSP client goes on after it was interrupted.
        self._packets = self._container.demux(self._stream)
        return NOTHING

    def _decode(self, packet: Any) -> Decoded:
        """Decode; name the cause where MJPEG over RTP cannot carry what the camera sends."""
        decoded = super()._decode(packet)
        if not self._is_rtsp or self._stream.codec_context.name != "mjpeg":
            return decoded
        self._shown |= bool(decoded.shots)
        self._undecoded += decoded.broken
        width, height = self._maker.coded  # as it was sent, and not as it is shown
        is_folded = bool(decoded.shots) and (height > _TALL * width or width > _WIDE * height)
        if is_folded or (self._undecoded >= _HOPELESS and not self._shown):
            raise source_error(Cause.UNSUPPORTED, self._url, _TOO_WIDE)
        return decoded

    def _next_packet(self) -> Any:
        """Return the next packet, without stamps where they are made up: then its arrival counts."""
        packet = super()._next_packet()
        self._patience.came()
        if packet is not None and self._container.format.name in _TIMELESS:
            packet.pts = packet.dts = None
            packet.time_base = _FINE_TICK
        return packet

    def _ended(self) -> None:
        self._take_damage()
        raise source_error(Cause.RESET if self._was_reset else Cause.ENDED, self._url)
