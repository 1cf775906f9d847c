"""The log: one line for each alert. Delivered when it is written; nothing is kept."""

from __future__ import annotations

import logging
from typing import Literal

import structlog
from pydantic import Field

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.logstream import LineLoss, losses

_FIELDS = (
    "id", "camera", "rule", "phase", "time", "score", "label", "zone", "line", "direction", "track", "reason"
)  # fmt: skip
log = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
"""Writes alerts whatever `log.level` is: who wants them in the log named this sink."""


class LogSinkSettings(SinkSettings):
    """Write alerts to the log."""

    type: Literal["log"] = Field(default="log", description="The daemon's log.")


class LogSink(BaseSink):
    """Writes alerts to the log."""

    def __init__(self, _settings: LogSinkSettings, context: Context) -> None:
        super().__init__(context)

    def probe(self) -> str:
        """Nothing to set up."""
        return "always there"

    def deliver(self, delivery: Delivery) -> None:
        """Write one line; fields that say nothing are left out.

        Raises RetryLater when a line could not be written meanwhile, which may have been this one.
        """
        alert = to_dict(delivery.alert)
        fields = {name: alert[name] for name in _FIELDS if alert[name] not in ("", None)}
        before = losses.counts()[LineLoss.UNWRITABLE]
        log.warning(delivery.alert.text or "alert", sink=self.context.name, **fields)
        if losses.counts()[LineLoss.UNWRITABLE] != before:
            raise RetryLater("the log cannot be written: its disk is full, or its reader has stopped")
