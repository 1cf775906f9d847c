"""Labelled events of vtest (PETS 2009 S2.L1, view 1), made of the boxes around its people.

The boxes are those of MOTChallenge (CC BY-NC-SA 3.0) and no part of this project: every tenth frame,
`frame,id,x,y,width,height,…`. In between, places are linear: give or take half a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from surveil.geometry import inside
from surveil.types import Floats

FPS = 10.0
_SIZE = np.array([768.0, 576.0])
_GAP_S = 2.0
"""Somebody who is away for so long has gone."""
_BRIEF_S, _GIVE_S = 2.5, 0.4
"""Who is in a zone for hardly longer than its rule waits may be told of or not, some time before or after."""
_SETTLED_PX = 1.0
_STAY_S, _CROWD = 10.0, 5
_END_S = 79.5
_Event = dict[str, Any]
_Points = Sequence[Sequence[float]]


def labelled(description: Path, boxes: Path) -> dict[str, Any]:
    """Return the suite that `description` (YAML) begins, with the events of its one film."""
    found: dict[str, Any] = yaml.safe_load(description.read_text(encoding="utf-8"))
    camera = found["camera"]
    found["films"][0]["events"] = list(_events(Ways(boxes), camera["zones"], camera["lines"]))
    return found


def _events(ways: Ways, zones: Mapping[str, _Points], lines: Mapping[str, _Points]) -> Iterator[_Event]:
    yield {"rule": "presence", "start": 0.0, "end": _END_S}
    for name, zone in zones.items():
        yield from (_in_zone(name, start, end) for start, end in ways.there(zone))
    for start, end in ways.stays(zones["corner"], _STAY_S):
        yield {"rule": "loitering", "start": start, "end": end}
    for start, end in ways.crowds(_CROWD):
        yield {"rule": "crowding", "start": start, "end": end}
    for name, line in lines.items():
        for start, direction in ways.crossings(line[0][0]):
            # He is told of when he has settled on the other side.
            yield {"rule": name, "start": start, "direction": direction, "within_s": 4}


def _in_zone(name: str, start: float, end: float) -> _Event:
    if end - start >= _BRIEF_S:
        return {"rule": name, "start": start, "end": end}
    return {"rule": name, "start": start - _GIVE_S, "end": end + _GIVE_S, "unclear": True}


class Ways:
    """Where everybody is, every tenth of a second: time (s), and foot and middle in fractions of the frame."""

    def __init__(self, boxes: Path) -> None:
        rows = np.loadtxt(boxes, delimiter=",")
        self.people = [_way(rows[rows[:, 1] == one]) for one in np.unique(rows[:, 1])]

    def there(self, zone: _Points) -> list[tuple[float, float]]:
        """Return when somebody is in a zone: start and end, s."""
        times = {t for way in self.people for t, *foot in way[:, :3] if inside((foot[0], foot[1]), zone)}
        return _spans(sorted(times))

    def stays(self, zone: _Points, for_s: float) -> list[tuple[float, float]]:
        """Return when one and the same is in a zone for so long."""
        spans = [
            s
            for way in self.people
            for s in _spans([t for t, *foot in way[:, :3] if inside((foot[0], foot[1]), zone)])
        ]
        return [(start, end) for start, end in spans if end - start >= for_s]

    def crowds(self, count: int) -> list[tuple[float, float]]:
        """Return when so many are there at once."""
        times, numbers = np.unique(np.concatenate([way[:, 0] for way in self.people]), return_counts=True)
        return _spans(list(times[numbers >= count]))

    def crossings(self, x: float) -> Iterator[tuple[float, str]]:
        """Yield when somebody's middle crosses a vertical line, and the direction."""
        for way in self.people:
            sides = np.sign(way[:, 3] - x) * (np.abs(way[:, 3] - x) * _SIZE[0] >= _SETTLED_PX)
            times, sides = way[sides != 0, 0], sides[sides != 0]
            for i in np.flatnonzero(np.diff(sides)):
                yield float(times[i + 1]), "right" if sides[i + 1] > 0 else "left"


def _way(rows: Floats) -> Floats:
    frames = np.arange(rows[0, 0], rows[-1, 0] + 1)
    middle = np.interp(frames, rows[:, 0], rows[:, 2] + rows[:, 4] / 2) / _SIZE[0]
    foot = np.interp(frames, rows[:, 0], rows[:, 3] + rows[:, 5]) / _SIZE[1]
    return np.stack([(frames - 1) / FPS, middle, foot, middle], axis=1)


def _spans(times: Sequence[float]) -> list[tuple[float, float]]:
    if not times:
        return []
    cuts = np.flatnonzero(np.diff(times) > _GAP_S) + 1
    return [(float(part[0]), float(part[-1])) for part in np.split(np.array(times), cuts)]
