"""The kinds of learned state that move with a camera, each as a node reads it and takes it over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from surveil.alerts.arming import ArmingChannel, Switches, parse
from surveil.clock import SystemClock
from surveil.errors import StateError
from surveil.features.counting.carry import CountedDays
from surveil.features.normality.store import NormalityStore
from surveil.fleet.shelf import LostError, digest_of

Begun = Mapping[str, str] | None
"""What `growing` returned when the lease began; None: nothing is to be added to what is taken."""


class Carried(Protocol):
    """One kind. One thread's; every method raises StateError."""

    name: str
    """Its parts are called so, or begin so with a stroke behind."""

    def digests(self, camera: str) -> Mapping[str, str]:
        """Return the SHA-256 of each part that is here, by name."""

    def content(self, camera: str, part: str, /) -> bytes:
        """Return a part that is here."""

    def growing(self, camera: str) -> Mapping[str, str]:
        """Return the parts to which this node will add, as they are now, by name."""

    def take(self, camera: str, part: str, content: bytes, begun: Begun, /) -> None:
        """Use a part from now on. Raises LostError when it makes no sense."""


class CarriedModel:
    """The model of learned normality that is in use."""

    name = "normality"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def digests(self, camera: str) -> Mapping[str, str]:
        """Return one part, or none where nothing was learned."""
        content = self.content(camera, self.name)
        return {self.name: digest_of(content)} if content else {}

    def content(self, camera: str, part: str, /) -> bytes:
        """Return the file in use; empty where there is none."""
        path = NormalityStore(self._folder, camera).path()
        try:
            return b"" if path is None else path.read_bytes()
        except OSError as error:
            raise StateError(f"{path}: {part} cannot be read: {error.strerror}") from error

    def growing(self, _camera: str) -> Mapping[str, str]:
        """Return nothing: a model is replaced as a whole."""
        return {}

    def take(self, camera: str, _part: str, content: bytes, _begun: Begun, /) -> None:
        """Deploy it."""
        NormalityStore(self._folder, camera).publish(content, reuse=True)


class CarriedArming:
    """Which rules of the camera are switched off."""

    name = "arming"

    def __init__(self, folder: Path) -> None:
        self._database = folder / "surveil.db"

    def digests(self, camera: str) -> Mapping[str, str]:
        """Return one part."""
        return {self.name: digest_of(self.content(camera, self.name))}

    def content(self, camera: str, _part: str, /) -> bytes:
        """Return the switches."""
        board = ArmingChannel(self._database)
        try:
            switches = board.read()
        finally:
            board.close()
        return json.dumps(
            sorted((*key, one.since, one.until) for key, one in switches.items() if key[0] == camera)
        ).encode()

    def growing(self, _camera: str) -> Mapping[str, str]:
        """Return nothing: switches are replaced as a whole."""
        return {}

    def take(self, camera: str, _part: str, content: bytes, _begun: Begun, /) -> None:
        """Switch as they say."""
        try:
            theirs = parse(content.decode())
        except ValueError as error:
            raise LostError(f"the arming in the store cannot be read: {error}") from error

        def change(switches: Switches) -> Switches:
            return {**{key: one for key, one in switches.items() if key[0] != camera}, **theirs}

        board = ArmingChannel(self._database)
        try:
            board.change(change, SystemClock().wall())
        finally:
            board.close()


class CarriedCounts:
    """What was counted at the camera: a part for each day."""

    name = "counts"

    def __init__(self, folder: Path) -> None:
        self._days = CountedDays(folder)

    def digests(self, camera: str) -> Mapping[str, str]:
        """Return a part for each day."""
        return {f"{self.name}/{day}": digest for day, digest in self._days.digests(camera).items()}

    def content(self, camera: str, part: str, /) -> bytes:
        """Return a day."""
        return self._days.content(camera, self._day(part))

    def growing(self, camera: str) -> Mapping[str, str]:
        """Return the newest days."""
        return {f"{self.name}/{day}": content for day, content in self._days.newest(camera).items()}

    def take(self, camera: str, part: str, content: bytes, begun: Begun, /) -> None:
        """Put a day in the place of the one that is here, and add what was counted here since the lease began."""
        self._days.take(camera, self._day(part), content, None if begun is None else self._counts(begun))

    def _counts(self, parts: Mapping[str, str]) -> Mapping[int, str]:
        """Return the days among the parts."""
        return {self._day(name): text for name, text in parts.items() if name.startswith(f"{self.name}/")}

    def _day(self, part: str) -> int:
        try:
            return int(part.removeprefix(f"{self.name}/"))
        except ValueError as error:
            raise LostError(f"{part!r} is no day of counts") from error
