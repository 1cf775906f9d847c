"""The decisions of the last day on disk, and what they say about the alerts of a camera at a time."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal

import structlog

from surveil.alerts.database import ERRORS, as_text
from surveil.clock import Clock, Every
from surveil.config import CameraConfig
from surveil.errors import StateError
from surveil.filesystem import read_json
from surveil.pipeline.decisions import MINUTE_S, Minute
from surveil.rules.base import rule_name

log = structlog.get_logger(__name__)
DATABASE = "decisions.db"
KEEP_S = 24 * 3600
_FLUSH_S = 15.0
_COUNTED = ("gates", "detections", "raised", "outcomes")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS minutes (
    camera TEXT NOT NULL, start INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (camera, start)
) WITHOUT ROWID
"""


class DecisionRecorder:
    """Writes the minutes that are over. Owned by the main thread.

    Nothing depends on them: a database that fails loses them, and a damaged one is replaced by a new one.
    """

    def __init__(self, state_dir: Path, take: Callable[[], list[Minute]], clock: Clock) -> None:
        self._path = state_dir / DATABASE
        self._take = take
        self._clock = clock
        self._due = Every(_FLUSH_S)
        self._failing = False

    def look(self) -> None:
        """Write what there is, every few seconds."""
        if self._due.due(self._clock.monotonic()):
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        minutes = self._take()
        if not minutes:
            return
        try:
            self._write(minutes)
        except (OSError, *ERRORS) as error:
            if not self._failing:
                log.warning("decisions cannot be kept, `surveil why` lacks them", why=str(error))
            self._failing = True
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                with suppress(OSError):
                    self._path.unlink()
        else:
            self._failing = False

    def _write(self, minutes: Sequence[Minute]) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=0.5)) as db:
            db.execute("PRAGMA synchronous = OFF")
            db.execute(_SCHEMA)
            self._path.chmod(0o640)
            db.execute("BEGIN")
            rows = [(m.camera, m.start, json.dumps(m.as_dict(), separators=(",", ":"))) for m in minutes]
            db.executemany("INSERT OR REPLACE INTO minutes VALUES (?, ?, ?)", rows)
            db.execute("DELETE FROM minutes WHERE start < ?", (self._clock.wall() - KEEP_S,))
            db.execute("COMMIT")


def recorded(state_dir: Path, camera: str, start: float, end: float) -> list[Minute]:
    """Return the minutes of a camera that begin in [start, end). Raises StateError."""
    path = state_dir / DATABASE
    if not path.is_file():
        raise StateError(
            f"{path}: no decisions were recorded; check that the daemon uses this state directory"
        )
    query = "SELECT body FROM minutes WHERE camera = ? AND start >= ? AND start < ? ORDER BY start"
    try:
        with closing(sqlite3.connect(path, timeout=5.0)) as db:
            db.text_factory = as_text
            bodies = db.execute(query, (camera, start, end)).fetchall()
    except ERRORS as error:
        raise StateError(f"{path}: the decisions cannot be read: {error}") from error
    return [minute for (body,) in bodies if (minute := _parse(body))]


def _parse(body: str) -> Minute | None:
    """Return a stored minute; None for a damaged one."""
    try:
        raw: dict[str, Any] = read_json(body)
        counted = {name: Counter(raw[name]) for name in _COUNTED}
        return Minute(**{**raw, **counted})
    except (ValueError, TypeError, KeyError):
        return None


_REASONS = {
    "schedule": "its schedule did not allow alerts",
    "disarmed": "the operator has disarmed it (`surveil alerts armed`)",
    "moved": "the camera view had changed (`surveil cameras accept` accepts it)",
    "cooldown": "it had alerted recently (`cooldown_s`)",
}


def explain(minutes: Sequence[Minute], camera: CameraConfig) -> list[str]:
    """Return why there was an alert in these minutes, or none: from the camera to the rule, in sentences."""
    if not camera.enabled:
        return ["The camera is disabled in the configuration (`enabled: false`)."]
    if not minutes:
        return [
            (
                "Nothing was recorded: the daemon did not run, or the camera sent no frames. Check the `camera_lost` "
                "alerts and the log of that time."
            )
        ]
    return list(_explained(minutes, camera))


def _explained(minutes: Sequence[Minute], camera: CameraConfig) -> Iterator[str]:
    frames, looked = sum(m.frames for m in minutes), sum(m.looked for m in minutes)
    alerts = sum(m.alerts for m in minutes)
    yield from (f"The camera was lost: {m.lost}." for m in minutes if m.lost)
    if not frames:
        yield "No frame was analysed."
        return
    expected = camera.detect.fps * MINUTE_S * len(minutes)
    few = f", of {expected:.0f} that `detect.fps` requests" if frames < 0.5 * expected else ""
    yield f"{frames} frames were analysed{few}; the detector ran on {looked}."
    if looked < frames:
        gates = _sum(minutes, "gates")
        shut = ", ".join(f"{gate} {n}" for gate, n in gates.items() if gate.startswith("closed"))
        yield f"On the others the motion gate was closed ({shut or 'not recorded'})."
    yield from _objects(minutes, camera)
    yield from _rules(minutes, camera)
    yield f"{alerts} alerts were committed." if alerts else "No alert was committed."


def _objects(minutes: Sequence[Minute], camera: CameraConfig) -> Iterator[str]:
    """Say what was detected and followed, and what was not sure enough."""
    sure = camera.track.high_score
    best: dict[str, float] = {}
    for minute in minutes:
        for label, score in minute.best.items():
            best[label] = max(score, best.get(label, 0.0))
    tracks = {label for minute in minutes for label in minute.tracks}
    if not best:
        yield "The detector found nothing, at any score."
    for label, score in sorted(best.items(), key=lambda item: -item[1]):
        if label in tracks:
            yield f"{label}: best score {score:.2f}, tracked."
        elif score < sure:
            yield f"{label}: best score {score:.2f}, below `track.high_score` {sure:g}: no track was started."
        else:
            yield (
                f"{label}: best score {score:.2f}, not confirmed as a track (`track.confirm_hits` "
                f"{camera.track.confirm_hits} within {camera.track.confirm_within_s:g} s)."
            )


def _rules(minutes: Sequence[Minute], camera: CameraConfig) -> Iterator[str]:
    raised, outcomes = _sum(minutes, "raised"), _sum(minutes, "outcomes")
    held = {minute.held for minute in minutes if minute.held}
    yield from (f"Rules with zones or lines were paused: {why}." for why in sorted(held))
    for rule in camera.rules:
        name = rule_name(rule)
        its = {key.removeprefix(f"{name} "): n for key, n in outcomes.items() if key.startswith(f"{name} ")}
        if not raised[name] and not its:
            yield f"Rule {name}: no track met its conditions (classes, zone or line, time)."
            continue
        told = [
            f"{n} suppressed: {_REASONS.get(reason, reason)}"
            if (reason := what.removeprefix("suppressed ")) != what
            else f"{n} {what}"
            for what, n in its.items()
        ]
        yield f"Rule {name}: {raised[name]} signals; {', '.join(told) or 'undecided'}."


def _sum(minutes: Sequence[Minute], name: Literal["gates", "raised", "outcomes"]) -> Counter[str]:
    total: Counter[str] = Counter()
    for minute in minutes:
        total.update(getattr(minute, name))
    return total
