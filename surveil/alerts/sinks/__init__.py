"""Sinks. A sink is one file with its settings and behaviour, and one line in `SINKS`.

Optional libraries (paho-mqtt, apprise) are imported by the sink that is used, not by its module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from surveil.alerts.delivery import Context
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings, AlertmanagerSink
from surveil.alerts.sinks.apprise import AppriseSettings, AppriseSink
from surveil.alerts.sinks.base import Sink, SinkSettings
from surveil.alerts.sinks.email import EmailSettings, EmailSink
from surveil.alerts.sinks.file import FileSink, FileSinkSettings
from surveil.alerts.sinks.grafana import GrafanaSettings, GrafanaSink
from surveil.alerts.sinks.log import LogSink, LogSinkSettings
from surveil.alerts.sinks.mqtt import MqttSettings, MqttSink
from surveil.alerts.sinks.webhook import WebhookSettings, WebhookSink
from surveil.wording import Language


@dataclass(frozen=True, slots=True)
class SinkKind:
    """A kind of sink: the settings it takes and what makes it of them."""

    settings: type[SinkSettings]
    make: Callable[[Any, Context], Sink]


SINKS: dict[str, SinkKind] = {
    "log": SinkKind(LogSinkSettings, LogSink),
    "file": SinkKind(FileSinkSettings, FileSink),
    "webhook": SinkKind(WebhookSettings, WebhookSink),
    "mqtt": SinkKind(MqttSettings, MqttSink),
    "alertmanager": SinkKind(AlertmanagerSettings, AlertmanagerSink),
    "email": SinkKind(EmailSettings, EmailSink),
    "apprise": SinkKind(AppriseSettings, AppriseSink),
    "grafana": SinkKind(GrafanaSettings, GrafanaSink),
}


def make_sink(settings: SinkSettings, context: Context) -> Sink:
    """Return the sink that `settings` describe, told of alerts in its language."""
    sink = SINKS[getattr(settings, "type", "")].make(settings, context)
    if settings.language in {None, Language.ENGLISH}:
        return sink
    from surveil.alerts.sinks.speaking import SpeakingSink  # noqa: PLC0415 - most do not speak another language

    return SpeakingSink(sink, settings.language)
