"""Pictures to train on: crops of events and of zones, as the daemon will cut them for a classifier."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from surveil.alerts.links import stored_file
from surveil.console.refusal import Refusal, not_found
from surveil.errors import StateError
from surveil.features.classify.crops import cut_out
from surveil.offline.classify.dataset import Item, add
from surveil.offline.classify.feedback import about, clean_picture
from surveil.offline.classify.pictures import BadPictureError, decode, read_bytes
from surveil.types import Alert, Bytes, Polygon

_SHOWN_PX = 320
"""The longer side of a crop that is shown."""


def of_event(alert: Alert, state_dir: Path, outline: Polygon | None = None) -> Bytes:
    """Return what an alert is about, uint8 BGR; with an outline (fractions of the picture) the part around that.

    Raises Refusal (404) where no picture without drawings is kept.
    """
    try:
        stored = clean_picture(alert, state_dir)
        if stored_file(state_dir, alert.evidence["clean"]) is None:
            raise not_found("picture")
        bgr = np.ascontiguousarray(decode(read_bytes(stored))[:, :, ::-1])
    except (StateError, BadPictureError, ValueError):
        raise not_found("picture without drawings: it was deleted, or `evidence.clean` is off") from None
    if outline is not None:
        return of_zone(bgr, outline)
    box = about(alert, stored)
    return bgr if box is None else np.ascontiguousarray(cut_out(bgr, box))


def of_zone(bgr: Bytes, outline: Polygon) -> Bytes:
    """Return the part of a picture around an outline, uint8 BGR."""
    height, width = bgr.shape[:2]
    xs, ys = [x * width for x, _ in outline], [y * height for _, y in outline]
    return np.ascontiguousarray(cut_out(bgr, (min(xs), min(ys), max(xs), max(ys))))


def of_jpeg(data: bytes, outline: Polygon) -> Bytes:
    """Return the part of a JPEG around an outline, uint8 BGR. Raises Refusal (503) for a damaged one."""
    try:
        rgb = decode(data)
    except BadPictureError as error:
        raise Refusal(503, "no_picture", f"the camera's picture {error}") from None
    return of_zone(np.ascontiguousarray(rgb[:, :, ::-1]), outline)


def store(folder: Path, bgr: Bytes, label: str, *, camera: str, at: float, origin: str) -> Item:
    """Add a crop to a data set; one that is there already gets the class."""
    return add(folder, bgr, label, camera=camera, t_wall=at, origin=origin, correct=True)


def shown(bgr: Bytes) -> bytes:
    """Return a small JPEG of a crop."""
    scale = min(1.0, _SHOWN_PX / max(bgr.shape[:2]))
    small = bgr if scale == 1.0 else cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
