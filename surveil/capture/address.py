"""Detects camera addresses that can never work, when the file is read. Pure; no message repeats a login."""

from __future__ import annotations

import difflib
import ipaddress
import re

SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "rtmp://", "srt://", "udp://", "tcp://")

_HOSTED = ("rtsp", "rtsps", "http", "https", "rtmp")
"""Schemes that need a host; the others may listen."""
_SCHEME = re.compile(r"^(?P<name>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>[/\\]*)")
_NO_SCHEME = re.compile(
    r"^(//|\d{1,3}(\.\d{1,3}){3}(:\d+)?(/|$)|[^/\s]*:[^\s]*@|(?=[^/:]*[A-Za-z])[\w.-]+:\d{2,5}(/|$)"
    r"|[\w-]+(\.[\w-]+)*\.(local|lan|home|internal|com|net|org)(/|$))"
)
"""What is meant as a host and is no path of a file."""
_NO_COLON = re.compile(
    rf"^(?P<name>{'|'.join(s.removesuffix('://') for s in SCHEMES)})[^\w/:]?//", re.IGNORECASE
)
"""A scheme with something else in the place of its colon, or nothing."""
_HOST = re.compile(r"^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?$")
_DIGITS = re.compile(r"^[\d.]+$")
_DEVICE = re.compile(r"^(?:/dev/video)?(\d+)$")
_ODD = re.compile(r"[\s\x00-\x1f\x7f\\<>]")
_KNOWN = ", ".join(SCHEMES)
_ESCAPES = "write %23 for #, %2F for /, %3F for ? and %40 for @ in a user name or password"
_NO_STREAM = {
    "onvif": "an ONVIF address names a service, not a stream: give the rtsp:// address that the camera shows for "
    "its profile",
    "file": "give the path of the file itself, without file://",
    "v4l2": "give /dev/video0, or its number",
}


def device_number(url: str) -> int | None:
    """Return the number of `/dev/video2` or `2`; None for anything else."""
    match = _DEVICE.match(url)
    return int(match[1]) if match else None


def check_address(url: str) -> str:
    """Return `url` where it may work. Raises ValueError with the remedy."""
    scheme = _SCHEME.match(url.strip())
    if miswritten := _NO_COLON.match(url.strip()):
        raise ValueError(f"write a colon and two slashes after the scheme: {miswritten['name'].lower()}://")
    if scheme is None or (len(scheme["slashes"]) < 2 and scheme["name"].lower() not in _HOSTED):
        if _NO_SCHEME.match(url.strip()):
            raise ValueError("has no scheme: begin a network address with rtsp:// or http://")
        return url
    _check_scheme(scheme["name"], scheme["slashes"])
    if url != url.strip():
        raise ValueError("begins or ends with a blank: remove it")
    after = url[scheme.end() :]
    _check_characters(after)
    authority, rest = _cut(after)
    login, at, place = authority.rpartition("@")
    _check_login(authority, rest, has_login=bool(at))
    if scheme["name"] in _HOSTED:
        _check_host(place, has_login=bool(at), login_may_follow="@" in rest or ":" in login)
    return url


def refers_to_secret(url: str) -> bool:
    """Whether `url` has a reference as in `${file:PATH}`, which only who writes the configuration may set."""
    return "${" in url


def check_entered(url: str) -> str:
    """Return `url` where it may be entered in a browser: of a network camera or a webcam, never a file of this host.

    Raises ValueError with the remedy.
    """
    if refers_to_secret(url):
        raise ValueError("refers to a secret of this machine: enter the password itself")
    if not url.startswith(SCHEMES) and device_number(url) is None:
        check_address(url)  # which may know better what is meant
        raise ValueError("is no address of a camera: begin with rtsp:// or http://, or give /dev/video0")
    return check_address(url)


def _check_scheme(name: str, slashes: str) -> None:
    known = [scheme.removesuffix("://") for scheme in SCHEMES]
    if name in known:
        if slashes != "//":
            raise ValueError(f"write two slashes after the scheme: {name}://")
        return
    if name.lower() in known:
        raise ValueError(f"write the scheme in small letters: {name.lower()}://")
    if remedy := _NO_STREAM.get(name.lower()):
        raise ValueError(remedy)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}://?" if near else f"known schemes: {_KNOWN}"
    raise ValueError(f"has an unsupported scheme; {hint}")


def _check_characters(text: str) -> None:
    if _ODD.search(text):
        raise ValueError(
            "has a blank, a line break or another character not allowed in an address: write %20 for a blank"
        )
    if "#" in text:
        raise ValueError("has a raw #, which ends an address: write %23 for it, also in a password")


def _cut(text: str) -> tuple[str, str]:
    end = re.search(r"[/?]", text)
    return (text[: end.start()], text[end.start() :]) if end else (text, "")


def _check_login(authority: str, rest: str, *, has_login: bool) -> None:
    """Refuse what ends the login too early: a raw / or ? in a password."""
    in_brackets = authority.startswith("[")
    if "@" in rest and not in_brackets and (has_login or ":" in authority):
        raise ValueError(f"has an @ behind a raw / or ?, so login and host cannot be separated: {_ESCAPES}")


def _check_host(place: str, *, has_login: bool, login_may_follow: bool) -> None:
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        _check_ipv6(host.partition("%")[0], closed=bool(bracket))
        colon, port = port[:1], port[1:]
    else:
        host, colon, port = place.partition(":")
        if ":" in port and not login_may_follow and not has_login and re.fullmatch(r"[0-9A-Fa-f:]+", place):
            raise ValueError("has an IPv6 address without brackets: write [2001:db8::1]")
        _check_name(host)
    if colon:
        _check_port(port)


def _check_ipv6(host: str, *, closed: bool) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        closed = False
    if not closed:
        raise ValueError("has no IPv6 address in its brackets: write [2001:db8::1]")


def _check_name(host: str) -> None:
    if not host:
        raise ValueError("has no host: write scheme://host/path")
    if not _HOST.match(host) or ".." in host:
        raise ValueError(f"has a host with a character not allowed in a host name; {_ESCAPES}")
    if _DIGITS.match(host) and "." in host:
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("has no IPv4 address as its host: four numbers from 0 to 255") from None


def _check_port(port: str) -> None:
    if not (port.isascii() and port.isdigit()):
        raise ValueError(f"has a port that is not a number; {_ESCAPES}")
    if not 1 <= int(port) <= 65535:
        raise ValueError("has a port that is not between 1 and 65535")
