"""Grafana annotations: one for each event, opened at its start and closed at its end, on every panel's time line.

The annotation is found again by the tag `event:<id>`, so nothing has to be remembered, and a repeated
delivery changes nothing. Contract: https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
(POST and PATCH /api/annotations, GET /api/annotations?tags=). Needs a service account token that may write
annotations.
"""

from __future__ import annotations

import html
import json
from typing import Literal
from urllib.parse import urlencode

from pydantic import Field

from surveil.alerts.addresses import BaseUrl, HeaderValue, SecretUrl
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.http import (
    Authorities,
    Response,
    Server,
    judge,
    place_of,
    request,
    tls_context,
)
from surveil.alerts.links import page_link, picture_link
from surveil.alerts.rows import UPDATE
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.filesystem import read_json
from surveil.types import Alert
from surveil.wording import Language, in_language, say


class GrafanaSettings(SinkSettings):
    """Write annotations to Grafana."""

    type: Literal["grafana"] = Field(default="grafana", description="Annotations in Grafana.")
    url: SecretUrl = Field(description="Grafana's address, for example https://grafana.example.")
    token: HeaderValue = Field(description="Token of a service account that may write annotations.")
    dashboard_uid: str = Field(
        default="", description="Annotate one dashboard only; empty: the whole organisation."
    )
    tags: list[str] = Field(
        default=["surveil"], description="Further tags, in addition to camera, rule and instance."
    )
    picture_base_url: BaseUrl = Field(default="", description="Base URL of links to pictures.")
    ca_file: Authorities | None = Field(
        default=None, description="CA certificates to trust instead of the system's (PEM)."
    )


class GrafanaSink(BaseSink):
    """Writes annotations."""

    def __init__(self, settings: GrafanaSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._url = settings.url.get_secret_value().rstrip("/")
        self._server = Server(context, settings.timeout_s, tls_context(settings.ca_file))

    def probe(self) -> str:
        """Read annotations with the token. Whether it may write them only a message shows."""
        self._list({"limit": 1}, "probe")
        return "the token may read annotations"

    def deliver(self, delivery: Delivery) -> None:
        """Open the event's annotation, or close it; one that is there already is not made again."""
        alert = delivery.alert
        there = self._find(alert)
        if alert.phase == "start":
            if there is None:
                self._call("POST", "/api/annotations", self._annotation(alert), alert.id)
            elif alert.reason == UPDATE:
                text = {"text": self._annotation(alert)["text"]}
                self._call("PATCH", f"/api/annotations/{there}", text, alert.id)
            return
        end = round(alert.t_wall * 1000)
        if there is None:
            self._call("POST", "/api/annotations", self._annotation(alert) | {"timeEnd": end}, alert.id)
        else:
            self._call("PATCH", f"/api/annotations/{there}", {"timeEnd": end}, alert.id)

    def _find(self, alert: Alert) -> int | None:
        """Return the id of the event's annotation."""
        query = {"tags": f"event:{alert.event_id}", "limit": 1, "type": "annotation"}
        found = self._list(query, alert.id)
        return found[0] if found else None

    def _list(self, query: dict[str, object], key: str) -> list[int]:
        """Return the ids of annotations."""
        response = self._call("GET", f"/api/annotations?{urlencode(query)}", None, key)
        try:
            return [int(one["id"]) for one in read_json(response.body)]
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise RetryLater(f"{place_of(self._url)}: the answer is not a list of annotations") from error

    def _annotation(self, alert: Alert) -> dict[str, object]:
        lasted = alert.details.get("duration_s") if alert.phase == "end" else None
        starts = alert.t_wall - (float(lasted) if isinstance(lasted, int | float) else 0.0)
        link = picture_link(self._settings.picture_base_url, alert)
        language = self._settings.language or Language.ENGLISH
        text = html.escape(f"{alert.title('camera')}: {alert.text}")
        if page := page_link(alert):
            text += f' <a href="{html.escape(page)}">{in_language(say("event"), language)}</a>'
        if link:
            text += f' <a href="{html.escape(link)}">{in_language(say("picture"), language)}</a>'
        tags = [*self._settings.tags, f"camera:{alert.camera}", f"rule:{alert.rule}"]
        tags += [f"instance:{self.context.instance}", f"event:{alert.event_id}"]
        made = {
            "time": round(starts * 1000),
            "tags": tags,
            "text": text,
        }
        return made | ({"dashboardUID": self._settings.dashboard_uid} if self._settings.dashboard_uid else {})

    def _call(self, method: str, path: str, body: dict[str, object] | None, key: str) -> Response:
        headers = {
            "Authorization": f"Bearer {self._settings.token.get_secret_value()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Idempotency-Key": key,
        }
        encoded = b"" if body is None else json.dumps(body).encode()
        response = request(self._server, method, self._url + path, encoded, headers)
        judge(response, place_of(self._url), self.context.clock.wall())
        return response
