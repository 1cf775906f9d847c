"""What a camera showed while all was well, kept for the day on which it does not."""

from __future__ import annotations

import cv2

from surveil.types import Frame, ReferencePicture

EVERY_S = 60.0
"""A picture costs some 5 ms."""
SURE_S = 4.0
"""A picture counts when the camera was still well this much later: a fault is not seen at once."""
WIDEST = 960
QUALITY = 85


class LastGood:
    """The last picture of a healthy camera, some tens of kilobytes. Owned by the holder of the camera's slot."""

    def __init__(self) -> None:
        self.picture: ReferencePicture | None = None
        """Sure to be from before the fault; None: there is none yet."""
        self._new: ReferencePicture | None = None
        self._t = float("-inf")
        """Stream time at which the new one was taken."""

    def update(self, frame: Frame, *, well: bool) -> None:
        """Take one frame and whether the camera is well."""
        if not well or frame.damaged:
            self._new, self._t = None, float("-inf")
        elif self._new is None:
            if frame.t - self._t >= EVERY_S:
                self._new, self._t = _taken(frame), frame.t
        elif frame.t - self._t >= SURE_S:
            self.picture, self._new = self._new, None


def _taken(frame: Frame) -> ReferencePicture:
    picture = frame.picture
    width = min(WIDEST, picture.width)
    height = round(picture.height * width / picture.width)
    rgb = picture.rgb((0, 0, picture.width, picture.height), width, height)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return ReferencePicture(data.tobytes(), frame.t_wall)
