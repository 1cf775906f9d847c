"""WS-Discovery (OASIS, 2009; ONVIF Core, chapter 7): ask the network which video devices there are.

Own sockets: the library skips loopback, always waits for its whole time, and stops finding after one search on a host
with IPv6. No netlink is used, which the hardened unit forbids.
"""

from __future__ import annotations

import fcntl
import selectors
import socket
import struct
import time
import uuid
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from surveil.discovery import markup
from surveil.wording import one_line

GROUP, GROUP6, PORT = "239.255.255.250", "ff02::c", 3702
TYPES = ("dn:NetworkVideoTransmitter", "tds:Device")
"""Asked for one after the other: some devices answer to one of them only."""
REPEAT_S = 0.5
"""UDP loses packets: each question is repeated once."""
_SIOCGIFCONF = 0x8912
_ENTRY = 40
_MOST_BYTES = 65535
_MOST_SERVICES = 8
"""URLs of one device that are tried; an answer has room for thousands."""
_PROBE = """<?xml version="1.0" encoding="UTF-8"?>\
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" \
xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl" \
xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><e:Header><w:MessageID>uuid:{id}</w:MessageID>\
<w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>\
<w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>\
<e:Body><d:Probe><d:Types>{types}</d:Types></d:Probe></e:Body></e:Envelope>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One device that answered."""

    endpoint: str
    """Its lasting identity, a `urn:uuid:`; else where it answered from."""
    address: str
    """Where the answer came from: the only host that is talked to."""
    services: tuple[str, ...]
    """URLs of its device service at that host, the likeliest first."""
    name: str = ""
    hardware: str = ""


def search(seconds: float, interfaces: Sequence[str] = ()) -> Iterator[Match]:
    """Yield each device as it answers, once. `interfaces`: addresses of this machine to ask from; default: all.

    Raises OSError where no socket can be opened.
    """
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for address in interfaces or own_addresses():
            link = stack.enter_context(_link(address))
            selector.register(link, selectors.EVENT_READ)
        seen: set[str] = set()
        for match in _answers(selector, seconds):
            if match.endpoint not in seen:
                seen.add(match.endpoint)
                yield match


def own_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine."""
    room = array("B", bytes(64 * _ENTRY))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        request = struct.pack("iP", len(room), room.buffer_info()[0])
        used = struct.unpack("iP", fcntl.ioctl(link.fileno(), _SIOCGIFCONF, request))[0]
    places = range(0, used, _ENTRY)
    return list(dict.fromkeys(socket.inet_ntoa(room[at + 20 : at + 24].tobytes()) for at in places))


def _link(address: str) -> socket.socket:
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    link.bind((address, 0))
    return link


def _answers(selector: selectors.BaseSelector, seconds: float) -> Iterator[Match]:
    """Ask, ask again, and yield what comes; a device may come several times."""
    now = time.monotonic()
    end, asks = now + seconds, [now, now + min(REPEAT_S, seconds / 2)]
    while (now := time.monotonic()) < end:
        if asks and now >= asks[0]:
            del asks[0]
            _ask(selector)
        for key, _ in selector.select((asks[0] if asks else end) - now):
            assert isinstance(key.fileobj, socket.socket)
            data, sender = key.fileobj.recvfrom(_MOST_BYTES)
            yield from read(data, sender[0])


def _ask(selector: selectors.BaseSelector) -> None:
    for key in list(selector.get_map().values()):
        for types in TYPES:
            # An interface without a route, or that went down: the others are asked all the same.
            with suppress(OSError):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.sendto(_PROBE.format(id=uuid.uuid4(), types=types).encode(), (GROUP, PORT))


def read(data: bytes, sender: str) -> Iterator[Match]:
    """Yield the devices in an answer; nothing where it is none."""
    try:
        root = markup.parse(data)
    except markup.MarkupError:
        return
    for found in markup.every(root, "ProbeMatch"):
        scopes = markup.text(found, "Scopes").split()
        if services := _at_sender(markup.text(found, "XAddrs").split(), sender):
            yield Match(
                endpoint=markup.text(found, "EndpointReference", "Address") or f"{sender} {services[0]}",
                address=sender,
                services=services,
                name=_scope(scopes, "name"),
                hardware=_scope(scopes, "hardware"),
            )


def _at_sender(services: Sequence[str], sender: str) -> tuple[str, ...]:
    """Return the URLs at the host that answered: a device with two networks lists both, one behind NAT another."""
    web = (url for url in services if url.startswith(("http://", "https://")))
    ordered = sorted(web, key=lambda url: host_of(url) != sender)
    there = dict.fromkeys(url for service in ordered if (url := at_host(service, sender)))
    return tuple(there)[:_MOST_SERVICES]


def host_of(url: str) -> str:
    """Return the host of a URL; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def at_host(url: str, host: str) -> str:
    """Return `url` with this host in the place of its own and of a login; empty where it is none.

    Behind NAT a device names addresses that lead nowhere, and what it names may be anybody's.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{shown}{port}").geturl() if parts.scheme and parts.netloc else ""


def _scope(scopes: Sequence[str], kind: str) -> str:
    """Return what a device says of itself in `onvif://www.onvif.org/KIND/…`."""
    start = f"onvif://www.onvif.org/{kind}/"
    found = next((scope for scope in scopes if scope.lower().startswith(start)), "")
    return one_line(unquote(found[len(start) :]).replace("_", " "))
