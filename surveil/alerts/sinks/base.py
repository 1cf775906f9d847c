"""The interface of a sink, and the settings that all sinks share."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.settings import Settings
from surveil.types import Alert
from surveil.wording import Language


class SinkSettings(Settings):
    """Settings that every sink has."""

    timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=120,
        description="Timeout of one delivery, from connecting to the response.",
    )
    language: Language | None = Field(
        default=None,
        description="Language of the texts of alerts: `en` or `zh`. Default: the top-level `language`.",
    )


class Sink(Protocol):
    """Takes alerts somewhere. Made, used and closed on its courier's thread.

    Delivery is at least once: an alert may come twice with the same id, and `alert.id` is the key by which
    the other side can tell.
    """

    maintain_every_s: float | None
    """How often `maintain` is wanted, s; None: never."""

    def deliver(self, delivery: Delivery) -> None:
        """Return when the other side has taken the alert.

        Raises RetryLater when it cannot now and Rejected when it never will. Neither carries credentials.
        """

    def maintain(self, status: InstallationStatus) -> None:
        """Refresh what would expire on the other side; raises as `deliver`."""

    def probe(self) -> str:
        """Connect, and log in where that can be done without sending an alert; return what that has shown.

        Nothing lasting changes on the other side or on the disk, and a daemon that runs keeps its connection. Raises
        as `deliver`.
        """

    def send_test(self, alert: Alert) -> None:
        """Deliver a test message while a daemon with the same sink may run; raises as `deliver`."""

    def close(self) -> None:
        """Let go of connections and files."""


class BaseSink:
    """A sink that needs no maintenance and holds nothing open."""

    maintain_every_s: float | None = None

    def __init__(self, context: Context) -> None:
        self.context = context

    def maintain(self, status: InstallationStatus) -> None:
        """Do nothing."""

    def probe(self) -> str:
        """Have nothing to connect to."""
        return "not tested: add --send-test to send a message"

    def send_test(self, alert: Alert) -> None:
        """Deliver it as any other alert."""
        self.deliver(Delivery(alert))

    def deliver(self, delivery: Delivery) -> None:
        """Return when the other side has taken the alert; raises RetryLater and Rejected."""
        raise NotImplementedError

    def close(self) -> None:
        """Do nothing."""
