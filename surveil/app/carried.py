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
from surveil.fleet.shelf import digest_of


class Carried(Protocol):
    """One kind. One thread's; every method raises StateError."""

    name: str
    """Its parts are called so, or begin so with a stroke behind."""

    def digests(self, camera: str) -> Mapping[str, str]:
        """Return the SHA-256 of each part that is here, by name."""

    def content(self, camera: str, part: str, /) -> bytes:
        """Return a part that is here."""

    def take(self, camera: str, parts: Mapping[str, bytes]) -> None:
        """Use these parts from now on."""


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

    def take(self, camera: str, parts: Mapping[str, bytes]) -> None:
        """Deploy it."""
        NormalityStore(self._folder, camera).publish(parts[self.name], reuse=True)


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

    def take(self, camera: str, parts: Mapping[str, bytes]) -> None:
        """Switch as they say."""
        theirs = parse(parts[self.name].decode())

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

    def take(self, camera: str, parts: Mapping[str, bytes]) -> None:
        """Put these days in the place of those that are here."""
        self._days.take(camera, {self._day(part): content for part, content in parts.items()})

    def _day(self, part: str) -> int:
        try:
            return int(part.removeprefix(f"{self.name}/"))
        except ValueError as error:
            raise StateError(f"{part!r} is no day of counts") from error
