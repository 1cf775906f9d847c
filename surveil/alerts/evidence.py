"""Pictures of what an alert is about: written whole and synced before the alert that names them.

A file appears under its name only when it is on the disk. When the disk is full, the oldest evidence makes
room; when that is not enough, the alert goes on and says `missing:` and why.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import structlog

from surveil.alerts.database import sync_directory
from surveil.alerts.drawing import Drawing, annotate, beside
from surveil.alerts.settings import EvidenceSettings
from surveil.metrics import Metrics
from surveil.types import Alert, Bytes, Earlier, Frame, Track

log = structlog.get_logger(__name__)
FOLDER = "evidence"
REASONS = ("disk_full", "io", "encode")
_PICTURE = "picture"
"""The type of rule whose pictures are shown beside the one from before."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Hide = Callable[[Bytes], Bytes]
"""Blanks or blurs what must not be stored; returns uint8 BGR of the same size."""
Illustrate = Callable[[Alert, Bytes, Mapping[str, object], Hide], Mapping[str, Bytes]]
"""More pictures that explain an alert, uint8 BGR by kind (lower-case, a word). Given are the alert, the picture
of its frame as it may be stored, what the analysers found in it (`Observation.extras`), and what hides things in
any other picture of the camera."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """What belongs to the frame of an alert, for its pictures."""

    frame: Frame
    tracks: Sequence[Track] = ()
    drawing: Drawing = field(default_factory=Drawing)
    hide: Hide | None = None
    before: Earlier | None = None
    """What the camera showed while all was well, where an alert says that it is not."""
    hide_before: Callable[[Bytes], Bytes] | None = None
    """As `hide`, for that picture."""
    findings: Mapping[str, object] = field(default_factory=dict)
    """Of the analysers, by name."""


class Evidence:
    """Writes pictures below `state_dir/evidence/<camera>/<day>/`. Used by the commit thread alone."""

    def __init__(
        self,
        state_dir: Path,
        settings: EvidenceSettings,
        make_room: Callable[[int], bool] | None = None,
        metrics: Metrics | None = None,
        illustrate: Illustrate | None = None,
    ) -> None:
        self._root = state_dir
        self._settings = settings
        self._make_room = make_room or (lambda _size: True)
        self._metrics = metrics
        self._illustrate = illustrate if settings.explain else None
        self.last_error = ""
        """Why the last picture could not be stored; empty when it could."""
        for reason in REASONS if metrics else ():
            metrics.evidence_errors.labels(reason)  # type: ignore[union-attr]

    def attach(self, alerts: Sequence[Alert], scenery: Scenery) -> list[Alert]:
        """Return the alerts, the start alerts among them naming their synced pictures."""
        if not any(a.phase == "start" for a in alerts) or not self._settings.snapshot:
            return list(alerts)
        picture = scenery.frame.picture.bgr()
        if scenery.hide:
            picture = scenery.hide(picture)
        staged: list[str] = []
        clean = self._clean(alerts, picture, staged)
        made = [self._with_pictures(a, picture, scenery, clean, staged) for a in alerts]
        lost = self._settle(staged)
        return [_without(a, lost) for a in made] if lost else made

    @staticmethod
    def folder(alert: Alert) -> Path:
        """Return the folder of an alert's evidence, relative to the state directory."""
        day = datetime.fromtimestamp(alert.t_wall, UTC).strftime("%Y-%m-%d")
        return Path(FOLDER) / safe_name(alert.camera) / day

    @staticmethod
    def stem(alert: Alert) -> str:
        """Return what an alert's files begin with: time of day, rule and the first part of the id."""
        time = datetime.fromtimestamp(alert.t_wall, UTC).strftime("%H%M%S")
        return f"{time}-{safe_name(alert.rule)}-{safe_name(alert.id)[:13]}"

    def _clean(self, alerts: Sequence[Alert], picture: Bytes, staged: list[str]) -> str | None:
        """Store the picture without drawings once for all alerts of the frame; return its path."""
        if not self._settings.clean:
            return None
        first = next(a for a in alerts if a.phase == "start")
        return self._store(self.folder(first) / f"{self.stem(first)}-clean.jpg", picture, staged)

    def _with_pictures(
        self, alert: Alert, picture: Bytes, scenery: Scenery, clean: str | None, staged: list[str]
    ) -> Alert:
        if alert.phase != "start":
            return alert
        evidence = dict(alert.evidence)
        before = _before(scenery) if alert.type == _PICTURE else None
        if scenery.before is None or before is None:
            drawn = annotate(picture, alert, scenery.tracks, scenery.drawing)
        else:
            both = beside(before, picture, scenery.before.t_wall, alert.t_wall)
            drawn = annotate(both, alert, (), Drawing())
            name = f"{self.stem(alert)}-before.jpg"
            evidence["before"] = self._store(self.folder(alert) / name, before, staged)
        evidence["snapshot"] = self._store(self.folder(alert) / f"{self.stem(alert)}.jpg", drawn, staged)
        if clean is not None:
            evidence["clean"] = clean
        for kind, more in self._illustrations(alert, picture, scenery).items():
            path = self.folder(alert) / f"{self.stem(alert)}-{safe_name(kind)}.jpg"
            evidence[kind] = self._store(path, more, staged)
        return replace(alert, evidence=evidence)

    def _illustrations(self, alert: Alert, picture: Bytes, scenery: Scenery) -> Mapping[str, Bytes]:
        if self._illustrate is None:
            return {}
        try:
            return self._illustrate(alert, picture, scenery.findings, scenery.hide or _as_it_is)
        except Exception:
            log.exception("bug in a picture that explains, the alert goes on without", rule=alert.rule)
            return {}

    def _store(self, relative: Path, picture: Bytes, staged: list[str]) -> str:
        """Encode a picture and write it beside its place; return its path or `missing: why`."""
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
        if not ok:
            return self._missing("encode", "the picture could not be encoded")
        try:
            self._stage(self._root / relative, data.tobytes())
        except OSError as error:
            return self._failed(error)
        staged.append(relative.as_posix())
        return relative.as_posix()

    def _stage(self, path: Path, data: bytes) -> None:
        """Write when there is room, making it if needed. Raises OSError."""
        if not self._make_room(len(data)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            stage(path, data)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._make_room(4 * len(data)):
                raise
            stage(path, data)

    def _settle(self, staged: Sequence[str]) -> dict[str, str]:
        """Sync what was staged and give it its names; return path → `missing: why` of what failed.

        All is written before the first sync, which then takes most of the rest along.
        """
        lost: dict[str, str] = {}
        for path in staged:
            try:
                settle(self._root / path)
            except OSError as error:
                lost[path] = self._failed(error)
        for folder in {(self._root / path).parent for path in staged}:
            sync_directory(folder)
        if staged and not lost:
            self.last_error = ""
        return lost

    def _failed(self, error: OSError) -> str:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return self._missing("disk_full" if full else "io", error.strerror or "write failed")

    def _missing(self, reason: str, why: str) -> str:
        if not self.last_error:
            log.error("evidence cannot be stored, alerts go on without", why=why)
        self.last_error = why
        if self._metrics:
            self._metrics.evidence_errors.labels(reason).inc()
        return f"missing: {why}"


def _before(scenery: Scenery) -> Bytes | None:
    """Return the picture from before, as it may be stored."""
    if scenery.before is None:
        return None
    decoded = cv2.imdecode(np.frombuffer(scenery.before.jpeg, np.uint8), cv2.IMREAD_COLOR)
    picture = np.asarray(decoded, np.uint8)
    return scenery.hide_before(picture) if scenery.hide_before else picture


def _as_it_is(picture: Bytes) -> Bytes:
    return picture


def _without(alert: Alert, lost: dict[str, str]) -> Alert:
    """Return the alert with those pictures that were lost told as missing."""
    return replace(alert, evidence={kind: lost.get(path, path) for kind, path in alert.evidence.items()})


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def stage(path: Path, data: bytes) -> None:
    """Write what shall become `path` beside it, mode 0640. Raises OSError and leaves nothing."""
    make_folders(path.parent)
    temporary = _temporary(path)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def settle(path: Path) -> None:
    """Sync what was staged and rename it: a name never stands for less than all of a file. Raises OSError.

    The caller syncs the folder.
    """
    temporary = _temporary(path)
    try:
        handle = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def make_folders(folder: Path) -> None:
    """Create a folder and its parents, each of their names synced."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(mode=0o750, exist_ok=True)
    sync_directory(folder.parent)


def safe_name(text: str) -> str:
    """Return `text` as a part of a file name."""
    return _UNSAFE.sub("_", text).strip(".") or "_"
