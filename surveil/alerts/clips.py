"""Clips: the camera's own packets around an event as MP4, without re-encoding, named by the end alert.

The pre-roll is secured when the event starts. The end alert waits until `post_s` have been recorded, and is
committed after the clip is synced, or says why there is none. Each event has a clip of its own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from surveil.alerts.evidence import Evidence, reason_of
from surveil.alerts.settings import EvidenceSettings
from surveil.errors import SourceError
from surveil.filesystem import appearing, make_folders
from surveil.metrics import Metrics
from surveil.types import Alert

ROOM_BYTES = 32 << 20
"""Space asked for before a clip is written; what it takes is known only afterwards."""
_MOST_HELD = 64
"""Events of a camera whose pre-roll is held at once; further ones get what the ring still has."""


class HeldPackets(Protocol):
    """Keeps packets from being thrown away."""

    def release(self) -> None:
        """Let go."""


class ClipRecorder(Protocol):
    """A camera's packet ring. Times are monotonic s of arrival, as `Frame.arrived`."""

    def secure(self, since: float) -> HeldPackets:
        """Keep what arrived from `since` on."""

    def mux(self, path: Path, since: float, until: float) -> tuple[str, ...]:
        """Write the packets of the span, from the key frame at or before it; return what is to be said of it.

        Raises SourceError when there are none or MP4 cannot hold them, OSError when the disk cannot.
        """


@dataclass(frozen=True, slots=True)
class WaitingClip:
    """An end alert that waits for its clip."""

    alert: Alert
    since: float
    until: float
    due: float
    """When it may be made: `until`, or as soon as nothing more is recorded."""


@dataclass(slots=True)
class _Held:
    camera: str
    hold: HeldPackets | None
    since: float


class Clips:
    """Makes the clips of all cameras. Used by the alert writer alone."""

    def __init__(
        self,
        state_dir: Path,
        settings: Mapping[str, EvidenceSettings] | None = None,
        recorders: Mapping[str, ClipRecorder] | None = None,
        make_room: Callable[[int], bool] | None = None,
        masked: frozenset[str] = frozenset(),
        metrics: Metrics | None = None,
    ) -> None:
        """`masked` cameras hide something in what is stored: packets cannot be masked, so there is no clip."""
        self._root = state_dir
        self._settings = {name: s for name, s in (settings or {}).items() if s.clip}
        self._recorders = dict(recorders or {})
        self._leaving: set[str] = set()
        """Cameras that begin no clip any more; those that have begun are finished."""
        self._make_room = make_room or (lambda _size: True)
        self._masked = masked
        self._metrics = metrics
        self._held: dict[str, _Held] = {}
        self._waiting: list[WaitingClip] = []
        self._ready: list[Alert] = []
        """Made, but not committed."""

    @property
    def cameras(self) -> frozenset[str]:
        """Cameras whose end alerts name a clip, or say why there is none."""
        return frozenset(self._settings)

    def keep(
        self, camera: str, settings: EvidenceSettings, recorder: ClipRecorder | None, *, masked: bool = False
    ) -> None:
        """Make clips of a camera from now on, or no more."""
        if not settings.clip:
            self.drop(camera)
            return
        self._leaving.discard(camera)
        self._settings[camera] = settings
        self._masked = self._masked | {camera} if masked else self._masked - {camera}
        if recorder is None:
            self._recorders.pop(camera, None)
        else:
            self._recorders[camera] = recorder

    def drop(self, camera: str, *, at_once: bool = False) -> None:
        """Begin no clip of a camera any more; let go of its recorder once those that have begun are made.

        `at_once`: nothing more will be recorded, so what waits for its end is made by the next `due`.
        """
        if camera in self._settings:
            self._leaving.add(camera)
        if at_once:
            over = float("-inf")
            self._waiting = [replace(w, due=over) if w.alert.camera == camera else w for w in self._waiting]

    def _let_go(self) -> None:
        """Forget the cameras that have left and for which nothing is to be made."""
        for camera in [c for c in self._leaving if c not in {w.alert.camera for w in self._waiting}]:
            if not any(held.camera == camera for held in self._held.values()):
                self._leaving.discard(camera)
                del self._settings[camera]
                self._recorders.pop(camera, None)

    def see(self, alert: Alert, moment: float) -> Alert | None:
        """Take note of an alert; return it, or None when it waits for its clip.

        `moment`: monotonic s at which what the alert is about arrived.
        """
        settings = self._settings.get(alert.camera)
        begun = alert.phase == "end" and alert.event_id in self._held
        if settings is None or (alert.camera in self._leaving and not begun):
            return alert
        why = self._impossible(alert.camera)
        if why:
            return _missing(alert, why) if alert.phase == "end" else alert
        if alert.phase == "start":
            self._secure(alert, moment - settings.pre_s)
            return alert
        held = self._held.get(alert.event_id)
        if any(waiting.alert.id == alert.id for waiting in self._waiting):
            return None
        if held is None:
            return _missing(alert, "the start was not recorded")
        until = min(moment + settings.post_s, held.since + settings.max_clip_s)
        self._waiting.append(WaitingClip(alert, held.since, until, until))
        return None

    def due(self, now: float) -> list[Alert]:
        """Write the clips whose time has come; return their end alerts.

        Raises StateError when no room could be made for one because of the database; nothing is lost then.
        """
        for waiting in [w for w in self._waiting if w.due <= now]:
            self._ready.append(self._finish(waiting))
            self._waiting.remove(waiting)
        made, self._ready = self._ready, []
        self._let_go()
        return made

    def again(self, alerts: list[Alert]) -> None:
        """Take back what could not be committed; the next `due` returns it."""
        self._ready = alerts

    def _impossible(self, camera: str) -> str:
        if camera in self._masked:
            return "stored pictures of this camera are masked, and packets cannot be"
        return "" if camera in self._recorders else "this camera has no recorded stream"

    def _secure(self, alert: Alert, since: float) -> None:
        if alert.event_id in self._held:  # a commit that failed is made again
            return
        room = len(self._held) < _MOST_HELD * len(self._settings)
        hold = self._recorders[alert.camera].secure(since) if room else None
        self._held[alert.event_id] = _Held(alert.camera, hold, since)

    def _finish(self, waiting: WaitingClip) -> Alert:
        alert = waiting.alert
        held = self._held.pop(alert.event_id, None)
        relative = Evidence.folder(alert) / f"{Evidence.stem(alert)}.mp4"
        try:
            notes = self._write(alert.camera, relative, waiting)
        except SourceError as error:
            return _missing(alert, str(error))
        except OSError as error:
            reason, why = reason_of(error)
            if self._metrics:
                self._metrics.evidence_errors.labels(reason).inc()
            return _missing(alert, why)
        finally:
            if held and held.hold:
                held.hold.release()
        said = {"clip_note": "; ".join(notes)} if notes else {}
        return replace(alert, evidence={**alert.evidence, "clip": relative.as_posix(), **said})

    def _write(self, camera: str, relative: Path, waiting: WaitingClip) -> tuple[str, ...]:
        path = self._root / relative
        if not self._make_room(ROOM_BYTES):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        make_folders(path.parent)
        with appearing(path) as temporary:
            return self._recorders[camera].mux(temporary, waiting.since, waiting.until)


def _missing(alert: Alert, why: str) -> Alert:
    return replace(alert, evidence={**alert.evidence, "clip": f"missing: {why}"})
