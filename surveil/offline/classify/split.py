"""Splits a data set into training, validation and test so that the test is meaningful.

What belongs together stays together: near-duplicates, pictures of one group (crops of one photo), and
pictures that one camera took within `GAP_S` of each other. Pictures with a time are cut by time, the
earliest to learn from and the last to test on; those without are cut by their fingerprint. Cameras can
be held out for the test altogether.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from surveil.errors import ConfigError
from surveil.offline.classify.dataset import Item
from surveil.offline.classify.duplicates import groups

GAP_S = 60.0
TRAIN, VALIDATION, TEST = 0, 1, 2
_SHARES = (0.6, 0.2, 0.2)
FEWEST_UNITS = 3
"""Of a class: one on each side."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Split:
    """Which side each picture is on: int64 (n,) of TRAIN, VALIDATION, TEST, and the unit it belongs to."""

    side: NDArray[np.int64]
    unit: NDArray[np.int64]

    def of(self, side: int) -> NDArray[np.int64]:
        """Return the indices of the pictures on a side."""
        return np.flatnonzero(self.side == side)


def split(
    items: Sequence[Item],
    duplicates: list[tuple[int, int]],
    seed: int = 0,
    test_cameras: frozenset[str] = frozenset(),
) -> Split:
    """Divide. Raises ConfigError for one class only, and when a class cannot be on all three sides."""
    labels = sorted({item.label for item in items})
    if len(labels) < 2:
        raise ConfigError(
            [f"all {len(items)} pictures are of class {labels[0]!r}: at least two classes are needed"]
        )
    unit = units(items, duplicates)
    side = np.full(len(items), -1, np.int64)
    members: dict[int, list[int]] = defaultdict(list)
    for i, u in enumerate(unit):
        members[int(u)].append(i)
    queues: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for indices in members.values():
        if any(items[i].camera in test_cameras for i in indices):
            side[indices] = TEST
        else:
            queues[_kind(items, indices)].append(indices)
    for queue in queues.values():
        _cut(sorted(queue, key=lambda indices: _order(items, indices, seed)), side)
    _check(items, labels, Split(side, unit), test_cameras)
    return Split(side, unit)


def units(items: Sequence[Item], duplicates: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the unit of each picture, int64 (n,): pictures of one unit are never on two sides."""
    return groups(len(items), [*duplicates, *_together(items)])


def _together(items: Sequence[Item]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    by_group: dict[str, list[int]] = defaultdict(list)
    by_camera: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(items):
        if item.group:
            by_group[item.group].append(i)
        if item.t_wall is not None:
            by_camera[item.camera].append(i)
    for indices in by_group.values():
        pairs += pairwise(indices)
    for indices in by_camera.values():
        ordered = sorted(indices, key=lambda i: items[i].t_wall or 0.0)
        pairs += [
            (a, b) for a, b in pairwise(ordered) if (items[b].t_wall or 0) - (items[a].t_wall or 0) < GAP_S
        ]
    return pairs


def _kind(items: Sequence[Item], indices: list[int]) -> tuple[str, str]:
    """The unit's commonest class, so that every class is cut in the same shares, and its camera if timed."""
    label = min(Counter(items[i].label for i in indices).items(), key=lambda c: (-c[1], c[0]))[0]
    timed = items[indices[0]].t_wall is not None
    return label, items[indices[0]].camera if timed else ""


def _order(items: Sequence[Item], indices: list[int], seed: int) -> tuple[float, str]:
    times = [t for i in indices if (t := items[i].t_wall) is not None]
    digest = hashlib.sha256(f"{seed} {min(items[i].sha256 for i in indices)}".encode()).hexdigest()
    return (min(times) if times else 0.0, digest)


def _cut(queue: list[list[int]], side: NDArray[np.int64]) -> None:
    """Deal units, in order, by the share of pictures before them; three units or more reach all sides."""
    total = sum(len(indices) for indices in queue)
    where: list[int] = []
    before = 0.0
    for indices in queue:
        middle = (before + len(indices) / 2) / total
        where.append(TRAIN if middle < _SHARES[0] else VALIDATION if middle < sum(_SHARES[:2]) else TEST)
        before += len(indices)
    if len(queue) >= FEWEST_UNITS:
        where[0], where[-1] = TRAIN, TEST
        if VALIDATION not in where:
            where[-2] = VALIDATION
    for indices, one in zip(queue, where, strict=True):
        side[indices] = one


def _check(items: Sequence[Item], labels: list[str], found: Split, test_cameras: frozenset[str]) -> None:
    names = {TRAIN: "train on", VALIDATION: "validate on", TEST: "test on"}
    wrong = []
    for label in labels:
        mine = np.array([item.label == label for item in items])
        lacking = [words for where, words in names.items() if not (mine & (found.side == where)).any()]
        if lacking:
            wrong.append(
                f"class {label!r}: {int(mine.sum())} pictures from too few places and moments leave none to "
                f"{' or to '.join(lacking)}; {_remedy(items, np.flatnonzero(mine), found, test_cameras)}"
            )
    if wrong:
        raise ConfigError(wrong)


def _remedy(
    items: Sequence[Item], mine: NDArray[np.int64], found: Split, test_cameras: frozenset[str]
) -> str:
    """Say in which groups a class's pictures are, and what to collect."""
    members: dict[int, list[int]] = defaultdict(list)
    for i in mine.tolist():
        members[int(found.unit[i])].append(i)
    largest = sorted(members.values(), key=lambda indices: -len(indices))
    shown = [f"{_name(items, indices)} ({len(indices)})" for indices in largest[:_SHOWN]]
    more = [f"{len(largest) - _SHOWN} more"] if len(largest) > _SHOWN else []
    held = sum(any(items[i].camera in test_cameras for i in indices) for indices in largest)
    groups_ = f"{len(largest)} group{'s' * (len(largest) != 1)}"
    only = f", {held} of them of cameras that only the test has" if held else ""
    needed = max(1, FEWEST_UNITS - (len(largest) - held))
    return (
        f"they form {groups_}{only}: {', '.join([*shown, *more])}. Collect at least {needed} more groups of the "
        f"class: another video, another place, or a minute later (`surveil dataset collect` with times, see --start)"
    )


def _name(items: Sequence[Item], indices: list[int]) -> str:
    """Name what holds a unit together: its group, its camera and time, or the first of its pictures."""
    first = min((items[i] for i in indices), key=lambda item: item.t_wall or 0.0)
    if first.group:
        return repr(first.group)
    if first.t_wall is not None:
        moment = datetime.fromtimestamp(first.t_wall, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"{first.camera or 'unknown camera'} at {moment}"
    return first.path if len(indices) == 1 else f"{first.path} and near-duplicates"
