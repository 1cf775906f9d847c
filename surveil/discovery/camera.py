"""What is known about one device, and the ONVIF requests for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from surveil.capture.address import check_address, refers_to_secret
from surveil.discovery import markup
from surveil.discovery.device import MEDIA, MEDIA2, SCHEMA, Device, DeviceError, Login, Unreachable
from surveil.discovery.probe import Match, at_host, host_of
from surveil.wording import one_line

_SCHEMES = ("rtsp", "rtsps", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One profile that sends video."""

    token: str
    name: str
    source: str
    """Token of the video source: a device with several sensors has several."""
    codec: str
    """`H264`, `H265`, `JPEG`, …, as the device names it."""
    width: int
    height: int
    fps: float
    gop: int
    """Key-frame interval, frames; 0: not told."""
    kbps: float
    url: str = ""
    """Without a login."""

    @property
    def gop_s(self) -> float:
        """Seconds from key frame to key frame; 0: not told."""
        return self.gop / self.fps if self.fps else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCamera:
    """A device that answered. Nothing in it is secret."""

    address: str
    service: str
    endpoint: str
    name: str = ""
    maker: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    clock_skew_s: float | None = None
    """Its clock less ours."""
    streams: tuple[Stream, ...] = ()
    notes: tuple[str, ...] = ()
    """What its owner should know."""
    problem: str = ""
    """Why there is no more; empty where all is well."""


def describe(match: Match, login: Login | None, *, seconds: float = 4.0) -> FoundCamera:
    """Return what the device tells; never raises for what it does wrong."""
    try:
        return _at_each(match, lambda service: _describe(match, service, login, seconds))
    except Unreachable as error:
        return replace(unknown(match), problem=str(error))


def identify(match: Match, login: Login | None, *, until: float) -> FoundCamera:
    """Return what the device says it is, without its streams; `until`: monotonic s. Raises DeviceError."""

    def ask(service: str) -> FoundCamera:
        device = Device(service, login, seconds=until - time.monotonic())
        device.learn_time()
        return _with_identity(_unknown(match, service), device)

    return _at_each(match, ask)


def unknown(match: Match) -> FoundCamera:
    """Return what the answer to the search tells."""
    return _unknown(match, match.services[-1])


def _at_each(match: Match, ask: Callable[[str], FoundCamera]) -> FoundCamera:
    """Ask at each URL of a device until one is reachable. Raises DeviceError."""
    for service in match.services[:-1]:
        with suppress(Unreachable):
            return ask(service)
    return ask(match.services[-1])


def _describe(match: Match, service: str, login: Login | None, seconds: float) -> FoundCamera:
    """Ask at one URL. Raises Unreachable."""
    device, found = Device(service, login, seconds=seconds), _unknown(match, service)
    try:
        device.learn_time()
        found = _with_identity(found, device)
        streams, notes = _streams(device, match)
        return replace(found, clock_skew_s=device.skew_s, streams=streams, notes=notes)
    except Unreachable:
        raise
    except DeviceError as error:
        return replace(found, clock_skew_s=device.skew_s, problem=str(error))


def _unknown(match: Match, service: str) -> FoundCamera:
    return FoundCamera(
        address=match.address,
        service=service,
        endpoint=match.endpoint,
        name=match.name,
        model=match.hardware,
    )


def _with_identity(found: FoundCamera, device: Device) -> FoundCamera:
    told = device.device("GetDeviceInformation")
    return replace(
        found,
        maker=markup.text(told, "Manufacturer"),
        model=markup.text(told, "Model") or found.model,
        firmware=markup.text(told, "FirmwareVersion"),
        serial=markup.text(told, "SerialNumber"),
    )


def _services(device: Device) -> dict[str, str]:
    """Return the URL of each service by namespace, from the question of today or, of old devices, the one before."""
    try:
        told = device.device("GetServices", "<IncludeCapability>false</IncludeCapability>")
        listed = {
            markup.text(one, "Namespace"): markup.text(one, "XAddr") for one in markup.every(told, "Service")
        }
        if MEDIA in listed or MEDIA2 in listed:
            return listed
    except DeviceError:
        pass
    told = device.device("GetCapabilities", "<Category>All</Category>")
    return {MEDIA: markup.text(told, "Media", "XAddr")}


def _streams(device: Device, match: Match) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    services = {namespace: at_host(url, match.address) for namespace, url in _services(device).items() if url}
    found, silent = _profiles(device, services)
    streams, notes = [], [f"profile {name} has no video" for name in silent]
    for namespace, stream in found:
        url, note = _address(device, services[namespace], namespace, stream, match.address)
        notes += [note] if note else []
        if url:
            streams.append(replace(stream, url=url))
    return tuple(streams), tuple(dict.fromkeys(notes))


def _profiles(device: Device, services: dict[str, str]) -> tuple[list[tuple[str, Stream]], list[str]]:
    """Return (media service, stream) of each profile, and the names of those without video.

    The second media service knows H.265; devices that announce it and fail are asked as before.
    """
    error: DeviceError | None = None
    for namespace, body in ((MEDIA2, "<Type>All</Type>"), (MEDIA, "")):
        if namespace not in services:
            continue
        try:
            told = device.ask(services[namespace], f'<GetProfiles xmlns="{namespace}">{body}</GetProfiles>')
        except DeviceError as failed:
            error = failed
            continue
        profiles = list(markup.every(told, "Profiles"))
        streams = [(namespace, stream) for one in profiles if (stream := _stream(one))]
        if streams:
            names = {stream.token for _, stream in streams}
            return streams, [_name(one) for one in profiles if one.get("token", "") not in names]
    if error is not None:
        raise error
    raise DeviceError("has no profile with video")


def _name(profile: Element) -> str:
    return markup.text(profile, "Name") or one_line(profile.get("token", "")) or "?"


def _stream(profile: Element) -> Stream | None:
    encoder = markup.first(profile, "VideoEncoderConfiguration")
    if encoder is None:
        encoder = markup.first(profile, "VideoEncoder")
    if encoder is None or not markup.text(encoder, "Encoding"):
        return None
    gop = encoder.get("GovLength") or markup.text(encoder, "GovLength")
    return Stream(
        token=profile.get("token", ""),
        name=_name(profile),
        source=markup.text(profile, "SourceToken"),
        codec=markup.text(encoder, "Encoding"),
        width=int(markup.number(encoder, "Resolution", "Width")),
        height=int(markup.number(encoder, "Resolution", "Height")),
        fps=markup.number(encoder, "RateControl", "FrameRateLimit"),
        gop=int(markup.as_number(gop)),
        kbps=markup.number(encoder, "RateControl", "BitrateLimit"),
    )


def _address(device: Device, service: str, namespace: str, stream: Stream, address: str) -> tuple[str, str]:
    """Return the URL of a stream at the host that answered, and what is to be said about it."""
    setup = "<Protocol>RTSP</Protocol>"
    if namespace == MEDIA:
        setup = (
            f'<StreamSetup><Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
            f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        )
    token = f"<ProfileToken>{escape(stream.token)}</ProfileToken>"
    try:
        told = device.ask(service, f'<GetStreamUri xmlns="{namespace}">{setup}{token}</GetStreamUri>')
    except DeviceError as error:
        return "", f"profile {stream.name} has no address: {error}"
    named = markup.text(told, "Uri")
    url = at_host(named, address)
    if fault := _fault(url):
        return "", f"profile {stream.name} is left out: its address {fault}"
    moved = host_of(named) != address
    return (
        url,
        f"names {host_of(named)} in its stream addresses, which are changed to {address}" if moved else "",
    )


def _fault(url: str) -> str:
    """Return why a URL that a device names may not stand in a configuration, whose references are resolved."""
    if urlsplit(url).scheme not in _SCHEMES:
        return f"is none of {', '.join(_SCHEMES)}"
    if refers_to_secret(url):
        return "refers to a secret of this machine, which the device would be sent"
    try:
        check_address(url)
    except ValueError as error:
        return str(error)
    return ""


def sources(found: FoundCamera) -> Iterator[tuple[Stream, ...]]:
    """Yield the streams of each video source, the smallest picture first."""
    for source in dict.fromkeys(stream.source for stream in found.streams):
        streams = (stream for stream in found.streams if stream.source == source)
        yield tuple(sorted(streams, key=lambda stream: (stream.width * stream.height, stream.fps)))
