"""When rules may alert: their schedules by the clock of the frame, the operator's switches by the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from surveil.alerts.arming import ArmingChannel, RuleKey, Switches
from surveil.clock import Clock
from surveil.config import CameraConfig, Config
from surveil.errors import StateError
from surveil.reasons import Reason, Why
from surveil.rules.base import WhyOff, rule_name
from surveil.schedule import Schedule, ScheduleSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RuleState:
    """Whether a rule may alert, as of now."""

    camera: str
    rule: str
    armed: bool
    scheduled: bool
    """Whether its schedule allows it; True without one."""


class Arming:
    """The switches as of the last look, and schedules.

    The main thread looks. Any thread may ask: analysis for alerts, captures for `decode: full` of a rule, the web
    server for its pages. The switches are replaced as a whole and never changed, so no lock is needed.
    """

    def __init__(self) -> None:
        self.switches: Switches = {}

    def why_off(self, camera: CameraConfig, schedules: Mapping[str, ScheduleSettings]) -> dict[str, WhyOff]:
        """Return, by rule of a camera, what says why it may not alert at a Unix time."""
        return {
            rule_name(rule): self._asker((camera.name, rule_name(rule)), _schedule(rule.schedule, schedules))
            for rule in camera.rules
        }

    def _asker(self, key: RuleKey, schedule: Schedule | None) -> WhyOff:
        def why(t_wall: float) -> Why:
            switch = self.switches.get(key)
            if switch is not None and switch.holds(t_wall):
                return Reason.DISARMED
            return "" if schedule is None or schedule.active(t_wall) else Reason.SCHEDULE

        return why

    def is_armed(self, camera: str, rule: str, t_wall: float) -> bool:
        """Return whether the operator lets a rule alert."""
        switch = self.switches.get((camera, rule))
        return switch is None or not switch.holds(t_wall)

    def states(self, config: Config, t_wall: float) -> Iterator[RuleState]:
        """Yield the state of every rule that is configured."""
        for camera in config.cameras.values():
            for rule in camera.rules:
                schedule = _schedule(rule.schedule, config.schedules)
                scheduled = schedule is None or schedule.active(t_wall)
                name = rule_name(rule)
                yield RuleState(camera.name, name, self.is_armed(camera.name, name, t_wall), scheduled)


def _schedule(name: str | None, schedules: Mapping[str, ScheduleSettings]) -> Schedule | None:
    return None if name is None else Schedule(schedules[name])


class SwitchWatch:
    """Takes the switches from the database into the running daemon. Owned by the main thread."""

    def __init__(self, path: Path, arming: Arming, clock: Clock) -> None:
        self._board = ArmingChannel(path)
        self._arming = arming
        self._clock = clock
        self._off: frozenset[RuleKey] = frozenset()
        self._failing = False

    def look(self) -> None:
        """Read the switches and log what has changed; while they cannot be read, those known go on."""
        try:
            self._arming.switches = self._board.read()
        except StateError as error:
            if not self._failing:
                log.error("arming state not readable, keeping the last known state", why=str(error))  # noqa: TRY400
            self._failing = True
            return
        self._failing = False
        now = self._clock.wall()
        off = frozenset(key for key, switch in self._arming.switches.items() if switch.holds(now))
        for camera, rule in sorted(off - self._off):
            log.warning(
                "rule disarmed", camera=camera, rule=rule, until=self._arming.switches[camera, rule].until
            )
        for camera, rule in sorted(self._off - off):
            log.warning("rule armed", camera=camera, rule=rule)
        self._off = off

    def close(self) -> None:
        """Close the connection."""
        self._board.close()
