"""Prometheus Alertmanager, API v2: fires while the event is open, is re-sent before it would expire, resolves.

Labels name the episode (camera, rule, key), not the event, so that one alert fires again instead of ever new
ones piling up; `group_by: [alertname, camera]` groups well. What lasts shorter than Alertmanager's
`group_wait` would never be told of: an alert fires for `min_firing_s` at least. Delivered when the answer
is 2xx; Alertmanager takes repetitions as the same alert.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.http import (
    Authorities,
    Server,
    basic_auth,
    check_url,
    judge,
    place_of,
    request,
    tls_context,
)
from surveil.alerts.links import picture_link
from surveil.alerts.payload import rfc3339
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.types import Alert

_EXPIRES_AFTER = 4
"""An open event outlives this many lost re-sends."""


class AlertmanagerSettings(SinkSettings):
    """Fire alerts in Alertmanager."""

    type: Literal["alertmanager"] = Field(default="alertmanager", description="Alertmanager's API v2.")
    url: SecretStr = Field(description="Alertmanager's address, for example http://127.0.0.1:9093.")
    resend_s: float = Field(default=60.0, ge=1, le=3600, description="How often an open event is sent again.")
    min_firing_s: float = Field(
        default=90.0, ge=0, le=3600, description="Shortest firing; keep it above Alertmanager's group_wait."
    )
    labels: dict[str, str] = Field(default={}, description="Further labels, for example severity or team.")
    picture_base_url: str = Field(default="", description="What a picture's path is appended to in the link.")
    ca_file: Authorities | None = Field(
        default=None, description="Authorities to trust instead of the system's (PEM)."
    )

    @field_validator("url")
    @classmethod
    def _url(cls, value: SecretStr) -> SecretStr:
        return check_url(value)


class AlertmanagerSink(BaseSink):
    """Posts the state of events to Alertmanager."""

    def __init__(self, settings: AlertmanagerSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._url = settings.url.get_secret_value().rstrip("/")
        self._server = Server(context, settings.timeout_s, tls_context(settings.ca_file))
        self.maintain_every_s = settings.resend_s

    def probe(self) -> str:
        """Ask for its state, with the credentials."""
        response = request(self._server, "GET", f"{self._url}/api/v2/status", b"", basic_auth(self._url))
        judge(response, place_of(self._url), self.context.clock.wall())
        try:
            version = json.loads(response.body)["versionInfo"]["version"]
        except (ValueError, LookupError, TypeError) as error:
            raise RetryLater(f"{place_of(self._url)}: what answers is no Alertmanager") from error
        return f"Alertmanager {version} answers"

    def deliver(self, delivery: Delivery) -> None:
        """Fire, or resolve."""
        self._post([self._entry(delivery.alert)], delivery.alert.id)

    def maintain(self, status: InstallationStatus) -> None:
        """Send open events again, as long as they are open."""
        if status.open:
            self._post([self._entry(alert) for alert in status.open], None)

    def _post(self, entries: list[dict[str, object]], key: str | None) -> None:
        headers = {"Content-Type": "application/json", **basic_auth(self._url)}
        headers |= {"Idempotency-Key": key} if key else {}
        response = request(
            self._server, "POST", f"{self._url}/api/v2/alerts", json.dumps(entries).encode(), headers
        )
        judge(response, place_of(self._url), self.context.clock.wall())

    def _entry(self, alert: Alert) -> dict[str, object]:
        """Return one alert of the API; times are RFC 3339."""
        starts = alert.t_wall
        if alert.phase == "end":
            lasted = alert.details.get("duration_s")
            starts -= float(lasted) if isinstance(lasted, int | float) else 0.0
        annotations = {"summary": alert.text, "event_id": alert.event_id, "score": f"{alert.score:.2f}"}
        link = picture_link(self._settings.picture_base_url, alert)
        return {
            "labels": self._labels(alert),
            "annotations": annotations | ({"picture": link} if link else {}),
            "startsAt": rfc3339(starts),
            "endsAt": rfc3339(self._ends(alert, starts)),
            **({"generatorURL": link} if link else {}),
        }

    def _labels(self, alert: Alert) -> dict[str, str]:
        named = {"alertname": alert.type, "camera": alert.camera, "rule": alert.rule, "key": alert.key}
        named |= {
            "zone": alert.zone,
            "line": alert.line,
            "object": alert.label,
            "instance": self.context.instance,
        }
        return {name: value for name, value in (named | self._settings.labels).items() if value}

    def _ends(self, alert: Alert, starts: float) -> float:
        now = self.context.clock.wall()
        if alert.phase == "start":
            return now + _EXPIRES_AFTER * self._settings.resend_s
        return max(min(alert.t_wall, now), min(starts, now) + self._settings.min_firing_s)
