"""Clips as RTP: H.264 (RFC 6184), H.265 (RFC 7798) and MJPEG (RFC 2435, 4:2:0)."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import av.bitstream
import av.error

from surveil.errors import Cause, SourceError

CLOCK_HZ = 90_000
MTU = 1400
"""Payload bytes per packet."""
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_ANNEX_B = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}


@dataclass(frozen=True, slots=True)
class Payload:
    """What one RTP packet carries."""

    data: bytes
    last: bool
    """Ends an access unit: the marker bit."""


class Payloader(Protocol):
    """Knows how one codec is announced and cut into packets."""

    payload_type: int

    def sdp(self) -> str:
        """Media lines of the session description."""

    def cut(self, unit: bytes) -> list[bytes]:
        """Return the payloads of one access unit."""


def _nal_units(unit: bytes) -> list[bytes]:
    return [nal for nal in _START_CODE.split(unit) if nal]


def _fragments(data: bytes, kind: int) -> Iterator[bytes]:
    """Cut the body of a NAL unit; each piece starts with the fragmentation header (start, end, type)."""
    for offset in range(0, len(data), MTU):
        start = 0x80 if offset == 0 else 0
        end = 0x40 if offset + MTU >= len(data) else 0
        yield bytes([start | end | kind]) + data[offset : offset + MTU]


class H264Payloader:
    """RFC 6184: single NAL units and FU-A."""

    payload_type = 96

    def __init__(self, first: bytes) -> None:
        self._sets = {nal[0] & 31: nal for nal in _nal_units(first)}

    def sdp(self) -> str:
        """Media lines with the parameter sets of the first access unit."""
        sps, pps = self._sets[7], self._sets[8]
        sprop = ",".join(base64.b64encode(nal).decode() for nal in (sps, pps))
        return (
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;"
            f"profile-level-id={sps[1:4].hex()};sprop-parameter-sets={sprop}\r\n"
        )

    def cut(self, unit: bytes) -> list[bytes]:
        """Return the payloads of one access unit."""
        payloads: list[bytes] = []
        for nal in _nal_units(unit):
            if len(nal) <= MTU:
                payloads.append(nal)
                continue
            indicator = bytes([nal[0] & 0xE0 | 28])
            payloads += [indicator + piece for piece in _fragments(nal[1:], nal[0] & 31)]
        return payloads


class H265Payloader:
    """RFC 7798: single NAL units and fragmentation units."""

    payload_type = 96

    def __init__(self, first: bytes) -> None:
        self._sets = {nal[0] >> 1 & 63: nal for nal in _nal_units(first)}

    def sdp(self) -> str:
        """Media lines with the parameter sets of the first access unit."""
        vps, sps, pps = (base64.b64encode(self._sets[kind]).decode() for kind in (32, 33, 34))
        return (
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\n"
            f"a=fmtp:96 sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}\r\n"
        )

    def cut(self, unit: bytes) -> list[bytes]:
        """Return the payloads of one access unit."""
        payloads: list[bytes] = []
        for nal in _nal_units(unit):
            if len(nal) <= MTU:
                payloads.append(nal)
                continue
            header = bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
            payloads += [header + piece for piece in _fragments(nal[2:], nal[0] >> 1 & 63)]
        return payloads


@dataclass(slots=True)
class _Jpeg:
    """The parts of a baseline JPEG that RFC 2435 sends."""

    width: int
    height: int
    tables: bytes
    scan: bytes


def _parse_jpeg(data: bytes) -> _Jpeg:
    size, tables, position = (0, 0), dict[int, bytes](), 2
    while True:
        marker, length = data[position + 1], struct.unpack_from(">H", data, position + 2)[0]
        segment = data[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == 0xDB:  # quantisation tables
            for start in range(0, len(segment), 65):
                tables[segment[start] & 15] = segment[start + 1 : start + 65]
        elif marker == 0xC0:  # start of a baseline frame
            size = struct.unpack_from(">HH", segment, 1)
        elif marker == 0xDA:  # start of scan
            break
    quantisation = b"".join(tables[k] for k in sorted(tables))
    scan = data[position:].removesuffix(b"\xff\xd9")
    return _Jpeg(size[1], size[0], quantisation * (2 if len(tables) == 1 else 1), scan)


class MjpegPayloader:
    """RFC 2435 with the quantisation tables in band (Q = 255). Sizes are sent in units of 8 pixels."""

    payload_type = 26

    def sdp(self) -> str:
        """Media line; everything else is in band."""
        return "m=video 0 RTP/AVP 26\r\n"

    def cut(self, unit: bytes) -> list[bytes]:
        """Return the payloads of one picture."""
        jpeg = _parse_jpeg(unit)
        payloads = []
        for offset in range(0, len(jpeg.scan), MTU):
            header = struct.pack(">I", offset) + bytes(
                [1, 255, jpeg.width // 8 & 255, jpeg.height // 8 & 255]
            )
            if offset == 0:
                header += struct.pack(">BBH", 0, 0, len(jpeg.tables)) + jpeg.tables
            payloads.append(header + jpeg.scan[offset : offset + MTU])
        return payloads


_WITH_SETS: dict[str, Callable[[bytes], Payloader]] = {"h264": H264Payloader, "hevc": H265Payloader}

_CODECS = (*_WITH_SETS, "mjpeg")


class RtpClip:
    """The encoded pictures of a file in the form RTP sends them; played round and round.

    Raises SourceError when it cannot be read, or its codec is none of h264, hevc, mjpeg.
    """

    def __init__(self, path: Path) -> None:
        try:
            with av.open(str(path)) as container:
                self._read(path, container)
        except (OSError, av.error.FFmpegError) as error:
            reason = error.strerror or error
            raise SourceError(Cause.DAMAGED, f"{path} cannot be read as a video ({reason})") from None
        self.payloader = self._payloader()

    def _read(self, path: Path, container: av.container.InputContainer) -> None:
        videos = container.streams.video
        self.codec: str = videos[0].codec_context.name if videos else "no video"
        if self.codec not in _CODECS:
            remedy = "give a clip of H.264, H.265 or MJPEG"
            raise SourceError(Cause.UNSUPPORTED, f"{path} holds {self.codec}, which is not served; {remedy}")
        self.fps = float(videos[0].average_rate or 15)
        self._units = list(_access_units(container, videos[0], self.codec))
        if not self._units:
            raise SourceError(Cause.NO_VIDEO, f"{path} holds not one picture")

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self._units)

    def payloads(self, index: int) -> list[Payload]:
        """Return the packets of picture `index`, counted past the end of the clip."""
        cut = self.payloader.cut(self._units[index % len(self._units)])
        return [Payload(data, i == len(cut) - 1) for i, data in enumerate(cut)]

    def _payloader(self) -> Payloader:
        if self.codec == "mjpeg":
            return MjpegPayloader()
        return _WITH_SETS[self.codec](self._units[0])


def _access_units(
    container: av.container.InputContainer, stream: av.VideoStream, codec: str
) -> Iterator[bytes]:
    name = _ANNEX_B.get(codec)
    bsf = av.bitstream.BitStreamFilterContext(name, stream) if name else None
    for packet in container.demux(stream):
        if packet.size:
            yield from (bytes(out) for out in (bsf.filter(packet) if bsf else [packet]) if out.size)
