"""Learned state that moves with a camera: read from the shared store with a lease, and written on changes.

Classifiers and the data sets that verdicts fill do not belong to one camera: they come to all nodes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from surveil.app.carried import Carried, CarriedArming, CarriedCounts, CarriedModel
from surveil.app.shared_classifiers import SharedClassifiers
from surveil.clock import Stop, SystemClock, boot_s
from surveil.errors import StateError
from surveil.features.classify.store import FEEDBACK
from surveil.fleet.roster import Roster, read_roster
from surveil.fleet.shelf import VERDICTS, Shelf

if TYPE_CHECKING:
    from surveil.app.shared_verdicts import SharedVerdicts

log = structlog.get_logger(__name__)
_PERIOD_S = 5.0
Holdings = Callable[[], Iterable[tuple[str, int, bool]]]


class LearnedCarrier:
    """Carries normality models, arming, counts, classifiers and data sets.

    On a thread of its own, which nobody waits for: a shared folder may hang.
    """

    def __init__(
        self,
        folder: Path,
        store: Path,
        holdings: Holdings,
        classifiers: Callable[[], Collection[str]] = tuple,
        now: Callable[[], float] = boot_s,
    ) -> None:
        """`holdings` yields camera, epoch and whether the lease is fresh; `classifiers` names those that rules need."""
        self._now = now
        self._folder, self._store, self._holdings = folder, store, holdings
        self._classifiers = SharedClassifiers(folder, store, classifiers)
        kinds: tuple[Carried, ...] = (CarriedModel(folder), CarriedArming(folder), CarriedCounts(folder))
        self._kinds = {kind.name: kind for kind in kinds}
        self._known: dict[str, tuple[int, Mapping[str, str]]] = {}
        """By camera: the epoch for which the store was read, and what is the same here and there."""
        self._verdict_folders = (folder / FEEDBACK, store / VERDICTS)
        self._verdicts: SharedVerdicts | None = None
        """None: no node has a data set."""
        self._failing_since: float | None = None
        self.roster = Roster()
        """Who has which camera, as of the last look. Any thread may read it."""

    def start(self, stop: Stop) -> None:
        """Carry until `stop`."""
        threading.Thread(target=self._run, args=(stop,), name="learned", daemon=True).start()

    def late_s(self) -> float:
        """Return for how long the store could not be used, s."""
        since = self._failing_since
        return 0.0 if since is None else self._now() - since

    def run_once(self) -> None:
        """Take and put what is due. Raises StateError, when the rest is done."""
        held = list(self._holdings())
        for name in self._known.keys() - {camera for camera, _, _ in held}:
            del self._known[name]
        due: list[Callable[[], None]] = [partial(self._carry, camera, epoch) for camera, epoch, _ in held]
        failed: list[StateError] = []
        for carry in (*due, self._classifiers.run_once, self._share_verdicts, self._look_up):
            try:
                carry()
            except StateError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    def _share_verdicts(self) -> None:
        if self._verdicts is None and any(path.is_dir() for path in self._verdict_folders):
            from surveil.app.shared_verdicts import SharedVerdicts  # noqa: PLC0415 - loads what trains, for data sets alone

            self._verdicts = SharedVerdicts(self._folder, self._store)
        if self._verdicts is not None:
            self._verdicts.run_once()

    def _look_up(self) -> None:
        self.roster = read_roster(self._store)

    def _run(self, stop: Stop) -> None:
        while not SystemClock().sleep(_PERIOD_S, stop):
            self.try_once()

    def try_once(self) -> None:
        """Take and put what is due; log when trouble begins and ends."""
        try:
            self.run_once()
        except StateError as error:
            self._tell(error)
        except Exception:
            log.exception("what cameras have learned not carried")
        else:
            self._tell(None)

    def _carry(self, camera: str, epoch: int) -> None:
        shelf = Shelf(self._store, f"learned/{camera}")
        since, known = self._known.get(camera, (0, {}))
        if since:
            known = self._put(shelf, camera, since, known)
        if since != epoch:
            known = self._take(shelf, camera)
        self._known[camera] = epoch, known

    def _put(self, shelf: Shelf, camera: str, epoch: int, known: Mapping[str, str]) -> Mapping[str, str]:
        """Store what has changed here; return what is the same here and there."""
        here = self._here(camera)
        # What a node of another version carries beside stays there.
        others = {name: digest for name, digest in known.items() if _kind(name) not in self._kinds}
        if {**others, **here} == known:
            return known
        stored = shelf.stored()
        new = {
            name: self._kinds[_kind(name)].content(camera, name)
            for name, digest in here.items()
            if digest not in stored
        }
        return shelf.put(epoch, new, {**others, **here}).parts

    def _take(self, shelf: Shelf, camera: str) -> Mapping[str, str]:
        """Use what the store has; return what is the same here and there."""
        entry = shelf.newest()
        if entry is None:
            return {}
        own = self._here(camera)
        wanted = {name: digest for name, digest in entry.parts.items() if own.get(name) != digest}
        for name, kind in self._kinds.items():
            parts = {part: shelf.get(digest) for part, digest in wanted.items() if _kind(part) == name}
            if parts:
                kind.take(camera, parts)
                log.info("what the camera has learned taken over", camera=camera, kind=name, parts=len(parts))
        return entry.parts

    def _here(self, camera: str) -> Mapping[str, str]:
        """Return the SHA-256 of all that there is here to carry, by name."""
        return {
            name: digest for kind in self._kinds.values() for name, digest in kind.digests(camera).items()
        }

    def _tell(self, error: StateError | None) -> None:
        """Log when trouble begins and ends."""
        if error is not None and self._failing_since is None:
            self._failing_since = self._now()
            log.error("shared store cannot be used, retrying", why=str(error))
        elif error is None and self._failing_since is not None:
            self._failing_since = None
            log.info("shared store is there again")


def _kind(part: str) -> str:
    return part.split("/", 1)[0]
