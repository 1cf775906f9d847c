"""One client of the loopback RTSP camera: requests, authorisation and packets."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from surveil.demo.rtp import Payload

if TYPE_CHECKING:
    from surveil.demo.rtsp_server import RtspServer

_NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970."""
_REPORT_INTERVAL_S = 5.0
_REALM = "camera"
_REASONS = {
    200: "OK", 401: "Unauthorized", 404: "Not Found", 461: "Unsupported Transport",
}  # fmt: skip
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER"


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """One RTSP request."""

    method: str
    url: str
    headers: dict[str, str]

    @classmethod
    def read(cls, stream: BinaryIO) -> RtspRequest | None:
        """Read the next request, skipping interleaved packets; None at the end of the stream."""
        while first := stream.read(1):
            if first == b"$":  # RTCP from the client
                (length,) = struct.unpack(">xH", stream.read(3))
                stream.read(length)
                continue
            line = (first + stream.readline()).decode("latin1").strip()
            if line:
                method, url, _ = line.split(" ", 2)
                return cls(method, url, _headers(stream))
        return None


def _headers(stream: BinaryIO) -> dict[str, str]:
    headers = {}
    while line := stream.readline().decode("latin1").strip():
        name, value = line.split(":", 1)
        headers[name.lower()] = value.strip()
    stream.read(int(headers.get("content-length", 0)))
    return headers


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class RtspSession:
    """A connected client. `serve` runs on its own thread, `send` on the feeding one."""

    def __init__(self, server: RtspServer, connection: socket.socket, host: str) -> None:
        self._server = server
        self._socket = connection
        self._host = host
        self._write = threading.Lock()
        self._udp: list[socket.socket] = []
        self._ports = (0, 0)
        self._nonce = secrets.token_hex(8)
        self._id = secrets.token_hex(4)
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._sent = [0, 0]  # packets, bytes
        self._report_due = 0.0
        self.mode = ""
        """`tcp`, `udp`, or empty before SETUP."""
        self.playing = False
        self._closing = False

    # Requests.

    def serve(self) -> None:
        """Answer requests until the client leaves."""
        with suppress(OSError, ValueError, struct.error), self._socket.makefile("rb") as stream:
            while request := RtspRequest.read(stream):
                self._server.requests += 1
                self._server.before_reply(request.method)
                self._answer(request)
                if request.method == "TEARDOWN":
                    break
        self.playing = False

    def close(self, *, reset: bool) -> None:
        """Close the connection by FIN or by RST; the first to ask decides which."""
        if self._closing:
            return
        self._closing, self.playing = True, False
        with suppress(OSError):
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
        self._socket.close()
        for udp in self._udp:
            udp.close()

    def raw(self, data: bytes) -> None:
        """Write to the connection as it is."""
        with self._write:
            self._socket.sendall(data)

    def _answer(self, request: RtspRequest) -> None:
        if request.method == "OPTIONS":
            self._reply(request, 200, f"Public: {_METHODS}\r\n")
        elif not self._authorized(request):
            self._reply(request, 401, f"WWW-Authenticate: {self._challenge()}\r\n")
        elif request.method == "DESCRIBE":
            self._describe(request)
        elif request.method == "SETUP":
            self._setup(request)
        elif request.method == "PLAY":
            self._play(request)
        else:
            self._reply(request, 200, f"Session: {self._id}\r\n")

    def _reply(self, request: RtspRequest, code: int, extra: str = "", body: str = "") -> None:
        if body:
            extra += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        cseq = request.headers.get("cseq", "0")
        self.raw(f"RTSP/1.0 {code} {_REASONS[code]}\r\nCSeq: {cseq}\r\n{extra}\r\n{body}".encode())

    def _describe(self, request: RtspRequest) -> None:
        if self._server.path not in request.url:
            self._reply(request, 404)
            return
        sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"{self._server.clip.payloader.sdp()}a=control:track0\r\n"
        )
        self._reply(request, 200, f"Content-Base: {request.url.rstrip('/')}/\r\n", sdp)

    def _setup(self, request: RtspRequest) -> None:
        asked = request.headers.get("transport", "")
        self.mode = "tcp" if "TCP" in asked else "udp"
        ports = re.search(r"client_port=(\d+)-(\d+)", asked)
        if self.mode not in self._server.transports or (self.mode == "udp" and not ports):
            self._reply(request, 461)
            return
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1" if ports is None else self._open_udp(ports)
        self._reply(request, 200, f"Session: {self._id};timeout=60\r\nTransport: {transport}\r\n")

    def _open_udp(self, ports: re.Match[str]) -> str:
        self._ports = (int(ports[1]), int(ports[2]))
        self._udp = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
        for udp in self._udp:
            udp.bind(("127.0.0.1", 0))
        own = "-".join(str(udp.getsockname()[1]) for udp in self._udp)
        return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={own};ssrc={self._ssrc:08X}"

    def _play(self, request: RtspRequest) -> None:
        following = self._sequence + 1 & 0xFFFF
        info = f"url={request.url.rstrip('/')}/track0;seq={following};rtptime={self._server.timestamp()}"
        self._reply(request, 200, f"Session: {self._id}\r\nRange: npt=0-\r\nRTP-Info: {info}\r\n")
        self.playing = True

    # Authorisation.

    def _challenge(self) -> str:
        if self._server.access.scheme == "basic":
            return f'Basic realm="{_REALM}"'
        return f'Digest realm="{_REALM}", nonce="{self._nonce}"'

    def _authorized(self, request: RtspRequest) -> bool:
        access = self._server.access
        given = request.headers.get("authorization", "")
        if not access.user:
            return True
        if access.scheme == "basic":
            secret = base64.b64encode(f"{access.user}:{access.password}".encode()).decode()
            return given == f"Basic {secret}"
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        who = _md5(f"{access.user}:{_REALM}:{access.password}")
        what = _md5(f"{request.method}:{fields.get('uri', '')}")
        return given.startswith("Digest") and fields.get("response") == _md5(f"{who}:{self._nonce}:{what}")

    # Packets.

    def send(self, payloads: list[Payload], timestamp: int) -> None:
        """Send one picture; a client that has gone or does not read is dropped."""
        if not self.playing:
            return
        try:
            self._report()
            packets = [p for payload in payloads if (p := self._packet(payload, timestamp))]
            self._put(0, packets)
        except OSError:
            self.close(reset=True)

    def _packet(self, payload: Payload, timestamp: int) -> bytes | None:
        """Return the RTP packet, or None when it is lost on the way."""
        self._sequence = self._sequence + 1 & 0xFFFF
        self._sent[0] += 1
        self._sent[1] += len(payload.data)
        wired = self._server.wire(payload)
        if wired is None:
            return None
        kind = self._server.clip.payloader.payload_type | (0x80 if wired.last else 0)
        return struct.pack(">BBHII", 0x80, kind, self._sequence, timestamp, self._ssrc) + wired.data

    def _report(self) -> None:
        """Send an RTCP sender report now and then: it ties time stamps to the camera's clock."""
        clock = self._server.clock
        if clock.monotonic() < self._report_due:
            return
        self._report_due = clock.monotonic() + _REPORT_INTERVAL_S
        ntp = clock.wall() + self._server.clock_skew_s() + _NTP_EPOCH_S
        fields = (self._ssrc, int(ntp), int(ntp % 1 * 2**32), self._server.timestamp())
        counts = (self._sent[0] & 0xFFFFFFFF, self._sent[1] & 0xFFFFFFFF)
        self._put(1, [struct.pack(">BBHIIIIII", 0x80, 200, 6, *fields, *counts)])

    def _put(self, channel: int, packets: list[bytes]) -> None:
        if self.mode == "tcp":
            self.raw(b"".join(struct.pack(">BBH", 0x24, channel, len(p)) + p for p in packets))
            return
        for packet in packets:
            self._udp[channel].sendto(packet, (self._host, self._ports[channel]))
