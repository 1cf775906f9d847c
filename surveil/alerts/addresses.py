"""Validation of addresses, headers and labels of sinks: what can never be sent is a configuration error.

No check repeats the value: most of them are, or hold, credentials.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2)."""
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OURS = frozenset({"connection", "content-length", "host", "idempotency-key", "transfer-encoding"})
"""Headers that belong to the request itself."""


def check_host(host: str) -> str:
    """Return a host name or an IP address. Raises ValueError for what can be neither."""
    if "://" in host:
        raise ValueError("must be a host name without a scheme: `mail.example.org`")
    if is_ip(host.strip("[]")):
        return host.strip("[]")
    name, colon, port = host.rpartition(":")
    if colon and name and port.isascii() and port.isdecimal():
        raise ValueError("must be a host name alone: give the port as `port`")
    _check_name(host)
    return host


def is_ip(host: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _check_name(host: str) -> None:
    try:
        name = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ValueError("the host name cannot be written in ASCII (IDNA)") from None
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            "the host is not a valid name: use labels of 1 to 63 letters, digits and '-', separated by dots"
        )


def check_url(value: str) -> str:
    """Return a usable http(s) URL. Raises ValueError without repeating it."""
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a host")
    if not is_ip(parts.hostname):
        _check_name(parts.hostname)
    if parts.port == 0:
        raise ValueError("the port of the URL must be from 1 to 65535")
    login, _, _ = parts.netloc.rpartition("@")
    _check_written(login, "user and password of the URL")
    _check_written(parts.path + parts.query, "path and query of the URL")
    if parts.fragment:
        raise ValueError("the part of a URL after '#' is never sent: write '%23' for a literal '#'")
    return value


def _split(value: str) -> SplitResult:
    # urlsplit drops tabs and line ends without a word.
    if found := _CONTROL.search(value):
        raise ValueError(
            f"the URL has a control character (code {ord(found[0])}), perhaps a line end: remove it"
        )
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError(
            "must be a URL with a host and a port from 1 to 65535; write special characters of a password "
            "percent-encoded: '%23' for '#', '%2F' for '/', '%3F' for '?', '%40' for '@'"
        ) from None
    return parts


def _check_written(text: str, what: str) -> None:
    """Refuse what http.client would refuse, or a server misunderstand."""
    for found in text:
        if not "!" <= found <= "~":
            encoded = "".join(f"%{byte:02X}" for byte in found.encode())
            name = "a blank" if found == " " else f"'{found}'" if found.isprintable() else "a character"
            raise ValueError(f"{what} has {name} that cannot be sent: write {encoded} instead")
    if _PERCENT.search(text):
        raise ValueError(f"{what} has a '%' without two hexadecimal digits: write %25 for a '%'")


def check_secret_url(value: SecretStr) -> SecretStr:
    """Return a usable http(s) URL that may hold credentials."""
    check_url(value.get_secret_value())
    return value


def check_base_url(value: str) -> str:
    """Return an http(s) URL that paths are appended to; empty: none."""
    if value and "?" in value:
        raise ValueError("paths are appended to it: it must have no query ('?')")
    return check_url(value) if value else value


def check_header_value(value: SecretStr) -> SecretStr:
    """Return what can be sent as the value of a header: printable ASCII."""
    text = value.get_secret_value()
    if found := _CONTROL.search(text.replace("\t", " ")):
        what = "a line end" if found[0] in "\r\n" else f"a control character (code {ord(found[0])})"
        raise ValueError(f"has {what}, which a header cannot contain: remove it")
    if not text.isascii():
        raise ValueError(
            "has a character that is not ASCII, which a header cannot contain: encode it, for example by RFC 2047"
            " (=?utf-8?b?...?=) if the receiver decodes that"
        )
    return value


def check_header_names(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuse names of headers that cannot be sent, or are the request's own."""
    for name in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a header name: use letters, digits and '-', no blanks")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} belongs to the request itself: leave it out")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice: case does not matter in their names")
    return headers


def check_topic(topic: str) -> str:
    """Return what an MQTT topic can begin with."""
    if not topic.strip("/"):
        raise ValueError("must not be empty")
    if found := _CONTROL.search(topic):
        raise ValueError(f"has a control character (code {ord(found[0])}): remove it")
    if set("#+") & set(topic):
        raise ValueError("'#' and '+' are wildcards, which a topic to publish to cannot contain: remove them")
    if topic.startswith("$"):
        raise ValueError("topics that begin with '$' are reserved for the broker: choose another")
    return topic


Host = Annotated[str, AfterValidator(check_host)]
SecretUrl = Annotated[SecretStr, AfterValidator(check_secret_url)]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]
HeaderValue = Annotated[SecretStr, AfterValidator(check_header_value)]
Topic = Annotated[str, AfterValidator(check_topic)]
