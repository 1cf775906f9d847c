"""Pictures of alerts: written completely and synced before the alert that names them.

When there is no room for one, the alert goes on and says `missing:` and why.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import structlog

from surveil.alerts.drawing import Drawing, annotate, beside
from surveil.alerts.pictures import EvidencePictures, Failure
from surveil.alerts.settings import EvidenceSettings
from surveil.metrics import Metrics
from surveil.types import NO_FINDINGS, Alert, Bytes, Findings, Frame, ReferencePicture, Track

log = structlog.get_logger(__name__)
FOLDER = "evidence"
REASONS = ("disk_full", "io", "encode")
_PICTURE = "picture"
"""The type of rule whose pictures are shown beside the one from before."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Hide = Callable[[Bytes], Bytes]
"""Blanks or blurs what must not be stored; returns uint8 BGR of the same size."""
Illustrate = Callable[[Alert, Bytes, Findings, Hide], Mapping[str, Bytes]]
"""More pictures that explain an alert, uint8 BGR by kind (lower-case, a word). Given are the alert, the picture
of its frame as it may be stored, what the analysers found in it, and what hides things in
any other picture of the camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameContext:
    """What belongs to the frame of an alert, for its pictures."""

    frame: Frame
    tracks: Sequence[Track] = ()
    drawing: Drawing = field(default_factory=Drawing)
    hide: Hide | None = None
    before: ReferencePicture | None = None
    """What the camera showed while all was well, where an alert says that it is not."""
    hide_before: Callable[[Bytes], Bytes] | None = None
    """As `hide`, for that picture."""
    findings: Findings = NO_FINDINGS
    """Of the analysers."""


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

    def attach(self, alerts: Sequence[Alert], context: FrameContext) -> list[Alert]:
        """Return the alerts, the start alerts among them naming their synced pictures."""
        if not any(a.phase == "start" for a in alerts) or not self._settings.snapshot:
            return list(alerts)
        picture = context.frame.picture.bgr()
        if context.hide:
            picture = context.hide(picture)
        with EvidencePictures(self._root, self._settings.quality, self._make_room) as pictures:
            clean = self._clean(alerts, picture, pictures)
            made = [self._with_pictures(a, picture, context, clean, pictures) for a in alerts]
            failed = pictures.settle()
        if not failed:
            self.last_error = ""
            return made
        lost = {path: self._missing(error) for path, error in failed.items()}
        return [_without(a, lost) for a in made]

    @staticmethod
    def folder(alert: Alert) -> Path:
        """Return the folder of an alert's evidence, relative to the state directory."""
        day = datetime.fromtimestamp(alert.t_wall, UTC).strftime("%Y-%m-%d")
        return Path(FOLDER) / safe_name(alert.camera) / day

    @staticmethod
    def stem(alert: Alert) -> str:
        """Return what an alert's files begin with: time of day, rule, the first part of the id, the lease's epoch."""
        time = datetime.fromtimestamp(alert.t_wall, UTC).strftime("%H%M%S")
        epoch = f"-e{alert.details['epoch']}" if "epoch" in alert.details else ""
        return f"{time}-{safe_name(alert.rule)}-{safe_name(alert.id)[:13]}{epoch}"

    def _clean(self, alerts: Sequence[Alert], picture: Bytes, pictures: EvidencePictures) -> str | None:
        """Store the picture without drawings once for all alerts of the frame; return its path."""
        if not self._settings.clean:
            return None
        first = next(a for a in alerts if a.phase == "start")
        return pictures.add(self.folder(first) / f"{self.stem(first)}-clean.jpg", picture)

    def _with_pictures(
        self,
        alert: Alert,
        picture: Bytes,
        context: FrameContext,
        clean: str | None,
        pictures: EvidencePictures,
    ) -> Alert:
        if alert.phase != "start":
            return alert
        evidence = dict(alert.evidence)
        before = _before(context) if alert.type == _PICTURE else None
        if context.before is None or before is None:
            drawn = annotate(picture, alert, context.tracks, context.drawing)
        else:
            both = beside(before, picture, context.before.t_wall, alert.t_wall)
            drawn = annotate(both, alert, (), Drawing())
            name = f"{self.stem(alert)}-before.jpg"
            evidence["before"] = pictures.add(self.folder(alert) / name, before)
        evidence["snapshot"] = pictures.add(self.folder(alert) / f"{self.stem(alert)}.jpg", drawn)
        if clean is not None:
            evidence["clean"] = clean
        for kind, more in self._illustrations(alert, picture, context).items():
            path = self.folder(alert) / f"{self.stem(alert)}-{safe_name(kind)}.jpg"
            evidence[kind] = pictures.add(path, more)
        return replace(alert, evidence=evidence)

    def _illustrations(self, alert: Alert, picture: Bytes, context: FrameContext) -> Mapping[str, Bytes]:
        if self._illustrate is None:
            return {}
        try:
            return self._illustrate(alert, picture, context.findings, context.hide or _as_it_is)
        except Exception:
            log.exception("bug in an illustration, alert sent without it", rule=alert.rule)
            return {}

    def _missing(self, error: Failure) -> str:
        """Count and tell why a picture could not be stored; return what stands in its place."""
        reason, why = reason_of(error)
        if not self.last_error:
            log.error("evidence not stored, alerts continue without it", why=why)
        self.last_error = why
        if self._metrics:
            self._metrics.evidence_errors.labels(reason).inc()
        return f"missing: {why}"


def reason_of(error: Failure) -> tuple[str, str]:
    """Return one of REASONS, and why in words."""
    if not isinstance(error, OSError):
        return "encode", "the picture could not be encoded"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "disk_full" if full else "io", error.strerror or "write failed"


def _before(context: FrameContext) -> Bytes | None:
    """Return the picture from before, as it may be stored."""
    if context.before is None:
        return None
    decoded = cv2.imdecode(np.frombuffer(context.before.jpeg, np.uint8), cv2.IMREAD_COLOR)
    picture = np.asarray(decoded, np.uint8)
    return context.hide_before(picture) if context.hide_before else picture


def _as_it_is(picture: Bytes) -> Bytes:
    return picture


def _without(alert: Alert, lost: dict[str, str]) -> Alert:
    """Return the alert with those pictures that were lost told as missing."""
    return replace(alert, evidence={kind: lost.get(path, path) for kind, path in alert.evidence.items()})


def safe_name(text: str) -> str:
    """Return `text` as a part of a file name."""
    return _UNSAFE.sub("_", text).strip(".") or "_"
