"""Settings of the pages: address and token. Separate from the server, so that they are read without it."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from surveil.errors import ConfigError
from surveil.filesystem import check_regular
from surveil.settings import Settings

_REPLACED = frozenset({"127.0.0.1", "::1"})
"""Addresses of loopback for which Ray puts an address that others can reach; it leaves 127.0.0.2 alone."""
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
"""As browsers send it: in ASCII (xn--…)."""


class ProxySettings(Settings):
    """A reverse proxy that terminates TLS, and may have asked for the password itself."""

    addresses: tuple[str, ...] = Field(
        min_length=1,
        description="Addresses or networks of the proxy, for example `127.0.0.1` or `10.0.0.0/24`.",
    )
    secret: SecretStr = Field(
        min_length=16,
        description="Shared secret that the proxy sends with every request; at least 16 characters.",
    )
    secret_header: str = Field(
        default="X-Surveil-Proxy", description="Header of the secret. The proxy must overwrite it."
    )
    user_header: str = Field(
        default="Remote-User", description="Header of the user's name. The proxy must overwrite or remove it."
    )
    groups_header: str = Field(
        default="Remote-Groups",
        description="Header of the user's groups, separated by commas. The proxy must overwrite or remove it.",
    )
    roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(
        default_factory=dict,
        description="Role by group. A user added with `surveil users add` keeps the role given there.",
    )

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_network(one)
        return value


class HttpSettings(Settings):
    """Address of metrics, health checks and evidence."""

    listen: str = Field(
        default="127.0.0.1:9108",
        description="Address and port; `[::1]:9108` for IPv6, port 0 for any free one.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token (or `?token=`) for evidence and status; required if `listen` is not loopback. Behind "
        "a `proxy`, both are shown only with it.",
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Host names under which the pages are served, for example behind a reverse proxy. On loopback, "
        "other names than these and `localhost` are refused, to prevent DNS rebinding.",
    )

    console: bool = Field(
        default=False,
        description="Serve the console, a web interface, under `/console/`, and its API under `/api/v1/`.",
    )
    public_url: str = Field(
        default="",
        description="Address at which browsers reach the console. If set, every message has a signed link to the page "
        "of its event. A test message has a link that shows whether these links work.",
    )
    grafana_url: str = Field(
        default="",
        description="Address at which browsers reach Grafana. If set, cameras and events in the console link to their "
        "charts.",
    )
    link_days: float = Field(default=7, gt=0, le=366, description="Days for which signed links are valid.")
    certificate: Path | None = Field(
        default=None,
        description="Certificate chain (PEM) for TLS. If set, all pages are served by https only.",
    )
    key: Path | None = Field(default=None, description="Private key (PEM) of the certificate.")
    proxy: ProxySettings | None = Field(
        default=None, description="Reverse proxy in front of the console, trusted by address and secret."
    )
    audit_sink: str = Field(
        default="",
        description="Name of a sink that receives every entry of the audit log, at least once, and no alerts. "
        "Default: none.",
    )
    audit_days: float = Field(
        default=365, gt=0, le=3660, description="Days for which the console's audit log is kept."
    )

    @field_validator("hosts")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(_without_brackets(one) for one in value)
        for one, name in zip(value, names, strict=True):
            if not (_HOST.fullmatch(name) or is_address(name)):
                raise ValueError(
                    f"{one!r} is no host name: leave out scheme, port and path, use no wildcard, and write letters "
                    "beyond ASCII in Punycode (xn--…)"
                )
        return names

    @field_validator("listen")
    @classmethod
    def _address_and_port(cls, value: str) -> str:
        host, port = split_address(value)
        ipaddress.ip_address(host)
        if not 0 <= port <= 65535:
            raise ValueError(f"port {port} is not between 0 and 65535")
        return value

    @model_validator(mode="after")
    def _token_away_from_loopback(self) -> HttpSettings:
        if not self.is_loopback and self.token is None:
            raise ValueError("is reachable from other machines: set 'token' to protect the pictures")
        return self

    @field_validator("public_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        if value and (not _is_plain(value) or urlsplit(value).path not in {"", "/"}):
            raise ValueError("must be an address such as https://cams.example, without path, login and query")
        return value.rstrip("/")

    @field_validator("grafana_url")
    @classmethod
    def _address_of_grafana(cls, value: str) -> str:
        if value and not _is_plain(value):
            raise ValueError("must be an address such as https://grafana.example, without login and query")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _links_need_the_console(self) -> HttpSettings:
        if self.public_url and not self.console:
            raise ValueError("'public_url' needs the console: set 'console: true'")
        return self

    @model_validator(mode="after")
    def _tls_away_from_loopback(self) -> HttpSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("'certificate' and 'key' belong together: give both")
        if self.console and not self.is_loopback and self.certificate is None and self.proxy is None:
            raise ValueError(
                "the console is reachable from other machines without TLS: set 'certificate' and 'key', "
                "set 'proxy' for a reverse proxy with TLS, or listen on 127.0.0.1"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(split_address(self.listen)[0]).is_loopback


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, without brackets."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _without_brackets(host: str) -> str:
    inner = host.removeprefix("[").removesuffix("]")
    return inner if host == f"[{inner}]" and is_address(inner) else host


def _is_plain(address: str) -> bool:
    """Whether it is a web address without login, query and fragment."""
    parts = urlsplit(address)
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    return is_web and not (parts.query or parts.fragment)


def split_address(listen: str) -> tuple[str, int]:
    """Split `127.0.0.1:9108` or `[::1]:9108`; raise ValueError with the remedy."""
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()):
        raise ValueError(f"{listen!r} is not ADDRESS:PORT, such as 127.0.0.1:9108")
    return host.strip("[]"), int(port)


def check_private(listen: str) -> str:
    """Return the address of a fleet's head; raise ValueError unless it is on loopback or a private network."""
    host, _ = split_address(listen)
    address = ipaddress.ip_address(host)
    if not address.is_private or address.is_unspecified:
        raise ValueError(f"{host} is no loopback or private address: all who reach it may run programs")
    if host in _REPLACED:
        raise ValueError(
            f"Ray takes another address of this machine for {host}: write 127.0.0.2 for loopback"
        )
    return listen


def bind(listen: str) -> socket.socket:
    """Take the address now, so that a port in use is an error at start and not a silent page."""
    host, port = split_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        remedy = "stop the program that uses it, or set another address"
        raise ConfigError([f"http.listen: cannot listen on {listen}: {reason}; {remedy}"]) from error
    listener.listen(64)
    return listener


def check_certificate(settings: HttpSettings) -> None:
    """Load certificate and key, so that a mistake is told before anything runs. Raises ConfigError with the remedy."""
    if settings.certificate is None or settings.key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        check_regular(settings.certificate)
        check_regular(settings.key)
        context.load_cert_chain(settings.certificate, settings.key, password="")
    except ssl.SSLError as error:
        why = f"is no PEM chain with its key: {error.reason or error}"
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
    else:
        return
    remedy = "give files that this user may read, without a passphrase"
    raise ConfigError([f"http.certificate: {settings.certificate} with {settings.key} {why}; {remedy}"])
