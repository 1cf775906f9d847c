"""A sink that receives alerts in its own language."""

from __future__ import annotations

from dataclasses import replace

from surveil.alerts.delivery import Delivery, InstallationStatus
from surveil.alerts.sinks.base import Sink
from surveil.language import catalogue
from surveil.types import Alert
from surveil.wording import Language, in_language


class SpeakingSink:
    """Hands everything to another sink, the texts of alerts in a language."""

    def __init__(self, sink: Sink, language: Language) -> None:
        self._sink = sink
        self._language = language
        self.maintain_every_s = sink.maintain_every_s

    def deliver(self, delivery: Delivery) -> None:
        """Deliver as the sink does; raises as it does."""
        self._sink.deliver(replace(delivery, alert=said_in(delivery.alert, self._language)))

    def maintain(self, status: InstallationStatus) -> None:
        """Maintain as the sink does; raises as it does."""
        self._sink.maintain(replace(status, open=[said_in(alert, self._language) for alert in status.open]))

    def probe(self) -> str:
        """Probe as the sink does; raises as it does."""
        return self._sink.probe()

    def send_test(self, alert: Alert) -> None:
        """Send as the sink does; raises as it does."""
        self._sink.send_test(said_in(alert, self._language))

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()


def said_in(alert: Alert, language: Language) -> Alert:
    """Return an alert with its text in a language; a rule without a title gets the name of its type there."""
    titles, name = dict(alert.titles), catalogue(language).word("rule", alert.rule)
    if "rule" not in titles and name != alert.rule:
        titles["rule"] = name
    return replace(alert, text=in_language(alert.text, language), titles=titles)
