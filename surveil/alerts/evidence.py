"""Pictures of what an alert is about: written whole and synced before the alert that names them.

A file appears under its name only when it is on the disk. When the disk is full, the oldest evidence makes
room; when that is not enough, the alert goes on and says `missing:` and why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import structlog

from surveil.alerts.database import sync_directory
from surveil.alerts.drawing import Drawing, annotate
from surveil.alerts.settings import EvidenceSettings
from surveil.metrics import Metrics
from surveil.types import Alert, Bytes, Frame, Track

log = structlog.get_logger(__name__)
FOLDER = "evidence"
REASONS = ("disk_full", "io", "encode")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Scenery:
    """What belongs to the frame of an alert, for its pictures."""

    frame: Frame
    tracks: Sequence[Track] = ()
    drawing: Drawing = field(default_factory=Drawing)
    hide: Callable[[Bytes], Bytes] | None = None
    """Blanks or blurs what must not be stored; returns uint8 BGR of the same size."""


class Evidence:
    """Writes pictures below `state_dir/evidence/<camera>/<day>/`. Used by the commit thread alone."""

    def __init__(
        self,
        state_dir: Path,
        settings: EvidenceSettings,
        make_room: Callable[[int], bool] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._root = state_dir
        self._settings = settings
        self._make_room = make_room or (lambda _size: True)
        self._metrics = metrics
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
        with self._group() as written:
            clean = self._clean(alerts, picture, written)
            return [self._with_pictures(a, picture, scenery, clean, written) for a in alerts]

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

    def _clean(self, alerts: Sequence[Alert], picture: Bytes, written: set[Path]) -> str | None:
        """Store the picture without drawings once for all alerts of the frame; return its path."""
        if not self._settings.clean:
            return None
        first = next(a for a in alerts if a.phase == "start")
        return self._store(self.folder(first) / f"{self.stem(first)}-clean.jpg", picture, written)

    def _with_pictures(
        self, alert: Alert, picture: Bytes, scenery: Scenery, clean: str | None, written: set[Path]
    ) -> Alert:
        if alert.phase != "start":
            return alert
        drawn = annotate(picture, alert, scenery.tracks, scenery.drawing)
        evidence = dict(alert.evidence)
        evidence["snapshot"] = self._store(self.folder(alert) / f"{self.stem(alert)}.jpg", drawn, written)
        if clean is not None:
            evidence["clean"] = clean
        return replace(alert, evidence=evidence)

    def _store(self, relative: Path, picture: Bytes, written: set[Path]) -> str:
        """Encode and write one picture; return its path or `missing: why`."""
        ok, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
        if not ok:
            return self._missing("encode", "the picture could not be encoded")
        try:
            self._write(relative, data.tobytes())
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            return self._missing("disk_full" if full else "io", error.strerror or "write failed")
        self.last_error = ""
        written.add(self._root / relative.parent)
        return relative.as_posix()

    def _write(self, relative: Path, data: bytes) -> None:
        """Write when there is room, making it if needed. Raises OSError."""
        if not self._make_room(len(data)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            write_whole(self._root / relative, data)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._make_room(4 * len(data)):
                raise
            write_whole(self._root / relative, data)

    def _missing(self, reason: str, why: str) -> str:
        if not self.last_error:
            log.error("evidence cannot be stored, alerts go on without", why=why)
        self.last_error = why
        if self._metrics:
            self._metrics.evidence_errors.labels(reason).inc()
        return f"missing: {why}"

    @contextlib.contextmanager
    def _group(self) -> Iterator[set[Path]]:
        """Sync the folders that files were written to, once each, at the end."""
        written: set[Path] = set()
        yield written
        for folder in written:
            sync_directory(folder)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, mode 0640, so that its name never stands for less than all of it. Raises OSError.

    The caller syncs the folder.
    """
    make_folders(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
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
