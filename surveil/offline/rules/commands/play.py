"""Plays recordings through the daemon's code and compares the alerts with the labels, with pictures of errors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from surveil import logs
from surveil.alerts.privacy import make_hide
from surveil.app.annotate import overlay
from surveil.app.replay import AnalysedFrame, Replay
from surveil.capture.file import duration_s
from surveil.cli.common import warn
from surveil.config import CameraConfig, Config, load
from surveil.config.problems import no_camera, suggest
from surveil.detect.detector import Detector
from surveil.errors import ConfigError
from surveil.features.normality.draw import jpeg
from surveil.offline.rules.figures import JudgedFilm
from surveil.offline.rules.matching import Judged, RuleTime, ToldAlert, judge
from surveil.offline.rules.report import PlayedFilm, ReportPicture
from surveil.offline.rules.suite import Event, Film, Suite
from surveil.rules.base import RuleSettings, rule_name
from surveil.types import Bytes

CAMERA = "film"
_WIDTH = 480
"""Pixels of the pictures of a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayableSuite:
    """A suite with its camera, and files that are there."""

    suite: Suite
    config: Config
    camera: CameraConfig
    paths: tuple[Path, ...]
    """Of its films."""

    @property
    def rules(self) -> dict[str, RuleSettings]:
        """The rules that are evaluated, by name."""
        wanted = self.suite.rules
        named = {rule_name(rule): rule for rule in self.camera.rules}
        return {name: rule for name, rule in named.items() if not wanted or name in wanted}

    @property
    def types(self) -> frozenset[str]:
        """Types of the rules that are evaluated."""
        return frozenset(rule.type for rule in self.rules.values())


def prepare(
    suite: Suite, source: Path, footage: Path, folder: Path, read_config: Callable[[], Config]
) -> PlayableSuite:
    """Return the suite with its camera and files.

    `folder` takes the state of a suite's own camera; `read_config` reads the configuration that has the one it names.
    Raises ConfigError with every mistake: rules, zones and files that are not there.
    """
    config = _own(suite, suite.camera, source, folder) if isinstance(suite.camera, dict) else read_config()
    name = CAMERA if isinstance(suite.camera, dict) else suite.camera
    if name not in config.cameras:
        raise ConfigError([f"{source}: camera: {no_camera(name, config.cameras)}"])
    paths = tuple(footage / film.path for film in suite.films)
    made = PlayableSuite(suite=suite, config=config, camera=config.cameras[name], paths=paths)
    wrong = [
        f"{source}: films[{i}].path: {path}: there is no such video or folder; name its folder with --footage"
        for i, path in enumerate(paths)
        if not path.exists()
    ]
    known = {rule_name(rule) for rule in made.camera.rules}
    wrong += [
        f"{source}: rules: there is no rule '{rule}'{suggest(rule, known)}"
        for rule in suite.rules
        if rule not in known
    ]
    wrong += [
        f"{source}: films[{i}].events[{k}].{what}"
        for i, film in enumerate(suite.films)
        for k, event in enumerate(film.events)
        for what in _unknown(event, made, known)
    ]
    if wrong:
        raise ConfigError(wrong)
    return made


def _unknown(event: Event, made: PlayableSuite, known: Iterable[str]) -> Iterable[str]:
    """Yield which of the event's names the camera does not know."""
    judged = made.rules
    if event.rule not in judged:
        yield f"rule: there is no rule '{event.rule}' that is evaluated{suggest(event.rule, judged or known)}"
    for what, name, places in (
        ("zone", event.zone, made.camera.zones),
        ("line", event.line, made.camera.lines),
    ):
        if name and name not in places:
            yield f"{what}: the camera has no {what} '{name}'{suggest(name, places)}"


def _own(suite: Suite, camera: Mapping[str, object], source: Path, folder: Path) -> Config:
    """Return a configuration of the suite's own camera and the default model."""
    path = folder / "config.yaml"
    document = {"version": 1, "cameras": {CAMERA: {**camera, "url": suite.films[0].path}}}
    document |= {"state_dir": str(folder), "log": {"level": "error"}}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    try:
        config = load(path, needs_model=True)
    except ConfigError as error:
        raise ConfigError([_of_suite(mistake, path, source) for mistake in error.messages]) from None
    logs.configure(config.log.format, config.log.level)
    for warning in config.warnings:
        warn(_of_suite(warning, path, source))
    return config


def _of_suite(message: str, path: Path, source: Path) -> str:
    """Return a message about the suite's camera with the suite's file and place."""
    _, _, told = message.removeprefix(str(path)).partition(": ")
    return f"{source}: {told.replace(f'cameras.{CAMERA}', 'camera', 1)}"


def play(
    made: PlayableSuite, film: Film, path: Path, detector: Detector, progress: Callable[[str, float], None]
) -> PlayedFilm:
    """Play one film. Raises SourceError when it cannot be played to its end."""
    watch = _Watch(made, film)
    total = duration_s(path) or 0.0
    with tempfile.TemporaryDirectory(prefix="surveil-evaluate-") as folder:
        job = Replay(made.config, made.camera.name, detector, Path(folder))
        result = job.run(
            [path],
            on_seen=watch.see,
            on_decoded=lambda t: progress(film.title, min(1.0, t / total) if total else 0.0),
        ).checked()
    judged = watch.judge()
    return PlayedFilm(
        title=film.title,
        suite=made.suite.name,
        judged=JudgedFilm(
            events=judged.events,
            alerts=judged.alerts,
            seconds=result.seconds,
            conditions=film.conditions,
            types=made.types | {one.told.alert.type for one in judged.alerts},
        ),
        shots=watch.shots(judged),
    )


class _Watch:
    """Notes when what was alerted, and keeps a small picture of each alert and of each labelled event."""

    def __init__(self, made: PlayableSuite, film: Film) -> None:
        self._made = made
        self._film = film
        self._hide = make_hide(made.camera.unstored, made.camera.evidence)
        self._told: list[ToldAlert] = []
        self._of_alerts: list[bytes] = []
        self._of_events: dict[int, bytes] = {}
        self._waiting = sorted(range(len(film.events)), key=self._shown_at)

    def _shown_at(self, number: int) -> float:
        """Return the time of the picture of an event that is missed."""
        event = self._film.events[number]
        return event.start if event.end is None else (event.start + event.end) / 2

    def see(self, seen: AnalysedFrame) -> None:
        """Take one analysed frame."""
        for alert in seen.alerts:
            if alert.phase == "start" and (
                not self._made.suite.rules or alert.rule in self._made.suite.rules
            ):
                self._told.append(ToldAlert(t=seen.frame.t, alert=alert))
                self._of_alerts.append(self._picture(seen, alert.box))
        while self._waiting and seen.frame.t >= self._shown_at(self._waiting[0]):
            self._of_events[self._waiting.pop(0)] = self._picture(seen, None)

    def _picture(self, seen: AnalysedFrame, box: tuple[float, float, float, float] | None) -> bytes:
        picture = seen.frame.picture.bgr().copy()
        if self._hide:
            picture = self._hide(picture)
        overlay(picture, self._made.camera, seen.tracks)
        if box:
            x1, y1, x2, y2 = (round(v) for v in box)
            cv2.rectangle(picture, (x1, y1), (x2, y2), (40, 40, 230), max(2, picture.shape[1] // 300))
        return jpeg(_small(picture))

    def judge(self) -> Judged:
        """Compare what was alerted with the labels."""
        rules = {
            name: RuleTime(type=rule.type, after_s=_after(rule)) for name, rule in self._made.rules.items()
        }
        return judge(self._told, self._film.events, rules, self._made.suite.within_s)

    def shots(self, judged: Judged) -> tuple[ReportPicture, ...]:
        """Return the pictures of what went wrong, in the order of time."""
        of_alert = {id(told): shot for told, shot in zip(self._told, self._of_alerts, strict=True)}
        of_event = {id(event): self._of_events.get(k, b"") for k, event in enumerate(self._film.events)}
        missed = [
            ReportPicture.of_event(e, of_event[id(e.event)]) for e in judged.events if e.verdict != "found"
        ]
        false = [ReportPicture.of_alert(a, of_alert[id(a.told)]) for a in judged.alerts if a.kind == "false"]
        return tuple(sorted([*missed, *false], key=lambda shot: shot.t))


def _after(rule: RuleSettings) -> float:
    """Return how long something must last before the rule alerts, s."""
    after = getattr(rule, "after_s", 0.0)
    return float(after) if isinstance(after, int | float) else 0.0


def _small(picture: Bytes) -> Bytes:
    scale = min(1.0, _WIDTH / picture.shape[1])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
