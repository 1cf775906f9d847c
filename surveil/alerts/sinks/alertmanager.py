"""Prometheus Alertmanager, API v2: fires while the event is open, is re-sent before it would expire, resolves.

Labels name the episode (camera, rule, key), not the event, so that one alert fires again instead of ever new
ones piling up; `group_by: [alertname, camera]` groups well. What lasts shorter than Alertmanager's
`group_wait` would never be told of: an alert fires for `min_firing_s` at least. Delivered when the answer
is 2xx; Alertmanager takes repetitions as the same alert. Times are sent on Alertmanager's own clock, as the
`Date` of its answers shows it: one that is ahead of ours would count a new alert as over already.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Literal

import structlog
from pydantic import AfterValidator, Field

from surveil.alerts.addresses import BaseUrl, SecretUrl
from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.http import (
    Authorities,
    Response,
    Server,
    basic_auth,
    http_date,
    judge,
    place_of,
    request,
    tls_context,
)
from surveil.alerts.incidents import is_listed
from surveil.alerts.links import page_link, picture_link
from surveil.alerts.payload import rfc3339
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import Rejected, RetryLater
from surveil.filesystem import read_json
from surveil.logs import LogThrottle
from surveil.types import Alert

log = structlog.get_logger(__name__)
_EXPIRES_AFTER = 4
"""An open event outlives this many lost re-sends."""
_SKEW_S = 5.0
"""Difference of the clocks that does not matter; the `Date` of an answer has whole seconds."""
_TELL_SKEW_S = 60.0
_NONSENSE_S = 3e9
"""A century: no clock of a computer, and RFC 3339 has no year beyond 9999."""
_BAD_REQUEST = 400
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _label_names(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if not _LABEL.fullmatch(name):
            raise ValueError(f"{name!r} is not a label name: use letters, digits and '_', and no digit first")
    return labels


class AlertmanagerSettings(SinkSettings):
    """Fire alerts in Alertmanager."""

    type: Literal["alertmanager"] = Field(default="alertmanager", description="Alertmanager's API v2.")
    url: SecretUrl = Field(description="Alertmanager's address, for example http://127.0.0.1:9093.")
    resend_s: float = Field(
        default=60.0, ge=1, le=3600, description="Interval at which an open event is sent again."
    )
    min_firing_s: float = Field(
        default=90.0,
        ge=0,
        le=3600,
        description="Minimum time for which an alert fires; keep it above Alertmanager's `group_wait`.",
    )
    labels: Annotated[dict[str, str], AfterValidator(_label_names)] = Field(
        default={}, description="Further labels, for example severity or team."
    )
    picture_base_url: BaseUrl = Field(default="", description="Base URL of links to pictures.")
    ca_file: Authorities | None = Field(
        default=None, description="CA certificates to trust instead of the system's (PEM)."
    )


class AlertmanagerSink(BaseSink):
    """Posts the state of events to Alertmanager."""

    def __init__(self, settings: AlertmanagerSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._url = settings.url.get_secret_value().rstrip("/")
        self._server = Server(context, settings.timeout_s, tls_context(settings.ca_file))
        self.maintain_every_s = settings.resend_s
        self._skew_s = 0.0
        """Alertmanager's clock minus ours, as far as it matters."""
        self._refusals = LogThrottle(context.clock)

    def probe(self) -> str:
        """Ask for its state, with the credentials."""
        response = request(self._server, "GET", f"{self._url}/api/v2/status", b"", basic_auth(self._url))
        judge(response, place_of(self._url), self.context.clock.wall())
        try:
            version = read_json(response.body)["versionInfo"]["version"]
        except (ValueError, LookupError, TypeError) as error:
            raise RetryLater(
                f"{place_of(self._url)}: the server that answers is not an Alertmanager: check the URL"
            ) from error
        return f"Alertmanager {version} answers"

    def deliver(self, delivery: Delivery) -> None:
        """Fire, or resolve."""
        self._judge(self._post([delivery.alert], delivery.alert.id))

    def maintain(self, status: InstallationStatus) -> None:
        """Send open events again, as long as they are open."""
        led = [alert for alert in status.open if not is_listed(alert)]
        if not led:
            return
        response = self._post(led, None)
        if response.status != _BAD_REQUEST:
            self._judge(response)
            return
        # It has taken the valid ones among them, and does not say which these are.
        for alert in led:
            try:
                self._judge(self._post([alert], None))
            except Rejected as error:
                if n := self._refusals.take():
                    log.warning(
                        "Alertmanager rejected an open event",
                        sink=self.context.name,
                        times=n,
                        last=alert.id,
                        why=str(error),
                    )

    def _judge(self, response: Response) -> None:
        judge(response, place_of(self._url), self.context.clock.wall())

    def _post(self, alerts: Sequence[Alert], key: str | None) -> Response:
        """Send alerts; once more where the answer shows that Alertmanager's clock is not what it was taken for."""
        response = self._send(alerts, key)
        return self._send(alerts, key) if self._learned_clock(response) else response

    def _send(self, alerts: Sequence[Alert], key: str | None) -> Response:
        headers = {"Content-Type": "application/json", **basic_auth(self._url)}
        headers |= {"Idempotency-Key": key} if key else {}
        body = json.dumps([self._entry(alert) for alert in alerts]).encode()
        return request(self._server, "POST", f"{self._url}/api/v2/alerts", body, headers)

    def _learned_clock(self, response: Response) -> bool:
        """Follow Alertmanager's clock; return whether what was sent had other times than it should have."""
        date = http_date(response.headers.get("date", ""))
        if date is None:
            return False
        skew_s = date + 0.5 - self.context.clock.wall()
        if abs(skew_s - self._skew_s) <= _SKEW_S or abs(skew_s) > _NONSENSE_S:
            return False
        self._skew_s = skew_s if abs(skew_s) > _SKEW_S else 0.0
        if abs(skew_s) >= _TELL_SKEW_S:
            log.warning(
                "Alertmanager's clock differs from this machine's, sending times on its clock",
                sink=self.context.name,
                ahead_s=round(skew_s),
            )
        return True

    def _entry(self, alert: Alert) -> dict[str, object]:
        """Return one alert of the API; times are RFC 3339."""
        starts, ends = self._period(alert)
        annotations = {"summary": alert.text, "event_id": alert.event_id, "score": f"{alert.score:.2f}"}
        annotations |= {f"{what}_title": title for what, title in alert.titles.items()}
        link = picture_link(self._settings.picture_base_url, alert)
        if page := page_link(alert):
            annotations["link"] = page
        return {
            "labels": self._labels(alert),
            "annotations": annotations | ({"picture": link} if link else {}),
            "startsAt": rfc3339(starts + self._skew_s),
            "endsAt": rfc3339(ends + self._skew_s),
            **({"generatorURL": link} if link else {}),
        }

    def _period(self, alert: Alert) -> tuple[float, float]:
        """Return from when to when an alert fires, on this machine's clock as it is now.

        An event may lie ahead of it: the clock was set back. What ends before it starts would be refused.
        """
        now = self.context.clock.wall()
        lasted = alert.details.get("duration_s") if alert.phase == "end" else 0.0
        lasted = max(0.0, float(lasted)) if isinstance(lasted, int | float) else 0.0
        starts = min(alert.t_wall, now) - lasted
        if alert.phase == "start":
            return starts, now + _EXPIRES_AFTER * self._settings.resend_s
        return starts, max(min(alert.t_wall, now), starts + self._settings.min_firing_s)

    def _labels(self, alert: Alert) -> dict[str, str]:
        named = {"alertname": alert.type, "camera": alert.camera, "rule": alert.rule, "key": alert.key}
        named |= {
            "zone": alert.zone,
            "line": alert.line,
            "object": alert.label,
            "instance": self.context.instance,
        }
        return {name: value for name, value in (named | self._settings.labels).items() if value}
