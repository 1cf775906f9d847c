"""Notifications to systemd: READY, STATUS, RELOADING, STOPPING, WATCHDOG.

The protocol is one datagram of `KEY=value` lines to the socket in `NOTIFY_SOCKET` (sd_notify(3)); without
it every call does nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Talks to the service manager. Owned by the main thread."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for Linux's abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_us = int(environment.get("WATCHDOG_USEC") or 0)
        if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            self._watchdog_us = 0

    @property
    def watchdog_interval_s(self) -> float | None:
        """How often to feed the watchdog: a third of its patience; None when there is none."""
        return self._watchdog_us / 3e6 if self._watchdog_us else None

    @property
    def is_listening(self) -> bool:
        """Whether there is a service manager."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Say that the service does its work now."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={status}")

    def watchdog(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def reloading(self, monotonic_s: float) -> None:
        """Say that a reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_s * 1e6)}")

    def stopping(self) -> None:
        """Say that the service shuts down."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.sendto(message.encode(), self._address)
        except OSError:
            # The manager's socket can be full or gone, or no descriptor free; the watchdog then does what it is for.
            return
