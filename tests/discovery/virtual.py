"""Virtual ONVIF devices on loopback: one answers searches for all, each has its web server and its oddities."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import socket
import struct
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "viewer", "Kame@ra <2024>"
GROUP, PORT = "239.255.255.250", 3702
FAULT = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
    "<s:Reason><s:Text>{reason}</s:Text></s:Reason></s:Fault>"
)


@dataclass
class Profile:
    token: str
    size: tuple[int, int]
    codec: str = "H264"
    fps: int = 15
    gop: int = 15
    source: str = "VS1"
    video: bool = True


@dataclass
class Virtual:
    """What one device is, and what is odd about it."""

    number: int
    profiles: list[Profile] = field(
        default_factory=lambda: [Profile("main", (1920, 1080)), Profile("sub", (640, 360))]
    )
    login: str = "token"
    """`none`, `token` (WS-UsernameToken) or `digest` (HTTP)."""
    clock_s: float = 0.0
    named_host: str = ""
    """Host in what it tells of itself; default: its own."""
    media2: bool = False
    answers: str = ""
    """What is wrong with everything it says: `garbage`, `doctype`, `huge`, or `slow`, also in the `head` or `body`;
    line ends and control characters in a `fault` or in the `status` of HTTP."""
    twice: bool = False
    tells_time: bool = True
    date: str = ""
    """YEAR-MONTH-DAY that it tells; default: that of its clock."""
    path: str = "/onvif/device_service"
    user: str = USER
    stream_port: int = 554
    stream_path: str = ""
    """Of its first profile, as XML; default: the token."""
    name: str = ""
    attempts: int = 0
    serial: str = ""
    model: str = ""

    def __post_init__(self):
        self.serial = self.serial or f"SN{self.number:04}"
        self.model = self.model or f"C{self.number}"

    @property
    def host(self):
        return f"127.0.7.{self.number}"

    @property
    def told(self):
        return self.named_host or self.host

    def clock(self):
        return datetime.now(UTC) + timedelta(seconds=self.clock_s)


class Local(Virtual):
    """One at the address at which the cameras of the rig listen."""

    @property
    def host(self):
        return "127.0.0.1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def do_POST(self):
        device = self.server.device
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        question = re.search(r"<(?:s:)?Body><(\w+)", body)[1]
        if device.answers == "slow":
            self.server.stop.wait(30)
        if device.answers == "status":
            return self.wfile.write(b"one\x1b\x9btwo\r\n\r\n")
        if device.login == "digest" and question != "GetSystemDateAndTime" and not self.has_digest():
            return self.send(
                401, b"", {"WWW-Authenticate": 'Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5'}
            )
        if device.login == "token" and question != "GetSystemDateAndTime" and not self.has_token(body):
            device.attempts += 1
            return self.reply(FAULT.format(code="ter:NotAuthorized", reason="Sender not Authorized"), 400)
        if device.answers == "fault":
            return self.reply(FAULT.format(code="ter:Action", reason="one\n\u009btwo"), 400)
        return self.reply(getattr(self, question)(body))

    def has_digest(self):
        given = dict(re.findall(r'(\w+)="?([^",]+)', self.headers.get("Authorization", "")))
        if not given:
            return False

        def h(text):
            return hashlib.md5(text.encode()).hexdigest()

        who, what = h(f"{self.server.device.user}:cam:{PASSWORD}"), h(f"POST:{self.path}")
        middle = ":".join((given["nonce"], given["nc"], given["cnonce"], "auth"))
        return given["response"] == h(f"{who}:{middle}:{what}")

    def has_token(self, body):
        found = re.search(
            r"Username>(.*?)</.*?Password Type=.*?>(.*?)</.*?Nonce .*?>(.*?)</.*?Created .*?>(.*?)</", body
        )
        if not found:
            return False
        user, digest, nonce, created = found.groups()
        fresh = abs(datetime.fromisoformat(created) - self.server.device.clock()) < timedelta(seconds=10)
        whole = base64.b64decode(nonce) + created.encode() + PASSWORD.encode()
        return user == USER and fresh and digest == base64.b64encode(hashlib.sha1(whole).digest()).decode()

    def reply(self, inside, status=200):
        wrong = {
            "garbage": b"<html>it works<",
            "doctype": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
            "huge": b"<a>" + b"x" * 2_000_000,
        }
        text = f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{inside}</s:Body></s:Envelope>'
        self.send(status, wrong.get(self.server.device.answers, text.encode()), {})

    def send(self, status, data, headers):
        self.send_response(status)
        before = b" " * 40 if self.server.device.answers == "body" else b""
        length = str(len(before + data))
        for name, value in {**headers, "Connection": "close", "Content-Length": length}.items():
            self.send_header(name, value)
        try:
            self.drip("head", b"X-Padding: " + b"x" * 40 + b"\r\n")
            self.end_headers()
            self.drip("body", before)
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def drip(self, part, data):
        """Send something slowly that changes nothing; it takes longer than anybody may wait, but ends."""
        if self.server.device.answers == part:
            self.flush_headers()
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.server.stop.wait(0.1)

    def GetSystemDateAndTime(self, _body):
        device = self.server.device
        if not device.tells_time:
            return FAULT.format(code="ter:ActionNotSupported", reason="not implemented")
        t = device.clock()
        year, month, day = device.date.split("-") if device.date else (t.year, t.month, t.day)
        return (
            f"<r><UTCDateTime><Time><Hour>{t.hour}</Hour><Minute>{t.minute}</Minute><Second>{t.second}</Second></Time>"
            f"<Date><Year>{year}</Year><Month>{month}</Month><Day>{day}</Day></Date></UTCDateTime></r>"
        )

    def GetDeviceInformation(self, _body):
        device = self.server.device
        number = device.number
        return (
            f"<r><Manufacturer>Acme</Manufacturer><Model>{device.model}</Model><FirmwareVersion>1.{number}</FirmwareVersion>"
            f"<SerialNumber>{device.serial}</SerialNumber></r>"
        )

    def base(self):
        return f"http://{self.server.device.told}:{self.server.server_port}/onvif"

    def GetServices(self, _body):
        versions = ("10", "20") if self.server.device.media2 else ("10",)
        listed = "".join(
            f"<Service><Namespace>http://www.onvif.org/ver{version}/media/wsdl</Namespace>"
            f"<XAddr>{self.base()}/media{version}</XAddr></Service>"
            for version in versions
        )
        return f"<r>{listed}</r>"

    def GetCapabilities(self, _body):
        return f"<r><Capabilities><Media><XAddr>{self.base()}/media10</XAddr></Media></Capabilities></r>"

    def GetProfiles(self, _body):
        made = self.profile20 if self.path.endswith("20") else self.profile10
        return f"<r>{''.join(made(profile) for profile in self.server.device.profiles)}</r>"

    def profile10(self, p):
        # The first media service has no name for H.265: devices leave such profiles out or call them something else.
        encoder = (
            f"<VideoEncoderConfiguration><Encoding>{p.codec}</Encoding><Resolution><Width>{p.size[0]}</Width>"
            f"<Height>{p.size[1]}</Height></Resolution><RateControl><FrameRateLimit>{p.fps}</FrameRateLimit>"
            f"<BitrateLimit>2048</BitrateLimit></RateControl><H264><GovLength>{p.gop}</GovLength></H264>"
            "</VideoEncoderConfiguration>"
        )
        source = f"<VideoSourceConfiguration><SourceToken>{p.source}</SourceToken></VideoSourceConfiguration>"
        return f'<Profiles token="{p.token}"><Name>{p.token}</Name>{source}{encoder if p.video else ""}</Profiles>'

    def profile20(self, p):
        encoder = (
            f'<VideoEncoder GovLength="{p.gop}"><Encoding>{p.codec}</Encoding><Resolution><Width>{p.size[0]}</Width>'
            f"<Height>{p.size[1]}</Height></Resolution><RateControl><FrameRateLimit>{p.fps}</FrameRateLimit>"
            "<BitrateLimit>2048</BitrateLimit></RateControl></VideoEncoder>"
        )
        source = f"<VideoSource><SourceToken>{p.source}</SourceToken></VideoSource>"
        inside = f"{source}{encoder if p.video else ''}"
        return f'<Profiles token="{p.token}"><Name>{p.token}</Name><Configurations>{inside}</Configurations></Profiles>'

    def GetStreamUri(self, body):
        device = self.server.device
        token = re.search(r"ProfileToken>(.*?)<", body)[1]
        path = device.stream_path if token == device.profiles[0].token else ""
        return f"<r><Uri>rtsp://{device.told}:{device.stream_port}/{path or token}</Uri></r>"


class Alone:
    """One process at a time: a search of another process's test would find these devices, too."""

    def __init__(self):
        self._users, self._file = 0, None

    def __enter__(self):
        self._users += 1
        if self._users == 1:
            self._file = (Path(tempfile.gettempdir()) / f"virtual-cameras-{os.getuid()}").open("w")
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *exc):
        self._users -= 1
        if not self._users:
            self._file.close()


ALONE = Alone()


class Network(ExitStack):
    """Some devices that can be found. Use as a context manager."""

    def __init__(self, devices):
        super().__init__()
        self._devices = devices
        self.stop = threading.Event()

    def __enter__(self):
        self.enter_context(ALONE)
        self._servers = [self._serve(device) for device in self._devices]
        link = self._link = self.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.bind((GROUP, PORT))
        joined = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        link.settimeout(0.1)
        thread = threading.Thread(target=self._answer)
        thread.start()
        self.callback(thread.join)
        self.callback(self.stop.set)
        return self

    def service(self, number):
        """The URL of a device's service."""
        server = self._servers[number]
        return f"http://{server.device.host}:{server.server_port}{server.device.path}"

    def _serve(self, device):
        server = ThreadingHTTPServer((device.host, 0), Handler)
        server.daemon_threads = True
        server.device, server.stop = device, self.stop
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.callback(server.server_close)
        self.callback(thread.join)
        self.callback(server.shutdown)
        return server

    def _answer(self):
        while not self.stop.is_set():
            try:
                data, asker = self._link.recvfrom(65535)
            except TimeoutError:
                continue
            if b"NetworkVideoTransmitter" in data or b"Device" in data:
                for server in self._servers:
                    self._tell(server, asker)

    def _tell(self, server, asker):
        device = server.device
        service = f"http://{device.told}:{server.server_port}{device.path}"
        scopes = f"onvif://www.onvif.org/name/{device.name}" if device.name else ""
        text = (
            '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><ProbeMatches><ProbeMatch>'
            f"<EndpointReference><Address>urn:uuid:0000-{device.number}</Address></EndpointReference>"
            f"<Scopes>{scopes}</Scopes><XAddrs>http://169.254.1.1/onvif {service}</XAddrs>"
            "</ProbeMatch></ProbeMatches></e:Body></e:Envelope>"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.bind((device.host, 0))
            for _ in range(2 if device.twice else 1):
                link.sendto(text.encode(), asker)
            link.sendto(b"<noise", asker)
