"""Counts that move with a camera between machines: one part for each day of UTC.

A machine that takes a camera over continues its counts, so its day includes what was counted before it. A day that is
taken replaces that of this machine, but for what was counted here since its lease began.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from surveil.errors import StateError
from surveil.features.counting.store import DATABASE, CountStore, DayOfCounts
from surveil.filesystem import read_json
from surveil.fleet.shelf import LostError

_UNSETTLED = 2
"""How many of the newest days may still change: days of maps begin at local midnight."""
_FILES = (DATABASE, f"{DATABASE}-wal")


class CountedDays:
    """The days in one state directory, numbered from 1970-01-01. One thread's; every method raises StateError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[list[int], dict[int, str]]] = {}
        """By camera: when the files had changed as its days were read, and what was found."""

    def digests(self, camera: str) -> Mapping[int, str]:
        """Return the SHA-256 of each day of a camera. Years are read once, and then what may have changed."""
        changed = [_changed_at(self._folder / name) for name in _FILES]
        before, known = self._read.get(camera, ([0, 0], {}))
        if changed == before:
            return known
        with closing(CountStore(self._folder / DATABASE, reading=True)) as store:
            days = store.days(camera)
            settled = {day: known[day] for day in days[:-_UNSETTLED] if day in known}
            others = {day: _digest(store, camera, day) for day in days if day not in settled}
        self._read[camera] = changed, settled | others
        return settled | others

    def content(self, camera: str, day: int) -> bytes:
        """Return one day of a camera."""
        with closing(CountStore(self._folder / DATABASE, reading=True)) as store:
            return _encoded(store.day(camera, day))

    def newest(self, camera: str) -> Mapping[int, str]:
        """Return the days of a camera to which may be added, as JSON."""
        days = sorted(self.digests(camera))[-_UNSETTLED:]
        return {day: self.content(camera, day).decode("ascii") for day in days}

    def take(self, camera: str, day: int, content: bytes, before: Mapping[int, str] | None) -> None:
        """Put a day in the place of the one that is here.

        What was counted here since `before`, as `newest` returned it, is added; None: nothing is.
        """
        theirs = _decoded(content)
        self._read.pop(camera, None)
        with closing(CountStore(self._folder / DATABASE)) as store:
            added = _since(store.day(camera, day), day, before)
            store.replace_day(camera, day, DayOfCounts(theirs.hours + added.hours, theirs.maps + added.maps))


def _since(own: DayOfCounts, day: int, before: Mapping[int, str] | None) -> DayOfCounts:
    """Return what was counted on a day after `before`."""
    if before is None:
        return DayOfCounts((), ())
    if day in before:
        return own.minus(_decoded(before[day].encode()))
    return own if day > max(before, default=-1) else DayOfCounts((), ())


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from error


def _digest(store: CountStore, camera: str, day: int) -> str:
    return sha256(_encoded(store.day(camera, day))).hexdigest()


def _encoded(day: DayOfCounts) -> bytes:
    maps = [(start, base64.b64encode(cells).decode("ascii")) for start, cells in day.maps]
    return json.dumps({"hours": day.hours, "maps": maps}, separators=(",", ":")).encode()


def _decoded(content: bytes) -> DayOfCounts:
    try:
        plain = read_json(content)
        hours = tuple(
            (int(hour), str(kind), str(place), str(way), str(label), int(n), float(seconds), float(peak))
            for hour, kind, place, way, label, n, seconds, peak in plain["hours"]
        )
        maps = tuple((int(start), base64.b64decode(cells, validate=True)) for start, cells in plain["maps"])
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise LostError(f"a day of counts cannot be read: {error}") from error
    return DayOfCounts(hours, maps)
