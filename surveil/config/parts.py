"""Temporary: stand-ins for settings whose modules do not exist yet."""
# mypy: ignore-errors
# ruff: noqa

from __future__ import annotations

from typing import Literal

from pydantic import Field

from surveil.settings import Settings

try:
    from surveil.capture.settings import StreamSettings
except ImportError:

    class StreamSettings(Settings):
        transport: Literal["tcp", "udp"] = Field(default="tcp", description="RTSP transport.")
        hwaccel: Literal["auto", "none", "cuda"] = Field(default="auto", description="Decoder.")


try:
    from surveil.detect.settings import DetectSettings, ModelSettings
except ImportError:

    class DetectSettings(Settings):
        fps: float = Field(default=5.0, gt=0, le=60, description="Pictures a second that are analysed.")
        scores: dict[str, float] = Field(default_factory=dict, description="Lowest score by class.")

    class ModelSettings(Settings):
        name: str = Field(default="efficientdet-lite0", description="Model from the catalogue.")


try:
    from surveil.rules import RULES
except ImportError:

    class _Rule(Settings):
        name: str | None = Field(default=None, description="Name.")
        classes: list[str] = Field(default_factory=list, description="Classes.")

    class _Intrusion(_Rule):
        type: Literal["intrusion"] = Field(description="Kind.")
        zone: str = Field(description="Zone.")
        after_s: float = Field(default=1.0, ge=0, description="Seconds.")

    class _Crossing(_Rule):
        type: Literal["line_crossing"] = Field(description="Kind.")
        line: str = Field(description="Line.")

    RULES = {"intrusion": _Intrusion, "line_crossing": _Crossing}

try:
    from surveil.alerts.sinks import SINKS
except ImportError:

    class _Webhook(Settings):
        type: Literal["webhook"] = Field(description="Kind.")
        url: str = Field(description="Where.")

    class _Log(Settings):
        type: Literal["log"] = Field(description="Kind.")

    SINKS = {"webhook": _Webhook, "log": _Log}
