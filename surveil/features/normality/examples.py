"""Pictures of the most that was still usual, by attribute and part of the picture: shown beside an alert."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.types import Bytes

ROWS, COLUMNS = 3, 4
WIDTH = 160
QUALITY = 60
Key = tuple[str, int, int]


class Examples:
    """At most one small JPEG per attribute and part of the picture: 48 of some 3 kB. Owned by one learner."""

    def __init__(self, kept: dict[Key, tuple[float, bytes]] | None = None) -> None:
        self.kept: dict[Key, tuple[float, bytes]] = dict(kept or {})

    def offer(self, attribute: str, place: tuple[float, float], value: float, plane: Bytes) -> None:
        """Keep `plane` when `value` is the highest so far at `place` (shares of height and width)."""
        key = _key(attribute, place)
        if value > self.kept.get(key, (0.0, b""))[0] * 1.05:
            self.kept[key] = (value, _jpeg(plane))

    def nearest(self, attribute: str, place: tuple[float, float]) -> bytes | None:
        """Return the JPEG of the nearest part of the picture that has one for `attribute`."""
        _, row, column = _key(attribute, place)
        found = [((r - row) ** 2 + (c - column) ** 2, r, c) for name, r, c in self.kept if name == attribute]
        if not found:
            return None
        _, r, c = min(found)
        return self.kept[attribute, r, c][1]


def _key(attribute: str, place: tuple[float, float]) -> Key:
    return attribute, min(ROWS - 1, int(place[0] * ROWS)), min(COLUMNS - 1, int(place[1] * COLUMNS))


def _jpeg(plane: Bytes) -> bytes:
    height = max(1, round(plane.shape[0] * WIDTH / plane.shape[1]))
    small = cv2.resize(plane, (WIDTH, height), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(data).tobytes()
