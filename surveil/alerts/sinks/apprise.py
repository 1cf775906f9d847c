"""Apprise: some hundred services by URL (ntfy, Telegram, Slack, Matrix, Pushover, …). Extra `apprise`.

One service for each sink, so that what one refuses is not sent to another twice. Apprise says only whether
it worked; a refusal is tried again later, and alerts that fail go behind those that have not. Services
know no idempotency key: the alert's id stands at the end of the message.
"""

from __future__ import annotations

import logging
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.links import page_link
from surveil.alerts.rows import UPDATE
from surveil.alerts.sinks.base import BaseSink, SinkSettings
from surveil.errors import RetryLater
from surveil.titles import local_and_utc
from surveil.wording import Language, in_language, say

_WITH_PICTURE = 3
"""Attempts that are made with the picture before some are made without."""


class AppriseSettings(SinkSettings):
    """Send through Apprise."""

    type: Literal["apprise"] = Field(
        default="apprise", description="Any of Apprise's services; needs `surveil install --extra apprise`."
    )
    url: SecretStr = Field(description="Apprise URL of one service, for example ntfy://ntfy.example/yard.")
    picture: bool = Field(default=True, description="Attach the snapshot, if the service accepts one.")
    ends: bool = Field(default=True, description="Also notify when an event ends.")

    @field_validator("url")
    @classmethod
    def _url(cls, value: SecretStr) -> SecretStr:
        _service(value.get_secret_value())
        return value


class AppriseSink(BaseSink):
    """Sends messages through one of Apprise's services."""

    def __init__(self, settings: AppriseSettings, context: Context) -> None:
        super().__init__(context)
        self._settings = settings
        url = settings.url.get_secret_value()
        self._scheme = urlsplit(url).scheme
        half = max(1.0, settings.timeout_s / 2)
        self._service = _service(url + ("&" if "?" in url else "?") + f"cto={half:g}&rto={half:g}")

    def deliver(self, delivery: Delivery) -> None:
        """Send one message. Raises RetryLater when the service did not take it."""
        alert = delivery.alert
        if alert.reason == UPDATE:
            # A message cannot be changed: the end lists what has joined.
            return
        if alert.phase == "end" and not self._settings.ends:
            return
        # Apprise does not say whether the picture was the trouble: every other try goes without it.
        wanted = self._settings.picture and (delivery.attempts < _WITH_PICTURE or delivery.attempts % 2 == 0)
        picture = self.context.picture(alert) if wanted else None
        about = {"camera": alert.title("camera"), "rule": alert.title("rule")}
        title = (
            say("{camera}: {rule} (over)", **about)
            if alert.phase == "end"
            else say("{camera}: {rule}", **about)
        )
        taken = self._service.notify(
            title=in_language(title, self._settings.language or Language.ENGLISH),
            body="\n".join(
                filter(None, (alert.text, local_and_utc(alert.t_wall), alert.id, page_link(alert)))
            ),
            # Services that want HTML get it with `<`, `&` and line ends written as HTML has them.
            body_format="text",
            notify_type="success" if alert.phase == "end" else "warning",
            attach=str(picture) if picture else None,
        )
        if not taken:
            raise RetryLater(f"the {self._scheme} service did not accept the message", suspect=True)


def _service(url: str) -> Any:
    """Return the service behind a URL. Raises ValueError, without the URL, when it cannot be used."""
    try:
        import apprise  # noqa: PLC0415 - optional
    except ImportError:
        from surveil.extras import Extra, command  # noqa: PLC0415 - only where it is missing

        raise ValueError(f"needs apprise: run `{command(Extra.APPRISE)}`") from None
    # Its log tells addresses of services, which are credentials.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    # No pool of threads for one service.
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not service.add(url):
        raise ValueError(f"Apprise does not understand this {urlsplit(url).scheme}:// URL")
    return service
