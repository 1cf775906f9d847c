"""Still pictures with hidden areas blanked, for cameras and browsers that cannot use video.

They are taken from the frames that are analysed, where the right to touch a picture is, and only while somebody
looks; everything else about them happens on a thread of the web server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from surveil.types import Bytes, Finding
from surveil.view import FrameView

_LONGEST_PX = 1280
"""The longer side of a picture at most."""
_QUALITY = 80
MOST_FPS = 5.0
_EARLY = 0.1
"""Share of the interval by which a picture may come early."""

Hide = Callable[[Bytes], Bytes]
"""Takes a uint8 BGR picture, and returns it without what must not be seen."""


class Sight(NamedTuple):
    """What was seen in one frame."""

    rgb: Bytes
    arrived: float
    """Monotonic s."""
    moved: bool
    """The picture shows something else than usual: areas are not where they were."""


class Look:
    """The analyser that takes pictures. `wanted` is set by the event loop; the rest belongs to the slot's holder."""

    wants_all = False
    """Who watches an idle camera gets the pictures that are looked at."""

    def __init__(self, show: Callable[[Sight], None]) -> None:
        self.wanted = False
        self._show = show
        self._due = float("-inf")

    def observe(self, view: FrameView) -> Finding | None:
        """Take a picture where one is wanted and due."""
        frame = view.frame
        if not self.wanted or frame.arrived < self._due:
            return None
        self._due = frame.arrived + (1 - _EARLY) / MOST_FPS
        picture = frame.picture
        scale = min(1.0, _LONGEST_PX / max(picture.width, picture.height))
        size = (max(2, round(picture.width * scale)), max(2, round(picture.height * scale)))
        rgb = picture.rgb((0, 0, picture.width, picture.height), *size)
        self._show(Sight(rgb, frame.arrived, bool(view.misfit)))
        return None

    def lost(self) -> None:
        """Nothing is remembered of the stream."""


def jpeg_of(sight: Sight, hide: Hide | None, hide_moved: Hide | None) -> bytes | None:
    """Return a JPEG of what may be seen; None where OpenCV cannot make one."""
    bgr = np.asarray(cv2.cvtColor(sight.rgb, cv2.COLOR_RGB2BGR), np.uint8)
    if (chosen := hide_moved if sight.moved else hide) is not None:
        bgr = chosen(bgr)
    try:
        made, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    except cv2.error:
        return None
    return data.tobytes() if made else None
