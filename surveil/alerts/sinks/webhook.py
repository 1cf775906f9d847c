"""A webhook: one JSON POST for each alert, delivered when the answer is 2xx.

`Idempotency-Key` is the alert's id, the same on every attempt. With a secret, `X-Surveil-Signature` is
`sha256=` and the hexadecimal HMAC-SHA256 of the body's bytes. What a status means: see `http.judge`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from surveil.alerts.addresses import BaseUrl, HeaderValue, SecretUrl, check_header_names
from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.doubt import ClosedError, Doubt
from surveil.alerts.http import (
    Authorities,
    Response,
    Server,
    basic_auth,
    judge,
    judge_body,
    place_of,
    reach,
    request,
    tls_context,
)
from surveil.alerts.links import picture_link
from surveil.alerts.payload import to_dict
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.types import Alert

_FIELD = re.compile(r"\{(\w+)\}")
_TOO_LARGE = 413
_UNKNOWN_METHOD = (405, 501)
FIELDS = frozenset(
    {
        "schema",
        "id",
        "event_id",
        "camera",
        "rule",
        "type",
        "phase",
        "time",
        "t",
        "score",
        "label",
        "zone",
        "line",
    }
    | {"direction", "track", "box", "text", "evidence", "reason", "degraded", "key", "details", "picture"}
)
"""What a template may name: the fields of an alert, and `picture`, the link to its snapshot."""


class WebhookSettings(SinkSettings):
    """Post alerts as JSON."""

    type: Literal["webhook"] = Field(default="webhook", description="A JSON POST over HTTP(S).")
    url: SecretUrl = Field(
        description="URL to post to; a user and password in it are sent as an Authorization header."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Key of the HMAC-SHA256 of the body, sent as `X-Surveil-Signature`.",
    )
    headers: Annotated[dict[str, HeaderValue], AfterValidator(check_header_names)] = Field(
        default={}, description="Further headers, for example Authorization."
    )
    body: dict[str, str] | None = Field(
        default=None,
        description="Fields to send instead of the alert's own. Names such as `{camera}` are replaced by values of "
        "the alert. If a field consists of one such name alone, the value keeps its type.",
    )
    accepted: dict[str, bool | int | str] = Field(
        default={},
        description="Fields and values that the JSON body of a 2xx answer must have, for receivers that refuse with "
        "status 200: `{code: 0}`. Otherwise the alert is sent again.",
    )
    picture: Literal["none", "link", "multipart"] = Field(
        default="none",
        description="`link`: add the field `picture` with a link below `picture_base_url`; `multipart`: send the "
        "JPEG; `none`: send no picture.",
    )
    picture_base_url: BaseUrl = Field(default="", description="Base URL of links to pictures.")
    ca_file: Authorities | None = Field(
        default=None, description="CA certificates to trust instead of the system's (PEM)."
    )
    verify_tls: bool = Field(default=True, description="Check the receiver's certificate.")

    @field_validator("body")
    @classmethod
    def _body(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        unknown = {name for text in (value or {}).values() for name in _FIELD.findall(text)} - FIELDS
        if unknown:
            raise ValueError(f"unknown field {min(unknown)!r}; known: {', '.join(sorted(FIELDS))}")
        return value

    @model_validator(mode="after")
    def _has_base(self) -> WebhookSettings:
        if self.picture == "link" and not self.picture_base_url:
            raise ValueError(
                "`picture: link` requires `picture_base_url`, the address to which the path is appended"
            )
        return self


class WebhookSink(BaseSink):
    """Posts alerts."""

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        self._url = settings.url.get_secret_value()
        self._doubt = Doubt(context.clock)
        self._server = Server(
            context, settings.timeout_s, tls_context(settings.ca_file, verify=settings.verify_tls)
        )

    def probe(self) -> str:
        """Connect, and ask without a message whether the address leads elsewhere.

        Whether the credentials are good only a message shows.
        """
        shown = reach(self._server, self._url)
        for method in ("OPTIONS", "HEAD"):
            try:
                response = request(self._server, method, self._url, b"", self._headers(b""))
            except RetryLater:
                # Not every receiver of messages knows other methods.
                break
            if 300 <= response.status < 400:
                judge(response, place_of(self._url), self.context.clock.wall())
            if response.status not in _UNKNOWN_METHOD:
                break
        return shown

    def deliver(self, delivery: Delivery) -> None:
        """Post one alert. A picture that the receiver does not take is left out."""
        alert = delivery.alert
        wanted = self._settings.picture == "multipart"
        data, omitted = self.context.read_picture(alert) if wanted else (b"", "")
        if data and self._doubt.holds(len(data)):
            data, omitted = (
                b"",
                f"{len(data)} bytes: the receiver closes the connection on pictures of this size",
            )
        response = self._post(alert, data, omitted)
        if data and response.status == _TOO_LARGE:
            response = self._post(alert, b"", f"{len(data)} bytes: HTTP {_TOO_LARGE}")
        judge(response, place_of(self._url), self.context.clock.wall())
        judge_body(response, place_of(self._url), self._settings.accepted)

    def _post(self, alert: Alert, picture: bytes, omitted: str) -> Response:
        body, content_type = self._content(alert, picture, omitted)
        headers = {"Content-Type": content_type, "Idempotency-Key": alert.id}
        own = {name.lower() for name in self._settings.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in own}
        try:
            response = request(self._server, "POST", self._url, body, headers | self._headers(body))
        except ClosedError:
            if picture:
                self._doubt.cut(alert.id, len(picture))
            raise
        if picture and response.status < 300:
            self._doubt.taken(alert.id, len(picture))
        return response

    def _headers(self, body: bytes) -> dict[str, str]:
        own = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        made = {} if any(name.lower() == "authorization" for name in own) else basic_auth(self._url)
        made |= own
        if self._settings.secret:
            made["X-Surveil-Signature"] = sign(self._settings.secret.get_secret_value(), body)
        return made

    def _content(self, alert: Alert, picture: bytes, omitted: str) -> tuple[bytes, str]:
        """Return body and content type."""
        fields = to_dict(alert) | ({"snapshot_omitted": omitted} if omitted else {})
        if self._settings.picture == "link" or self._settings.body:
            fields["picture"] = picture_link(self._settings.picture_base_url, alert)
        if self._settings.body is not None:
            fields = {name: fill(text, fields) for name, text in self._settings.body.items()}
        encoded = json.dumps(fields, ensure_ascii=False).encode()
        if not picture:
            return encoded, "application/json"
        return multipart(alert.id, encoded, Path(alert.evidence["snapshot"]).name, picture)


def sign(secret: str, body: bytes) -> str:
    """Return the value of the signature header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def fill(text: str, fields: dict[str, object]) -> object:
    """Return `text` with `{name}`s replaced; a name alone gives the value itself. No expressions."""
    alone = _FIELD.fullmatch(text)
    if alone:
        return fields.get(alone[1])
    return _FIELD.sub(lambda found: _word(fields.get(found[1])), text)


def _word(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def multipart(boundary: str, encoded: bytes, name: str, picture: bytes) -> tuple[bytes, str]:
    """Return a multipart/form-data body (RFC 7578) with the parts `alert` and `picture`, and its type."""
    line = f"--{boundary}\r\nContent-Disposition: form-data; name=".encode()
    head = line + b'"alert"\r\nContent-Type: application/json\r\n\r\n' + encoded + b"\r\n"
    part = f'"picture"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'.encode()
    body = head + line + part + picture + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
