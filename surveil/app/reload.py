"""Applies the changed configuration file to the running daemon.

The new file is checked whole before anything happens: a bad one is refused and the old goes on. Of a good one only
what differs is touched; what a running daemon cannot change is named, and waits for a restart.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from surveil import logs
from surveil.app.camera_runtime import CHANGEABLE, reconnects
from surveil.app.camera_set import CameraSet
from surveil.app.couriers import Couriers
from surveil.app.evidence_store import EvidenceStore
from surveil.clock import Clock
from surveil.config import CameraConfig, Config
from surveil.errors import ConfigError, SurveilError
from surveil.metrics import Metrics
from surveil.reasons import Reason

if TYPE_CHECKING:
    from surveil.app.node import FleetNode

log = structlog.get_logger(__name__)

_LIVE = frozenset({"cameras", "sinks", "schedules", "storm", "camera_lost", "log", "defaults"})
"""Sections that are changed while the daemon runs."""
_ASIDE = frozenset({"path", "warnings", "secrets", "drawn", "digest"})
"""Fields of a configuration that are no section of the file."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Names of what is there now, is not there any more, and is another."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadPlan:
    """What leads from one configuration to another."""

    cameras: Delta
    reconnected: tuple[str, ...]
    """Those changed cameras whose stream is another one."""
    replaced: tuple[str, ...]
    """Cameras with a change that none can live through: they go and come."""
    sinks: Delta
    sections: tuple[str, ...]
    """Other sections that change while the daemon runs."""
    restart: tuple[str, ...]
    """Sections that only a restart brings."""

    def words(self) -> dict[str, list[str]]:
        """Return what is not empty, for logs and pages."""
        named = {
            "cameras_added": self.cameras.added,
            "cameras_removed": self.cameras.removed,
            "cameras_changed": tuple(n for n in self.cameras.changed if n not in self.reconnected),
            "cameras_reconnected": self.reconnected,
            "cameras_replaced": self.replaced,
            "sinks_added": self.sinks.added,
            "sinks_removed": self.sinks.removed,
            "sinks_changed": self.sinks.changed,
            "sections_changed": self.sections,
            "restart_required_for": self.restart,
        }
        return {key: list(names) for key, names in named.items() if names}


def compare(old: Config, new: Config) -> ReloadPlan:
    """Return what leads from `old`, which runs, to `new`. Pure."""
    cameras = _delta(old.cameras, new.cameras, also=_rescheduled(old, new))
    replaced = {n for n in cameras.changed if not _changeable(old.cameras[n], new.cameras[n])}
    changed = tuple(n for n in cameras.changed if n not in replaced)
    other = [f.name for f in fields(Config) if f.name not in _ASIDE | {"cameras", "sinks"}]
    differ = [name for name in other if getattr(old, name) != getattr(new, name)]
    return ReloadPlan(
        cameras=replace(cameras, changed=changed),
        reconnected=tuple(n for n in changed if reconnects(old.cameras[n], new.cameras[n])),
        replaced=tuple(n for n in cameras.changed if n in replaced),
        sinks=_delta(old.sinks, new.sinks),
        sections=tuple(name for name in differ if name in _LIVE),
        restart=tuple(name for name in differ if name not in _LIVE),
    )


def _delta(
    old: Mapping[str, object], new: Mapping[str, object], also: Collection[str] = frozenset()
) -> Delta:
    """`also`: names of what has changed although it looks the same."""
    return Delta(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(n for n in new if n in old and (old[n] != new[n] or n in also)),
    )


def _rescheduled(old: Config, new: Config) -> set[str]:
    """Name the cameras with a rule whose schedule is another one under the same name."""
    changed = _delta(old.schedules, new.schedules).changed
    return {n for n, camera in new.cameras.items() if any(rule.schedule in changed for rule in camera.rules)}


def _changeable(old: CameraConfig, new: CameraConfig) -> bool:
    """Whether a camera can live through the change; only for fields that are listed for it."""
    differ = {f.name for f in fields(CameraConfig) if getattr(old, f.name) != getattr(new, f.name)}
    return old.enabled and new.enabled and differ <= CHANGEABLE


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """How a reload ended; before the first one: how the start did."""

    at: float
    """Unix s."""
    good: bool = True
    messages: tuple[str, ...] = ()
    """Why it was refused: all mistakes of the file."""
    changes: Mapping[str, list[str]] = field(default_factory=dict)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Let every thread that asks for the interpreter have it ten times as soon.

    Reading a file is pure Python: at the usual 5 ms, each of the some ten turns that a frame takes through the threads
    would wait as long, and a camera's next frame would come before the last is analysed.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def unforeseen(error: Exception) -> str:
    """Return a line about an unexpected exception, without secrets."""
    text = f"{type(error).__name__}: {error}" if not isinstance(error, SurveilError) else str(error)
    return str(logs.scrub(text))


class Reloader:
    """Owned by the main thread; `last` may be read by any."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        cameras: CameraSet,
        couriers: Couriers,
        evidence: EvidenceStore,
        metrics: Metrics,
        clock: Clock,
        node: FleetNode | None = None,
    ) -> None:
        """`node`: says which of the cameras of `config` are this daemon's; None: all are."""
        self._node = node
        self._whole = config
        self.config = node.narrow(config) if node else config
        """What runs."""
        if node:
            node.begin(config)
        self._load = load
        self._cameras = cameras
        self._couriers = couriers
        self._evidence = evidence
        self._metrics = metrics
        self._clock = clock
        self.last = ReloadResult(clock.wall())
        self._done = threading.Condition()
        self.reloads = 0
        """How many reloads have come to their end, with whatever result."""
        self._show(restart=False)

    def wait(self, reloads: int, timeout_s: float) -> ReloadResult | None:
        """Return how the reload after so many ended; None: it has not, in time. From any other thread."""
        with self._done:
            return self.last if self._done.wait_for(lambda: self.reloads > reloads, timeout_s) else None

    def reload(self, ending: Callable[[], bool] = lambda: False) -> ReloadResult:
        """Read the file and follow it; once `ending` is true what is left is not begun.

        Raises nothing: the cameras are watched on, whatever the file or a library makes of it.
        """
        try:
            return self._reload(ending)
        finally:
            with self._done:
                self.reloads += 1
                self._done.notify_all()

    @_giving_way()
    def _reload(self, ending: Callable[[], bool]) -> ReloadResult:
        try:
            whole, new, plan = self._begin()
        except SurveilError as error:
            return self._refuse(error)
        except Exception as error:  # noqa: BLE001 - see above
            return self._refuse(SurveilError(f"the file cannot be followed: {unforeseen(error)}"))
        for warning in new.warnings:
            log.warning("configuration", warning=warning)
        self._whole = whole
        failed = self._carry_out(plan, new, ending)
        self.last = ReloadResult(
            self._clock.wall(), good=not failed, messages=tuple(failed), changes=plan.words()
        )
        self._show(restart=bool(plan.restart or failed))
        log.info(
            "configuration reloaded" if self.last.changes else "nothing has changed", **self.last.changes
        )
        if failed:
            log.error("part of the new configuration not applied: restart surveil", problems=failed)
        if plan.restart:
            log.warning("restart required for these sections", sections=list(plan.restart))
        return self.last

    def follow(self, ending: Callable[[], bool] = lambda: False) -> None:
        """Take in and let go the cameras of this node as its leases say now."""
        assert self._node is not None
        new = self._node.narrow(self._whole)
        plan = compare(self.config, new)
        failed = self._carry_out(plan, new, ending)
        log.info("cameras by lease", **plan.words())
        if failed:
            log.error("part of the leases not followed", problems=failed)

    def _carry_out(self, plan: ReloadPlan, new: Config, ending: Callable[[], bool]) -> list[str]:
        if self._node:
            self._node.begin(self._whole)
        failed = self._apply(plan, new, ending)
        kept = {name: getattr(self.config, name) for name in plan.restart}
        self.config = replace(new, **kept, cameras=self._there(new))
        if self._node:
            self._node.applied(self._cameras.runtimes)
        return failed

    def _there(self, new: Config) -> Mapping[str, CameraConfig]:
        """Return the cameras that are there, in the order of the file: what failed is tried again the next time."""
        there = {name: runtime.camera for name, runtime in self._cameras.runtimes.items()}
        return MappingProxyType({name: there[name] for name in (*new.cameras, *there) if name in there})

    def _begin(self) -> tuple[Config, Config, ReloadPlan]:
        """Do what may fail: nothing has been touched then."""
        whole = self._load()
        logs.hide(whole.secrets)
        new = self._node.narrow(whole) if self._node else whole
        plan = compare(self.config, new)
        coming = (*plan.cameras.added, *plan.cameras.changed, *plan.replaced)
        self._cameras.prepare(new.cameras[name] for name in coming)
        self._couriers.add({name: new.sinks[name] for name in (*plan.sinks.added, *plan.sinks.changed)})
        return whole, new, plan

    def _refuse(self, error: SurveilError) -> ReloadResult:
        messages = tuple(error.messages if isinstance(error, ConfigError) else [str(error)])
        for message in messages:
            log.error("configuration refused", problem=message)
        log.error("keeping the previous configuration", problems=len(messages))
        self.last = replace(self.last, good=False, messages=messages, at=self._clock.wall(), changes={})
        self._metrics.reload_good.set(0)
        return self.last

    def _apply(self, plan: ReloadPlan, new: Config, ending: Callable[[], bool]) -> list[str]:
        """Follow the plan; return what failed. One failure does not keep the other parts from being followed."""

        def cameras(names: tuple[str, ...]) -> list[CameraConfig]:
            return [new.cameras[name] for name in names]

        steps: tuple[Callable[[], None], ...] = (
            lambda: self._cameras.schedule(new.schedules),
            lambda: self._cameras.remove(self._handed_over(plan), Reason.HANDED_OVER),
            lambda: self._cameras.remove((*self._gone(plan), *plan.replaced)),
            lambda: self._cameras.change(cameras(plan.cameras.changed)),
            lambda: self._cameras.add(cameras((*plan.cameras.added, *plan.replaced))),
            lambda: self._cameras.keep_others(self._whole),
            lambda: self._couriers.remove(plan.sinks.removed),
            lambda: self._sections(plan, new),
        )
        failed: list[str] = []
        for step in steps:
            if ending():
                log.warning("reload interrupted by shutdown")
                break
            try:
                step()
            except Exception as error:
                log.exception("reload step failed")
                failed.append(unforeseen(error))
        return failed

    def _handed_over(self, plan: ReloadPlan) -> tuple[str, ...]:
        """Name the cameras that go although they are configured: another node has them."""
        return tuple(name for name in plan.cameras.removed if name in self._whole.cameras)

    def _gone(self, plan: ReloadPlan) -> tuple[str, ...]:
        return tuple(name for name in plan.cameras.removed if name not in self._whole.cameras)

    def _sections(self, plan: ReloadPlan, new: Config) -> None:
        if "log" in plan.sections:
            logs.configure(new.log.format, new.log.level)
        if "storm" in plan.sections:
            self._evidence.writer.cap(new.storm)
        if "camera_lost" in plan.sections:
            self._cameras.watch_by(new.camera_lost)

    def _show(self, *, restart: bool) -> None:
        self._metrics.reload_good.set(self.last.good)
        self._metrics.reload_at.set(self.last.at)
        self._metrics.restart_wanted.set(restart)
        self._metrics.configured(self.config.digest[:12])
