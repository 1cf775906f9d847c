"""The page behind a signed link: one event, without a login and without scripts.

Looking changes nothing, so that previews of links do no harm; each button is a form of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Literal
from urllib.parse import parse_qs

import structlog
from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from surveil.alerts import arming
from surveil.alerts.arming import ArmingChannel
from surveil.alerts.history import EventRecord, Verdict
from surveil.alerts.links import picture_path
from surveil.alerts.signed import TRIED, LinkFault, Signer
from surveil.alerts.sinks.speaking import said_in
from surveil.console.access import Identity, Origin, Role, Scope
from surveil.console.api import events, judging
from surveil.console.auth.gate import Peer
from surveil.console.context import Call, Parts
from surveil.console.endpoint import read_body
from surveil.console.language import language_of
from surveil.console.refusal import Refusal, refusal_of
from surveil.console.safety import check_site, secured
from surveil.errors import SurveilError
from surveil.wording import Language

log = structlog.get_logger(__name__)
Action = Literal["true", "false", "acknowledge", "disarm"]
_DISARMED_S = 3600.0
_TEXTS = {
    "en": {
        "true": "True alarm", "false": "False alarm", "acknowledge": "Acknowledge",
        "disarm": "Disarm this rule for one hour", "forged": "This link is not valid.",
        "expired": "This link has expired.", "revoked": "This link was revoked.", "gone": "This event was deleted.",
        "works": "The link works: those of alerts lead to a page like this.",
        "done": "Saved.", "login": "Open the console", "verdict": "Verdict", "clip": "Clip",
    },
    "zh": {
        "true": "属实", "false": "误报", "acknowledge": "确认", "disarm": "将此规则撤防一小时",
        "forged": "此链接无效。", "expired": "此链接已过期。", "revoked": "此链接已被撤销。",
        "gone": "此事件已被删除。", "works": "链接有效：报警中的链接会打开这样的页面。",
        "done": "已保存。", "login": "打开控制台", "verdict": "判定", "clip": "录像片段",
    },
}  # fmt: skip


class LinkPages:
    """Answers what is asked below /l/. Of the event loop; the work is done on threads."""

    def __init__(self, parts: Parts, signer: Signer, limit: CapacityLimiter) -> None:
        self._parts = parts
        self._signer = signer
        self._limit = limit

    async def show(self, request: Request) -> Response:
        """Show the event."""
        return await self._answer(request, lambda call: self._page(call, events.found(call)))

    async def file(self, request: Request) -> Response:
        """Answer with a picture or the clip of the event."""
        is_clip = request.path_params["picture"] == "clip.mp4"
        return await self._answer(request, events.clip if is_clip else events.picture)

    async def act(self, request: Request) -> Response:
        """Do what a button says, then show the page again."""
        try:
            check_site(request)
            body = await read_body(request)
        except (Refusal, ClientDisconnect) as error:
            return secured(error.response() if isinstance(error, Refusal) else Response(status_code=400))
        asked = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8).get("action", [""])[0]
        return await self._answer(request, lambda call: self._do(call, asked))

    async def _answer(self, request: Request, work: Callable[[Call], Response]) -> Response:
        def on_thread() -> Response:
            try:
                peer, event = self._event(request)
                return _works(request) if event == TRIED else work(self._call(request, peer, event))
            except (SurveilError, OSError) as error:
                refusal = refusal_of(error)
                return _error(request, refusal)

        response = await to_thread.run_sync(on_thread, limiter=self._limit)
        response.headers["referrer-policy"] = "no-referrer"
        response.headers["x-robots-tag"] = "noindex"
        return secured(response)

    def _event(self, request: Request) -> tuple[Peer, str]:
        """Return who asks, and the event of the token. Raises Refusal."""
        auth, now = self._parts.auth, self._parts.clock.wall()
        peer = auth.gate.peer(request)
        if not peer.is_safe:
            raise Refusal(
                403, "insecure", "links are not shown without TLS", remedy="use the https:// address"
            )
        found = self._signer.event(str(request.path_params["token"]), now)
        if isinstance(found, LinkFault):
            raise Refusal(
                410 if found is LinkFault.EXPIRED else 404, found.value, f"the link is {found.value}"
            )
        if auth.users.is_revoked(found):
            raise Refusal(410, "revoked", "the link was revoked")
        return peer, found

    def _call(self, request: Request, peer: Peer, event: str) -> Call:
        """Return a call for this event, and for no other. Raises Refusal where it is gone."""
        request.path_params["event"] = event
        link = Identity(
            user="link",
            role=Role.VIEWER,
            cameras=None,
            scopes=frozenset({Scope.EVIDENCE}),
            origin=Origin.LINK,
        )
        call = Call(parts=self._parts, identity=link, request=request, address=peer.address)
        if self._parts.history.event(event) is None:
            raise Refusal(404, "gone", "the event was deleted")
        self._note(call, event)
        return call

    def _note(self, call: Call, event_id: str) -> None:
        action = "link_page" if call.request.method == "GET" else "link_action"
        self._parts.auth.audit.note(
            user=call.identity.user, origin=call.identity.origin, address=call.address, action=action,
            subject=f"/events/{event_id}", status=200,
        )  # fmt: skip

    def _do(self, call: Call, asked: str) -> Response:
        record = events.found(call)
        match asked:
            case "true" | "false":
                said = judging.VerdictBody(verdict=Verdict(asked), note=record.judgement.note)
                judging.judge(call, said)
            case "acknowledge":
                judging.acknowledge(call)
            case "disarm":
                board, now = ArmingChannel(self._parts.history.path), self._parts.clock.wall()
                try:
                    key = (record.start.camera, record.start.rule)
                    board.change(arming.disarm([key], now, _DISARMED_S), now)
                finally:
                    board.close()
            case _:
                raise Refusal(422, "invalid", "there is no such button")
        return RedirectResponse(f"{call.request.url.path}?done=1", 303)

    def _page(self, call: Call, record: EventRecord) -> Response:
        language, text = _language(call.request)
        start, own = said_in(record.start, language), escape(call.request.url.path)
        when = datetime.fromtimestamp(start.t_wall, UTC)
        parts = [f"<h1>{escape(start.title('camera'))}: {escape(start.title('rule'))}</h1>",
                 f"<p>{escape(start.text)}</p>",
                 f'<p><time datetime="{when.isoformat()}">{when:%Y-%m-%d %H:%M:%S} UTC</time></p>']  # fmt: skip
        if "done" in call.request.query_params:
            parts.append(f'<p role="status">{text["done"]}</p>')
        if record.judgement.verdict in {Verdict.TRUE, Verdict.FALSE}:
            parts.append(f"<p>{text['verdict']}: {text[str(record.judgement.verdict)]}</p>")
        if picture_path(start):
            parts.append(f'<img src="{own}/picture.jpg" alt="{escape(start.text)}">')
        told = events.told(call, record)
        if told.clip is not None and told.clip.url:
            parts.append(f'<video src="{own}/clip.mp4" controls aria-label="{text["clip"]}"></video>')
        buttons = "".join(
            f'<button name="action" value="{action}">{text[action]}</button> '
            for action in ("true", "false", "acknowledge", "disarm")
        )
        parts += [f'<form method="post" action="{own}">{buttons}</form>',
                  f'<p><a href="/console/#/events">{text["login"]}</a></p>']  # fmt: skip
        return _html(language, "".join(parts), 200)


def _language(request: Request) -> tuple[Language, dict[str, str]]:
    language = language_of(request.headers.get("accept-language", ""))
    return language, _TEXTS[language]


def _works(request: Request) -> Response:
    language, text = _language(request)
    return _html(language, f'<p role="status">{text["works"]}</p>', 200)


def _error(request: Request, refusal: Refusal) -> Response:
    language, text = _language(request)
    said = text.get(refusal.code, str(refusal))
    return _html(language, f'<p role="alert">{escape(said)}</p>', refusal.status)


def _html(language: str, body: str, status: int) -> Response:
    page = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>surveil</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/console/icon.svg">'
        f'<link rel="stylesheet" href="/console/app.css"><main class="alone">{body}</main></html>'
    )
    return HTMLResponse(page, status)
