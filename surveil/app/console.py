"""Joins the console to the running daemon. Imported only where the console is on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from prometheus_client.registry import Collector
from starlette.routing import BaseRoute

from surveil.alerts.delivery import Context
from surveil.alerts.evidence import FOLDER
from surveil.alerts.history import History
from surveil.alerts.signed import make_signer
from surveil.alerts.sinks.base import SinkSettings
from surveil.app.arming import Arming
from surveil.app.assembly import make_places
from surveil.app.camera_runtime import CameraRuntime
from surveil.app.camera_set import CameraSet
from surveil.app.couriers import make_links
from surveil.app.parts import State
from surveil.app.reload import Reloader
from surveil.app.signals import Requests
from surveil.capture.address import device_number
from surveil.capture.certificates import FOLDER as CERTIFICATES
from surveil.capture.certificates import Pins
from surveil.capture.packets import PacketTaker
from surveil.clock import Clock, Stop
from surveil.config import CameraConfig, Config
from surveil.console.auth.audit import Audit
from surveil.console.auth.parts import make_auth
from surveil.console.context import Parts
from surveil.console.drafts import Drafts
from surveil.console.drawnon import DrawnOn
from surveil.console.frontend import Frontend
from surveil.console.live.feed import CameraFeed, Secrecy
from surveil.console.live.hub import LiveHub
from surveil.console.live.news import News
from surveil.console.probes import Probes
from surveil.console.routes import routes
from surveil.console.running import CameraElsewhere, CameraState, PictureSeen, Probed, SinkTried
from surveil.console.training.job import Trainings
from surveil.engine import Step
from surveil.features.base import Shared
from surveil.features.health.metrics import HealthMetrics
from surveil.features.normality.metrics import NormalityMetrics
from surveil.metrics import Metrics
from surveil.pipeline.work import Analyser
from surveil.rules.base import rule_name
from surveil.threads import ThreadGroup
from surveil.types import Alert, Observation, Picture

if TYPE_CHECKING:
    from surveil.app.node import FleetNode
    from surveil.console.auth.forward import AuditForwarder

_RELOAD_S = 10.0
"""How long a browser waits for a change to be applied; it is applied later all the same."""


class DaemonView:
    """The running daemon as the console sees it. Any thread may ask."""

    def __init__(
        self,
        reloader: Reloader,
        requests: Requests,
        cameras: CameraSet,
        arming: Arming,
        shared: Shared,
        node: FleetNode | None,
    ) -> None:
        self._reloader = reloader
        self._requests = requests
        self._cameras = cameras
        self._arming = arming
        self._clock = shared.clock
        self._metrics = shared.metrics
        self._node = node

    @property
    def config(self) -> Config:
        """What runs."""
        return self._reloader.config

    def reload(self) -> str | None:
        """Have the configuration read again; return what went wrong, empty if nothing; None: it takes its time."""
        before = self._reloader.reloads
        self._requests.ask_to_reload()
        result = self._reloader.wait(before, _RELOAD_S)
        return None if result is None else "\n".join(result.messages)

    def cameras(self) -> Sequence[CameraState]:
        """Return all cameras, in the order of the configuration."""
        runtimes = self._cameras.runtimes
        return [self._camera(runtimes[name]) for name in self.config.cameras if name in runtimes]

    def elsewhere(self) -> Sequence[CameraElsewhere]:
        """Return the cameras that other nodes of the fleet have."""
        found = self._node.elsewhere() if self._node else ()
        return [CameraElsewhere(name=n, title=t, node=node, pages=url) for n, t, node, url in found]

    def _camera(self, runtime: CameraRuntime) -> CameraState:
        camera, status = runtime.camera, runtime.capture.status if runtime.capture else None
        rules, now = tuple(map(rule_name, camera.rules)), self._clock.wall()
        info = status.info if status else None
        return CameraState(
            name=camera.name,
            title=camera.titles.camera,
            site=camera.site,
            state=runtime.state,
            cause=runtime.cause,
            error=runtime.error,
            since=status.since if status else self._reloader.last.at,
            lag_s=status.lag_s if status else 0.0,
            codec=info.codec if info else "",
            decoder=info.decoder if info else "",
            decode=status.decode if status else None,
            fps=camera.detect.fps,
            size=status.size if status else (0, 0),
            last_picture_at=status.last_picture_at if status else None,
            rules=rules,
            disarmed=tuple(rule for rule in rules if not self._arming.is_armed(camera.name, rule, now)),
        )

    def picture(self, camera: str) -> PictureSeen:
        """Return what is wrong with a camera's picture."""
        own = self._metrics.of(HealthMetrics)
        faults = [labels["state"] for labels, value in _samples(own.state, camera) if value]
        changed = max((value for _, value in _samples(own.changed, camera)), default=0.0)
        return PictureSeen(faults=tuple(faults), view_changed_at=changed or None)

    def not_learned_s(self, camera: str) -> Mapping[str, float]:
        """Return how long learned normality has not learned from a camera, s by reason."""
        parts = [part for part in self._metrics.parts if isinstance(part, NormalityMetrics)]
        return {labels["reason"]: value for part in parts for labels, value in _samples(part.held, camera)}

    def try_sink(self, name: str) -> SinkTried:
        """Send a test message to a sink."""
        from surveil.app.probe.parts import probe_sink  # noqa: PLC0415 - only here

        links = make_links(self.config.http, self.config.state_dir)
        report = probe_sink(self.config, name, self._clock, Stop(), send_test=True, links=links)
        return SinkTried(ok=report.ok, text=report.shown if report.ok else report.message)


def _samples(family: Collector, camera: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """Yield the labels and values of one camera in a metric."""
    for metric in family.collect():
        for sample in metric.samples:
            if sample.labels.get("camera") == camera and not sample.name.endswith("_created"):
                yield sample.labels, sample.value


def probe_one(camera: CameraConfig, stop: Stop, state_dir: Path, clock: Clock) -> Probed:
    """Probe a camera as `surveil check --probe` does; nothing is stored."""
    # Who asks for no probe does not wait for what it imports.
    from surveil.app.layout import jpeg, snapshot  # noqa: PLC0415
    from surveil.app.probe.advice import on_cameras  # noqa: PLC0415
    from surveil.app.probe.parts import probe_camera  # noqa: PLC0415
    from surveil.app.probe.report import SECONDS  # noqa: PLC0415

    shown: list[bytes] = []

    def show(of: CameraConfig, picture: Picture) -> None:
        shown.append(jpeg(snapshot(picture, of, plain=True)))

    pins = Pins(state_dir / CERTIFICATES, keeps=False)
    report = probe_camera(replace(camera, enabled=True), clock, stop, SECONDS, pins, show)
    advice = on_cameras({camera.name: camera}, (report,))
    return Probed(
        detect=asdict(report.detect) if report.detect else None,
        record=asdict(report.record) if report.record else None,
        advice=[(one.code, one.text) for one in advice if one.code != "no_rules"],
        picture=shown[-1] if shown else None,
    )


class LiveView:
    """The live view as cameras and stages know it. Owned by the main thread; stages call it on theirs."""

    def __init__(self, clock: Clock, metrics: Metrics, state_dir: Path) -> None:
        self.hub = LiveHub(clock, metrics)
        self._clock, self._stop = clock, Stop()
        self._forwarder: AuditForwarder | None = None
        self.at_end = ExitStack()
        """What the console has open."""
        self.probes = Probes(partial(probe_one, state_dir=state_dir, clock=clock), clock)

    def forward(self, audit: Audit, config: Config, state_dir: Path) -> None:
        """Carry the audit log to its sink from the start on, where it has one. Raises ConfigError."""
        if config.audit_sink is None:
            return
        from surveil.console.auth.forward import AuditForwarder  # noqa: PLC0415 - only here

        name, settings = config.audit_sink
        context = Context(
            name=name, state_dir=state_dir, instance=config.instance, clock=self._clock, stop=self._stop
        )
        self._forwarder = AuditForwarder(audit, cast("SinkSettings", settings), context, self._clock)

    def start(self, group: ThreadGroup) -> None:
        """Start what has a thread of its own."""
        if self._forwarder is not None:
            group.start("audit", partial(self._forwarder.run, self._stop))

    def follow(self, camera: CameraConfig) -> None:
        """Show a camera by these settings from now on. Raises ConfigError where what hides faces cannot be had."""
        places = make_places(camera)  # of its own: what finds faces belongs to one thread
        is_webcam = device_number(camera.stream.url) is not None
        self.hub.follow(
            camera.name, Secrecy(hide=places.hide, hide_moved=places.hide_moved), is_webcam=is_webcam
        )

    def close(self) -> None:
        """End all viewers and probes, and close what the console has open."""
        self._stop.set()
        self.hub.close()
        self.probes.close()
        self.at_end.close()

    def analysed(self, camera: str, observation: Observation, step: Step) -> None:
        """Show what a frame led to."""
        self.hub.analysed(camera, observation, step)

    def committed(self, alerts: Sequence[Alert]) -> None:
        """Tell of events that begin or end."""
        self.hub.committed(alerts)

    def drop(self, camera: str) -> None:
        """Show a camera no more."""
        self.hub.drop(camera)

    def tap(self, camera: str) -> PacketTaker:
        """Return what takes the packets of a camera that is shown."""
        return self._feed(camera).tap

    def look(self, camera: str) -> Analyser:
        """Return what takes the pictures of a camera that is shown."""
        return self._feed(camera).look

    def _feed(self, camera: str) -> CameraFeed:
        feed = self.hub.feed(camera)
        assert feed is not None
        return feed


def make_console(daemon: DaemonView, state: State, shared: Shared, live: LiveView) -> Sequence[BaseRoute]:
    """Return what the web server serves for the console."""
    clock, settings, history = shared.clock, daemon.config.http, History(state.database)
    live.hub.tell_by(News(daemon, history))
    parts = Parts(
        daemon=daemon,
        history=history,
        live=live.hub,
        evidence=state.folder / FOLDER,
        auth=make_auth(settings, state.folder, clock, shared.metrics),
        clock=clock,
        drafts=Drafts(daemon),
        drawn_on=DrawnOn(state.folder),
        trainings=Trainings(state.folder),
        probes=live.probes,
    )
    live.at_end.callback(parts.auth.db.close)
    live.forward(parts.auth.audit, daemon.config, state.folder)
    return routes(parts, Frontend(), make_signer(state.folder))
