"""Every endpoint of the API with its requirements: the table for the server, the document and the tests."""

from __future__ import annotations

from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from surveil.alerts.signed import Signer
from surveil.console.access import Role, Scope
from surveil.console.api import (
    audit,
    cameras,
    deliveries,
    describing,
    discovering,
    events,
    health,
    judging,
    live,
    login,
    me,
    normality,
    probing,
    recordings,
    setup,
    shapes,
    switches,
)
from surveil.console.api.training import crops, models, report, sets
from surveil.console.context import Parts
from surveil.console.endpoint import AT_ONCE, Answering, Endpoint, Handler
from surveil.console.frontend import Frontend
from surveil.console.linkpage import LinkPages
from surveil.console.refusal import Refusal
from surveil.console.safety import secured

API = "/api/v1"
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def _get(path: str, role: Role, scope: Scope, handler: Handler, *, evidence: bool = False) -> Endpoint:
    return Endpoint(method="GET", path=path, role=role, scope=scope, handler=handler, evidence=evidence)


def _post(path: str, role: Role | None, scope: Scope, handler: Handler) -> Endpoint:
    return Endpoint(method="POST", path=path, role=role, scope=scope, handler=handler)


def _put(path: str, role: Role, scope: Scope, handler: Handler) -> Endpoint:
    return Endpoint(method="PUT", path=path, role=role, scope=scope, handler=handler)


def _delete(path: str, role: Role, scope: Scope, handler: Handler) -> Endpoint:
    return Endpoint(method="DELETE", path=path, role=role, scope=scope, handler=handler)


TABLE: tuple[Endpoint, ...] = (
    _post("/login", None, Scope.STATE, login.login),
    _post("/first-visit", None, Scope.STATE, login.first_visit),
    _post("/logout", Role.VIEWER, Scope.STATE, login.logout),
    _get("/me", Role.VIEWER, Scope.STATE, me.me),
    _get("/cameras", Role.VIEWER, Scope.STATE, cameras.cameras),
    _get("/live", Role.VIEWER, Scope.EVIDENCE, live.live, evidence=True),
    _get("/cameras/{camera}/live.mp4", Role.VIEWER, Scope.EVIDENCE, live.live_mp4, evidence=True),
    _get("/cameras/{camera}/live.mjpeg", Role.VIEWER, Scope.EVIDENCE, live.live_mjpeg, evidence=True),
    _get("/cameras/{camera}/snapshot.jpg", Role.VIEWER, Scope.EVIDENCE, live.snapshot, evidence=True),
    _get("/cameras/{camera}/recordings", Role.VIEWER, Scope.STATE, recordings.recordings),
    _get(
        "/cameras/{camera}/recordings/{segment}.mp4",
        Role.VIEWER,
        Scope.EVIDENCE,
        recordings.recording,
        evidence=True,
    ),
    _get("/events", Role.VIEWER, Scope.STATE, events.events),
    _get("/events/{event}", Role.VIEWER, Scope.STATE, events.event),
    _get("/events/{event}/clip.mp4", Role.VIEWER, Scope.EVIDENCE, events.clip, evidence=True),
    _get("/events/{event}/{picture}", Role.VIEWER, Scope.EVIDENCE, events.picture, evidence=True),
    _put("/events/{event}/verdict", Role.OPERATOR, Scope.JUDGE, judging.judge),
    _post("/events/{event}/acknowledge", Role.OPERATOR, Scope.JUDGE, judging.acknowledge),
    _post("/events/{event}/revoke-link", Role.OPERATOR, Scope.JUDGE, judging.revoke_link),
    _get("/arming", Role.VIEWER, Scope.STATE, switches.switches),
    _post("/arming", Role.OPERATOR, Scope.ARM, switches.switch),
    _get("/books", Role.VIEWER, Scope.STATE, deliveries.books),
    _get("/dead-letters", Role.OPERATOR, Scope.DELIVERY, deliveries.dead_letters),
    _post("/dead-letters/{letter}/retry", Role.OPERATOR, Scope.DELIVERY, deliveries.retry),
    _post("/sinks/{sink}/test", Role.OPERATOR, Scope.DELIVERY, deliveries.try_sink),
    _get("/cameras/{camera}/health", Role.VIEWER, Scope.STATE, health.health),
    _get("/cameras/{camera}/normality", Role.VIEWER, Scope.STATE, normality.normality),
    _get(
        "/cameras/{camera}/normality/usual.png",
        Role.VIEWER,
        Scope.EVIDENCE,
        normality.usual_picture,
        evidence=True,
    ),
    _post("/cameras/{camera}/accept-view", Role.OPERATOR, Scope.ARM, normality.accept_view),
    _get("/schema", Role.VIEWER, Scope.STATE, shapes.schema),
    _get("/cameras/{camera}/shapes", Role.VIEWER, Scope.STATE, shapes.shapes),
    _put("/cameras/{camera}/shapes", Role.ADMIN, Scope.CONFIGURE, shapes.draw),
    _delete("/cameras/{camera}/shapes", Role.ADMIN, Scope.CONFIGURE, shapes.drop_draft),
    _get("/training", Role.VIEWER, Scope.STATE, sets.training),
    _get("/training/crops", Role.VIEWER, Scope.STATE, crops.training_crops),
    _get("/training/crops/{event}", Role.VIEWER, Scope.EVIDENCE, crops.training_crop, evidence=True),
    _delete("/training/job", Role.ADMIN, Scope.CONFIGURE, models.cancel_training),
    _get("/training/sets/{set}", Role.VIEWER, Scope.STATE, sets.training_set),
    _post("/training/sets/{set}/pictures", Role.OPERATOR, Scope.JUDGE, crops.add_picture),
    _get(
        "/training/sets/{set}/pictures/{picture}",
        Role.VIEWER,
        Scope.EVIDENCE,
        sets.training_picture,
        evidence=True,
    ),
    _put("/training/sets/{set}/pictures/{picture}", Role.OPERATOR, Scope.JUDGE, sets.label_picture),
    _delete("/training/sets/{set}/pictures/{picture}", Role.OPERATOR, Scope.JUDGE, sets.remove_picture),
    _post("/training/sets/{set}/train", Role.ADMIN, Scope.CONFIGURE, models.train_set),
    _get("/training/sets/{set}/report", Role.VIEWER, Scope.STATE, report.training_report),
    _post("/training/sets/{set}/deploy", Role.ADMIN, Scope.CONFIGURE, models.deploy_model),
    _post("/training/sets/{set}/rollback", Role.ADMIN, Scope.CONFIGURE, models.rollback_model),
    _post("/cameras", Role.ADMIN, Scope.CONFIGURE, setup.add_camera),
    _get("/cameras/{camera}/setup", Role.ADMIN, Scope.CONFIGURE, setup.setup),
    _put("/cameras/{camera}", Role.ADMIN, Scope.CONFIGURE, setup.change_camera),
    _delete("/cameras/{camera}", Role.ADMIN, Scope.CONFIGURE, setup.remove_camera),
    _post("/cameras/{camera}/restore", Role.ADMIN, Scope.CONFIGURE, setup.restore_camera),
    _post("/discovery", Role.ADMIN, Scope.CONFIGURE, discovering.discovery),
    _post("/probe", Role.ADMIN, Scope.CONFIGURE, probing.probe),
    _get("/probe/{probe}", Role.ADMIN, Scope.CONFIGURE, probing.probe_state),
    _get("/probe/{probe}/picture.jpg", Role.ADMIN, Scope.CONFIGURE, probing.probe_picture, evidence=True),
    _get("/openapi.json", Role.VIEWER, Scope.STATE, describing.openapi),
    _get("/audit", Role.ADMIN, Scope.AUDIT, audit.audit),
)


def routes(parts: Parts, frontend: Frontend, signer: Signer) -> list[BaseRoute]:
    """Return what the web server serves for the console."""
    limit = CapacityLimiter(AT_ONCE)
    api = [Route(API + one.path, Answering(one, parts, limit).answer, methods=[one.method]) for one in TABLE]
    pages = LinkPages(parts, signer, limit)
    return [
        *api,
        Route("/l/{token}", pages.show, methods=["GET"]),
        Route("/l/{token}", pages.act, methods=["POST"]),
        Route("/l/{token}/{picture}", pages.file, methods=["GET"]),
        Route(API + "/{rest:path}", _nothing, methods=_METHODS),
        Route("/console", frontend.to_folder),
        Route("/console/{path:path}", frontend.file),
    ]


async def _nothing(_request: Request) -> Response:
    refusal = Refusal(
        404,
        "not_found",
        "there is no such endpoint, or not with this method",
        remedy="see /api/v1/openapi.json",
    )
    return secured(refusal.response())
