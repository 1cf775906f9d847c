"""Versioned stores of models: files that never change, and pointers to the versions in use.

    FOLDER/0001.npz 0002.npz …   current, shadow (each a line with a file name)

A pointer is replaced atomically: a running daemon reads the old one or the new one, and needs no restart.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from surveil.damage import Damaged, found
from surveil.errors import DamagedModel, ModelError, StateError, SurveilError
from surveil.filesystem import make_folders, write_atomically

User = TypeVar("User")
Version = TypeVar("Version")
KEEP = 5
"""Versions kept; those that are pointed to and the one before are never removed."""
PERIOD_S = 5.0
"""How often a running daemon looks for new versions."""


class VersionRole(StrEnum):
    """What a version is used for: the name of its pointer."""

    CURRENT = "current"
    SHADOW = "shadow"
    """It runs beside the current one and is only counted."""


class DamagedPointerError(StateError):
    """A pointer does not say which version is in use."""


class VersionedStore:
    """The versions of one model. Raises StateError when the folder or a pointer cannot be used.

    Args:
        folder: where they are; it is created with the first version.
        suffix: of the files, with the dot.
        check: raises ModelError for a file that cannot be used.
        what: what it is a model of, for errors.
        remedy: what brings a pointer that cannot be read in order, for errors.
    """

    def __init__(
        self, folder: Path, suffix: str, check: Callable[[Path], object], what: str, remedy: str
    ) -> None:
        self.folder = folder
        self._suffix = suffix
        self._name = re.compile(rf"\d{{4,}}{re.escape(suffix)}")
        self._check = check
        self._what = what
        self._remedy = remedy

    def versions(self) -> list[str]:
        """Return the file names, oldest first."""
        try:
            names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be read: {error.strerror}") from None
        return sorted(filter(self._name.fullmatch, names), key=self._number)

    def current(self, role: VersionRole = VersionRole.CURRENT) -> str | None:
        """Return the file name in use, or of another role; None when there is none."""
        pointer = self.folder / role
        try:
            name = pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise DamagedPointerError(f"{pointer}: cannot be read: {error}; {self._remedy}") from None
        except OSError as error:
            raise StateError(f"{pointer}: cannot be read: {error}; {self._remedy}") from None
        if not self._name.fullmatch(name):
            raise DamagedPointerError(f"{pointer}: does not name a version; {self._remedy}")
        return name

    def path(self, role: VersionRole = VersionRole.CURRENT) -> Path | None:
        """Return the file in use, or of another role; None when there is none."""
        name = self.current(role)
        return None if name is None else self.folder / name

    def damage(self, role: VersionRole = VersionRole.CURRENT) -> str:
        """Return why the version in use cannot be read; empty when it can, or there is none."""
        try:
            path = self.path(role)
            if path is not None:
                self._check(path)
        except (ModelError, StateError) as error:
            return str(error)
        return ""

    def publish(self, content: bytes, role: VersionRole = VersionRole.CURRENT, *, reuse: bool = False) -> str:
        """Store a new version and point to it; return its file name. Pointers that cannot be read are replaced.

        `reuse`: content that is stored already is not stored again, unless as a version before the one in use: a
        rollback then leads to what was in use before.
        """
        try:
            make_folders(self.folder)
            with self._alone():
                return self._publish(content, role, reuse=reuse)
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def _publish(self, content: bytes, role: VersionRole, *, reuse: bool) -> str:
        before = self._readable(VersionRole.CURRENT)
        name = self._point_to(content, role, self._known(content, role) if reuse else "")
        for other in VersionRole:
            if other is not VersionRole.CURRENT and not self._is_of_use(other):
                (self.folder / other).unlink(missing_ok=True)
        self._prune(before)
        return name

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes from numbering a version meanwhile: a daemon fits while somebody deploys."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Where a network's file system has no such locks, it goes without.
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def rollback(self) -> str:
        """Point to the last version before the one in use that can be read; return its file name.

        When the pointer cannot be read, that is the newest one.
        """
        try:
            current = self.current()
            older = [v for v in self.versions() if current and self._number(v) < self._number(current)]
        except StateError:
            current, older = "any", self.versions()
        why = ""
        for name in reversed(older):
            try:
                self._check(self.folder / name)
            except ModelError as error:
                why = f" ({error})"
                continue
            try:
                self._point(VersionRole.CURRENT, name)
            except OSError as error:
                raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None
            return name
        raise StateError(f"{self._what}: there is no version before {current or 'any'} to roll back to{why}")

    def recover(self, role: VersionRole = VersionRole.CURRENT) -> str:
        """Set aside the version of a role, which is damaged, and use the newest before it that can be read.

        Returns what was done, in words. A shadow has none before it.
        """
        damaged = self._readable(role)
        try:
            if damaged is not None and (self.folder / damaged).exists():
                (self.folder / damaged).rename(self.folder / f"{damaged}.damaged")
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None
        which = f"{self.folder / (damaged or role)} is damaged"
        if role is VersionRole.CURRENT:
            with suppress(StateError):
                return f"{which}, version {self.rollback()} is used"
        self.unpoint(role)
        return f"{which}, none is used"

    def unpoint(self, role: VersionRole) -> bool:
        """Remove a pointer; return whether it was there."""
        try:
            (self.folder / role).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StateError(f"{self.folder}: cannot be written: {error.strerror}") from None
        return True

    def _readable(self, role: VersionRole) -> str | None:
        with suppress(StateError):
            return self.current(role)
        return None

    def _is_of_use(self, role: VersionRole) -> bool:
        """Whether a role beside the current one points to another version."""
        return self._readable(role) not in (None, self._readable(VersionRole.CURRENT))

    def _known(self, content: bytes, role: VersionRole) -> str:
        """Return the version that has the content and may be used again; empty: none."""
        current = self._readable(VersionRole.CURRENT)
        first = self._number(current) if current and role is VersionRole.CURRENT else 0
        recent = (v for v in reversed(self.versions()) if self._number(v) >= first)
        return next((v for v in recent if (self.folder / v).read_bytes() == content), "")

    def _point_to(self, content: bytes, role: VersionRole, known: str) -> str:
        name = known or self._store(content)
        try:
            self._point(role, name)
        except OSError:
            if not known:
                (self.folder / name).unlink(missing_ok=True)
            raise
        return name

    def _store(self, content: bytes) -> str:
        versions = self.versions()
        name = f"{(self._number(versions[-1]) if versions else 0) + 1:04d}{self._suffix}"
        write_atomically(self.folder / name, content)
        return name

    def _point(self, role: VersionRole, name: str) -> None:
        write_atomically(self.folder / role, f"{name}\n".encode("ascii"))

    def _prune(self, before: str | None) -> None:
        needed = {before, *(self._readable(role) for role in VersionRole)}
        for name in self.versions()[:-KEEP]:
            if name not in needed:
                (self.folder / name).unlink(missing_ok=True)

    def _number(self, name: str) -> int:
        return int(name.removesuffix(self._suffix))


@contextmanager
def recovering(
    store: VersionedStore, kind: Damaged, role: VersionRole = VersionRole.CURRENT
) -> Iterator[None]:
    """Put another version into use where the block meets a damaged one; the next look picks it up.

    Raises what the block raises.
    """
    try:
        yield
    except (DamagedModel, DamagedPointerError) as error:
        found.report(kind, f"{store.recover(role)} ({error})")
        raise


class Keeper(Protocol):
    """Looks after models of one kind."""

    def run_once(self) -> None:
        """Do what is due. Failures are reported, not raised."""


class ModelReloader(Generic[User, Version]):
    """Hands what is deployed to those who use it, once for each user and version. One thread's.

    What is in use is known by who uses it: a user that replaced another under the same name has nothing yet.

    Args:
        deployed: returns what is deployed under a name.
        hand_over: gives it to a user and returns what there is to report; it also gets what was in use before.
        report: called with a name and what happened, once per transition.
    """

    def __init__(
        self,
        deployed: Callable[[str], Version],
        hand_over: Callable[[str, User, Version, Version | None], str],
        report: Callable[[str, str], None],
    ) -> None:
        self._deployed = deployed
        self._hand_over = hand_over
        self._report = report
        self._in_use: dict[str, tuple[User, Version]] = {}
        self._failed: dict[str, str] = {}

    def look(self, name: str, user: User) -> None:
        """Hand over what is deployed unless the user has it. Raises what `deployed` and `hand_over` raise."""
        found, before = self._deployed(name), self._in_use.get(name)
        if before != (user, found):
            self.note(name, user, found, self._hand_over(name, user, found, before[1] if before else None))

    def note(self, name: str, user: User, version: Version, what: str = "") -> None:
        """Note that a user has a version, and report it."""
        self._in_use[name] = user, version
        if what:
            self._report(name, what)

    def in_use(self, name: str) -> tuple[User, Version] | None:
        """Return who has which version."""
        return self._in_use.get(name)

    def forget_others(self, names: Collection[str]) -> list[str]:
        """Forget all names but these; return those that were known."""
        gone = [name for name in {**self._in_use, **self._failed} if name not in names]
        for name in gone:
            self._in_use.pop(name, None)
            self._failed.pop(name, None)
        return gone

    @contextmanager
    def reporting(self, name: str, text: str) -> Iterator[None]:
        """Report any exception of the block after `text`, once until all is well again.

        One model that cannot be used, for an unexpected reason, must not end the work with the others.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            what = str(error) if isinstance(error, SurveilError) else f"{type(error).__name__}: {error}"
            if self._failed.get(name) != what:
                self._report(name, f"{text}: {what}")
            self._failed[name] = what
        else:
            self._failed.pop(name, None)
