"""Common part of network streams and files: a PyAV container with one video stream.

Damage is taken from FFmpeg's log of the reading thread: packets missing from RTP are reported nowhere
else, and H.265 pictures are never flagged as corrupt (30 % of the payloads destroyed: none of 42 was).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import av
import av.codec.hwaccel
import av.error
import av.logging
import av.stream

from surveil.capture.causes import LogLine, open_error, source_error
from surveil.capture.decoder import Coding, PictureMaker, means_damage, open_decoder, set_up
from surveil.capture.h264 import SliceHeaders
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot, StreamInfo
from surveil.cuda import gpu_present, share_context
from surveil.errors import Cause, SourceError

_LEAST_FPS, _MOST_FPS = 0.1, 240.0
_STILLS = ("mjpeg", "png", "bmp", "gif", "tiff", "webp")
"""What covers are made of; also what a film may be made of, if there is no other stream."""
_SELF_CONTAINED = ("h264", "hevc")
"""Their packets say all that a decoder needs, so that it need not be the container's."""
_NO_CUDA = "hwaccel: cuda is set, but cannot decode this stream here"


def listen_to_ffmpeg() -> None:
    """Have what FFmpeg says reported to the thread that caused it, and to no log: it carries addresses."""
    av.logging.set_level(av.logging.INFO)  # it tells of redirects so
    av.logging.set_skip_repeated(False)
    logging.getLogger("libav").setLevel(logging.CRITICAL + 1)


class AvSource:
    """A PyAV container and its first video stream. Belongs to the thread that opened it."""

    live = True
    transport = "file"

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._url = settings.url
        self._capture: av.logging.Capture | None = None
        self._logs: list[LogLine] = []
        self._container: Any = None
        self._stream: Any = None
        self._decoder: Any = None
        """Opened with the first packet that is decoded."""
        self._packets: Iterator[Any] = iter(())
        self._tick = 0.0
        self._maker = PictureMaker(settings, live=self.live)
        self._was_reset = False
        """FFmpeg tells of it only in its log, before the last packet of the connection."""
        self._slices: SliceHeaders | None = None

    # What sorts of stream differ in.

    def _options(self) -> Mapping[str, str]:
        """FFmpeg's options for opening."""
        return {}

    def _timeout(self) -> tuple[float, float] | None:
        """Seconds for opening and for reading."""
        return None

    def _ended(self) -> None:
        """Run at the end of the stream; raises SourceError where there should be none."""

    def _silent(self) -> Arrival:
        """Return NOTHING when nothing came within the time for reading; raises SourceError where that is too long."""
        raise source_error(Cause.STALLED, self._url, "the stream stalled: no data arrived")

    # The protocol.

    def open(self) -> StreamInfo:
        """Open the container and prepare its decoder. Raises SourceError."""
        listen_to_ffmpeg()
        self._capture = av.logging.Capture()
        self._logs = self._capture.__enter__()
        try:
            self._container = self._open_container()
            self._stream = self._pick_stream()
        except SourceError:
            raise
        except (av.error.FFmpegError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
            raise open_error(error, self._url, self._logs) from None
        self._packets = self._container.demux(self._stream)
        self._tick = float(self._stream.time_base)
        self._logs.clear()
        self._was_reset = False
        self._maker.restart()
        codec = self._stream.codec_context
        is_followed = self.live and codec.name == "h264"
        self._slices = SliceHeaders(bytes(codec.extradata or b"")) if is_followed else None
        decoder = "cuda" if codec.is_hwaccel else "software"
        rates = map(float, filter(None, (codec.framerate, self._stream.average_rate)))
        fps = next((rate for rate in rates if _LEAST_FPS <= rate <= _MOST_FPS), None)
        return StreamInfo(codec=codec.name, decoder=decoder, transport=self.transport, fps=fps)

    def read(self) -> Arrival | None:
        """Return the next packet. Raises SourceError (stalled, reset, damaged …)."""
        try:
            packet = self._next_packet()
        except av.error.ExitError:
            return self._silent()
        if packet is None or packet.size == 0:
            self._ended()
            return None
        stamp = packet.dts if packet.dts is not None else packet.pts
        is_gap = self._slices is not None and self._slices.update(memoryview(packet))
        return Arrival(
            packet.size,
            packet.is_keyframe,
            None if stamp is None else stamp * self._tick,
            self._take_damage() or packet.is_corrupt or is_gap,
            packet,
            self._slices is None or self._slices.is_intra,
        )

    def decode(self, arrival: Arrival) -> Decoded:
        """Decode the packet; what the decoder complains about comes back as `broken`."""
        return self._decode(arrival.packet)

    def camera_clock(self, arrival: Arrival) -> float | None:
        """Return the camera's wall time of a packet, from RTCP sender reports; None before the first one."""
        if not arrival.packet.has_sidedata("prft"):
            return None
        wallclock: int = struct.unpack_from("<q", bytes(arrival.packet.get_sidedata("prft")))[0]
        return wallclock / 1e6

    def drain(self) -> Decoded:
        """Return what the decoder still holds, and leave it ready for a key frame."""
        decoded = self._decode(None)
        self._decoder.flush_buffers()
        self._decoder = (
            None  # one of our own is let go of with its pictures: it may be long until the next packet
        )
        return decoded

    def close(self) -> None:
        """Close the container on the thread that opened it."""
        self._packets = iter(())
        self._stream = self._decoder = None
        container, self._container = self._container, None
        if container is not None:
            container.close()
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.__exit__(None, None, None)

    # Opening.

    def _open_container(self) -> Any:
        arguments: dict[str, Any] = {"options": dict(self._options()), "timeout": self._timeout()}
        for accelerator in _accelerators(self._settings.hwaccel):
            try:
                return self._av_open(hwaccel=accelerator, **arguments)
            except (RuntimeError, NotImplementedError, av.error.FFmpegError) as error:
                # A machine without a working device refuses here, and so does a dead camera.
                if accelerator is None or not _is_about_device(error, self._logs):
                    raise
                self._logs.clear()
        raise source_error(Cause.UNSUPPORTED, self._url, _NO_CUDA)

    def _av_open(self, **arguments: Any) -> Any:
        return av.open(self._url, **arguments)

    def _pick_stream(self) -> Any:
        videos = [s for s in self._container.streams.video if s.codec_context is not None]
        if not videos:
            raise source_error(Cause.NO_VIDEO, self._url)
        chosen = max(videos, key=lambda one: _worth(one, by_size=not self.live))
        codec = chosen.codec_context
        set_up(codec, self._settings)
        if self._settings.hwaccel == "cuda" and not codec.is_hwaccel:
            raise source_error(Cause.UNSUPPORTED, self._url, _NO_CUDA)
        return chosen

    # Reading.

    def _next_packet(self) -> Any:
        try:
            return next(self._packets, None)
        except av.error.ExitError:
            raise
        except (av.error.FFmpegError, OSError) as error:
            if isinstance(error, av.error.InvalidDataError):
                raise source_error(Cause.DAMAGED, self._url) from None
            raise open_error(error, self._url, self._logs) from None

    def _take_damage(self) -> bool:
        """Return whether FFmpeg complained since last time."""
        if not self._logs:
            return False
        damage = any(map(means_damage, self._logs))
        self._was_reset |= any("Connection reset" in text for _, _, text in self._logs)
        self._logs.clear()
        return damage

    def _decode(self, packet: Any) -> Decoded:
        decoder = self._decoder = self._decoder or self._open_decoder()
        try:
            frames: Sequence[Any] = decoder.decode(packet)
        except av.error.EOFError:
            return Decoded()
        except av.error.FFmpegError:
            self._logs.clear()
            return Decoded(broken=True)
        shots = [self._shot(frame) for frame in frames]
        return Decoded(shots, self._take_damage() or any(frame.is_corrupt for frame in frames))

    def _open_decoder(self) -> Any:
        """Return the container's decoder, or one of our own where that does as well: only that can be let go of."""
        codec = self._stream.codec_context
        if not self.live or codec.is_hwaccel or codec.name not in _SELF_CONTAINED:
            return codec
        return open_decoder(Coding.of(self._stream), self._settings)

    def _shot(self, frame: Any) -> Shot:
        picture = self._maker.make(frame, self._stream, self._decoder)
        pts = frame.pts
        return Shot(picture, None if pts is None else pts * self._tick, frame.key_frame)


def _accelerators(wanted: str) -> Iterator[Any]:
    """Yield what may decode, best first; None is the CPU."""
    if wanted == "cuda" or (wanted == "auto" and gpu_present()):
        fallback = wanted == "auto"
        if share_context():
            options: dict[str, object] = {"primary_ctx": "1"}
            yield av.codec.hwaccel.HWAccel("cuda", allow_software_fallback=fallback, options=options)
        yield av.codec.hwaccel.HWAccel("cuda", allow_software_fallback=fallback)
    if wanted != "cuda":
        yield None


def _worth(stream: Any, *, by_size: bool) -> tuple[bool, bool, int]:
    """Order video streams by how likely they are the film: recorders put covers and thumbnails beside it."""
    is_cover = bool(stream.disposition & av.stream.Disposition.attached_pic) or stream.frames == 1
    codec = stream.codec_context
    return not is_cover, codec.name not in _STILLS, codec.width * codec.height if by_size else 0


def _is_about_device(error: Exception, logs: Sequence[LogLine]) -> bool:
    """Whether the device could not be had, and not the stream."""
    if not isinstance(error, av.error.FFmpegError):
        return True
    return any("cuda" in name.lower() or "hwdevice" in name.lower() for _, name, _ in logs)
