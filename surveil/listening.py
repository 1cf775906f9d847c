"""Where the pages are served: address and token. Apart from the server, so that a configuration is read without it."""

from __future__ import annotations

import ipaddress
import socket

from pydantic import Field, SecretStr, field_validator, model_validator

from surveil.errors import ConfigError
from surveil.settings import Settings


class HttpSettings(Settings):
    """Address of metrics, health checks and evidence."""

    listen: str = Field(
        default="127.0.0.1:9108",
        description="Address and port; `[::1]:9108` for IPv6, port 0 for any free one.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Bearer token (or `?token=`) for evidence and status; required if `listen` is not loopback.",
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="Host names of the pages, for example behind a reverse proxy. On loopback, other names than "
        "`localhost` are refused to prevent DNS rebinding.",
    )

    console: bool = Field(
        default=False,
        description="Serve the console, a web interface, under `/console/`, and its API under `/api/v1/`.",
    )

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

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(split_address(self.listen)[0]).is_loopback


def split_address(listen: str) -> tuple[str, int]:
    """Split `127.0.0.1:9108` or `[::1]:9108`; raise ValueError with the remedy."""
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()):
        raise ValueError(f"{listen!r} is not ADDRESS:PORT, such as 127.0.0.1:9108")
    return host.strip("[]"), int(port)


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
