"""Learned state that moves with a camera: read from the shared store with a lease, and written on changes.

Classifiers and the data sets that verdicts fill do not belong to one camera: they come to all nodes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from surveil.app.agreed import Agreed, AgreedFiles
from surveil.app.carried import Carried, CarriedArming, CarriedCounts, CarriedModel
from surveil.app.rounds import do_all
from surveil.app.shared_classifiers import SharedClassifiers
from surveil.clock import Stop, SystemClock, boot_s
from surveil.errors import StateError
from surveil.features.classify.store import FEEDBACK
from surveil.fleet.roster import Roster, read_roster
from surveil.fleet.shelf import VERDICTS, LostError, Shelf

if TYPE_CHECKING:
    from surveil.app.shared_verdicts import SharedVerdicts

log = structlog.get_logger(__name__)
_PERIOD_S = 5.0
_SETTLE_S = 2 * _PERIOD_S
"""How long the node that had a camera before may take to put its last changes."""
_LAST_S = 2.0
"""How long the last round may take when the daemon stops: what it does not reach is put after the next start."""
Holdings = Callable[[], Iterable[tuple[str, int, bool]]]


class LearnedCarrier:
    """Carries normality models, arming, counts, classifiers and data sets.

    On a thread of its own, for which nobody waits long: a shared folder may hang.
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
        self._files = AgreedFiles(folder)
        self._agreed: dict[str, Agreed] = {}
        """By camera that is held, once the store was read in this run."""
        self._settles: dict[str, float] = {}
        """When to read it again, by camera whose lease has just begun."""
        self._verdict_folders = (folder / FEEDBACK, store / VERDICTS)
        self._verdicts: SharedVerdicts | None = None
        """None: no node has a data set."""
        self._failing_since: float | None = None
        self._ending = Stop()
        self._thread: threading.Thread | None = None
        self.roster = Roster()
        """Who has which camera, as of the last look. Any thread may read it."""

    def start(self) -> None:
        """Carry until the end."""
        self._thread = threading.Thread(target=self._run, name="learned", daemon=True)
        self._thread.start()

    def end(self, patience_s: float) -> None:
        """Put once more what is due, for a short while at most. Called when nothing is written here any more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(min(patience_s, _LAST_S))

    def late_s(self) -> float:
        """Return for how long the store could not be used, s."""
        since = self._failing_since
        return 0.0 if since is None else self._now() - since

    def run_once(self) -> None:
        """Take and put what is due. Raises StateError, when the rest is done."""
        held = {camera: epoch for camera, epoch, _ in self._holdings()}
        due: list[Callable[[], None]] = [
            *(partial(self._leave, camera) for camera in self._agreed.keys() - held.keys()),
            *(partial(self._carry, camera, epoch) for camera, epoch in held.items()),
        ]
        do_all((*due, self._classifiers.run_once, self._share_verdicts, self._look_up))

    def _share_verdicts(self) -> None:
        if self._verdicts is None and any(path.is_dir() for path in self._verdict_folders):
            from surveil.app.shared_verdicts import SharedVerdicts  # noqa: PLC0415 - loads what trains, for data sets alone

            self._verdicts = SharedVerdicts(self._folder, self._store)
        if self._verdicts is not None:
            self._verdicts.run_once()

    def _look_up(self) -> None:
        self.roster = read_roster(self._store)

    def _run(self) -> None:
        while not SystemClock().sleep(_PERIOD_S, self._ending):
            self.try_once()
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

    def _leave(self, camera: str) -> None:
        """Store what has changed here until another node may watch it; where that fails, the next round tries again."""
        self._put(camera, self._settled(camera, self._agreed[camera]))
        del self._agreed[camera]

    def _carry(self, camera: str, epoch: int) -> None:
        agreed = self._agreed.get(camera)
        if agreed is None or agreed.epoch != epoch:
            self._agreed.pop(camera, None)
            self._agreed[camera] = agreed = self._follow(camera, epoch)
            self._settles[camera] = self._now() + _SETTLE_S
        if self._now() >= self._settles[camera] or self._ending:
            self._agreed[camera] = agreed = self._settled(camera, agreed)
        if agreed.begun is None:
            self._agreed[camera] = self._put(camera, agreed)

    def _settled(self, camera: str, agreed: Agreed) -> Agreed:
        """Read the store once more after a lease has begun: what the node before put late is not covered by ours."""
        if agreed.begun is None:
            return agreed
        agreed = replace(self._take(camera, agreed, agreed.epoch), begun=None)
        self._files.note(camera, agreed)
        return agreed

    def _follow(self, camera: str, epoch: int) -> Agreed:
        """Read the store for a lease that has begun, or after a start."""
        agreed = self._files.read(camera)
        if agreed.began != epoch:
            agreed = self._begin(camera, agreed, epoch)
        return self._take(camera, agreed, epoch)

    def _begin(self, camera: str, agreed: Agreed, epoch: int) -> Agreed:
        """Note what is here when a lease begins: the store may be away for long."""
        agreed = replace(agreed, began=epoch, begun=self._growing(camera))
        self._files.note(camera, agreed)
        return agreed

    def _growing(self, camera: str) -> dict[str, str]:
        return {
            name: content for kind in self._kinds.values() for name, content in kind.growing(camera).items()
        }

    def _put(self, camera: str, agreed: Agreed) -> Agreed:
        """Store what has changed here; return what is the same here and there."""
        here = self._here(camera)
        # What a node of another version carries beside stays there.
        others = {name: digest for name, digest in agreed.parts.items() if _kind(name) not in self._kinds}
        if {**others, **here} == agreed.parts:
            return agreed
        shelf = self._shelf(camera)
        stored = shelf.stored()
        new = {
            name: self._kinds[_kind(name)].content(camera, name)
            for name, digest in here.items()
            if digest not in stored
        }
        entry = shelf.put(agreed.epoch, new, {**others, **here})
        put = replace(agreed, parts=entry.parts, listed=entry.epoch)
        self._files.note(camera, put)
        return put

    def _take(self, camera: str, agreed: Agreed, epoch: int) -> Agreed:
        """Use what was changed in the store; return what is the same here and there."""
        shelf = self._shelf(camera)
        entry = shelf.newest_whole()
        theirs = dict(entry.parts) if entry else {}
        listed = entry.epoch if entry else 0
        # It is from here, as nobody else has had this lease, or the store has lost a newer list.
        if listed == epoch or listed < agreed.listed:
            agreed = replace(agreed, parts=theirs)
        taken, lost = self._use(camera, agreed, theirs, shelf)
        if agreed.begun is not None:
            # What is taken now is not added to what is taken later.
            grown = {n: shelf.get(taken[n]).decode("ascii") for n in self._growing(camera) if n in taken}
            agreed = replace(agreed, begun={**agreed.begun, **grown})
        parts = {name: digest for name, digest in theirs.items() if name not in lost}
        agreed = replace(agreed, epoch=epoch, parts=parts, listed=listed)
        self._files.note(camera, agreed)
        return agreed

    def _use(
        self, camera: str, agreed: Agreed, theirs: Mapping[str, str], shelf: Shelf
    ) -> tuple[Mapping[str, str], Collection[str]]:
        """Take what was changed in the store; return it, and the lost parts: what is here takes their place."""
        own, taken, lost = self._here(camera), dict[str, str](), set[str]()
        try:
            for name, digest in theirs.items():
                kind = self._kinds.get(_kind(name))
                if kind and not agreed.keeps(name, own.get(name), digest):
                    if _took(kind, camera, name, partial(shelf.get, digest), agreed):
                        taken[name] = digest
                    else:
                        lost.add(name)
        finally:
            # Also when the rest fails: what was counted here is not added twice.
            if taken:
                self._files.note(camera, replace(agreed, parts={**agreed.parts, **taken}))
        for kind_name, count in Counter(map(_kind, taken)).items():
            log.info("what the camera has learned taken over", camera=camera, kind=kind_name, parts=count)
        return taken, lost

    def _shelf(self, camera: str) -> Shelf:
        return Shelf(self._store, f"learned/{camera}")

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


def _took(kind: Carried, camera: str, part: str, get: Callable[[], bytes], agreed: Agreed) -> bool:
    """Use a part of the store; return whether it is whole there."""
    try:
        kind.take(camera, part, get(), agreed.begun)
    except LostError as error:
        log.warning("part of what the camera has learned is lost", camera=camera, part=part, why=str(error))
        return False
    return True


def _kind(part: str) -> str:
    return part.split("/", 1)[0]
