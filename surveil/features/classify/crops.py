"""Crops of a frame for classifiers, cut and prepared in the prepare stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from surveil.features.base import CameraParts
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.finding import On
from surveil.features.classify.preprocess import CropPreprocess
from surveil.features.classify.registry import ClassifierRegistry
from surveil.features.classify.rule import ClassifiedSettings
from surveil.types import Box, Bytes, Polygon, Track
from surveil.view import FrameView

_CONTEXT = 0.1
_LEAST_PX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRequest:
    """What a rule wants looked at."""

    model: str
    on: On
    every_s: float
    zone: str = ""
    outline: Polygon = ()
    """Of the zone, in fractions of the frame."""
    classes: tuple[str, ...] = ()
    """Of tracks."""


@dataclass(frozen=True, slots=True)
class CropPlace:
    """Where a crop is: a box in px of the frame, and whose it is."""

    box: Box
    track: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A crop as one classifier wants it; it was prepared for this very version."""

    model: Classifier
    tensor: Bytes
    """uint8 RGB (size, size, 3)."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A crop that waits for a classifier, and for its shadow."""

    look: CropRequest
    place: CropPlace
    current: Ready | None
    shadow: Ready | None


class CropCutter:
    """Cuts out what is due at one camera. Owned by the holder of the camera's slot."""

    def __init__(self, classifiers: ClassifierRegistry, looks: Sequence[CropRequest]) -> None:
        self.looks = tuple(dict.fromkeys(looks))
        self._classifiers = classifiers
        self._due = [float("-inf")] * len(self.looks)
        self.waiting: tuple[Cut, ...] = ()
        """Crops of the frame in flight."""
        self._before = 0.0
        """Stream time of the frame before, s: the tracks are as of it."""

    def cut(self, view: FrameView) -> bool:
        """Cut out the crops that are due, none of a damaged frame; return whether any wait for a classifier."""
        self.waiting = self._due_crops(view)
        return bool(self.waiting)

    def _due_crops(self, view: FrameView) -> tuple[Cut, ...]:
        t, passed = view.frame.t, view.frame.t - self._before
        self._before = t
        due = [k for k, at in enumerate(self._due) if t >= at]
        if not due or (view.frame.damaged and not view.frame.degraded):
            return ()
        for k in due:
            self._due[k] = t + self.looks[k].every_s - 1e-6
        wanted = [
            (look, place) for look in (self.looks[k] for k in due) for place in places(look, view, passed)
        ]
        if not wanted:
            return ()
        rgb = np.asarray(view.frame.picture.bgr()[:, :, ::-1])
        return tuple(cut for look, place in wanted for cut in self._ready(look, place, rgb))

    def _ready(self, look: CropRequest, place: CropPlace, rgb: Bytes) -> Iterator[Cut]:
        in_use = self._classifiers.get(look.model)
        if in_use is None:
            return
        part, made = cut_out(rgb, place.box), dict[CropPreprocess, Bytes]()

        def ready(model: Classifier | None) -> Ready | None:
            if model is None:
                return None
            how = model.card.preprocess
            if how not in made:
                made[how] = how.apply(part)
            return Ready(model, made[how])

        yield Cut(look, place, ready(in_use.current), ready(in_use.shadow))


def places(look: CropRequest, view: FrameView, passed: float = 0.0) -> list[CropPlace]:
    """Return where a look looks in a frame: one place, or one for each followed object.

    `passed`: s since the frame that the tracks are of; objects are looked for where they will have moved to.
    """
    picture = view.frame.picture
    w, h = picture.width, picture.height
    if look.on == "frame":
        return [CropPlace((0.0, 0.0, float(w), float(h)))]
    if look.on == "zone":
        xs, ys = [p[0] * w for p in look.outline], [p[1] * h for p in look.outline]
        return [CropPlace((min(xs), min(ys), max(xs), max(ys)))]
    wanted = [t for t in view.tracks if t.label in look.classes]
    boxes = [(wider(moved(t, passed), (w, h)), t.id) for t in wanted]
    return [
        CropPlace(box, track) for box, track in boxes if min(box[2] - box[0], box[3] - box[1]) >= _LEAST_PX
    ]


def moved(track: Track, passed: float) -> Box:
    """Return where a track's box is `passed` s later, after one second at the most."""
    dx, dy = (v * max(0.0, min(passed, 1.0)) for v in track.velocity)
    x0, y0, x1, y1 = track.box
    return (x0 + dx, y0 + dy, x1 + dx, y1 + dy)


def wider(box: Box, size: tuple[int, int]) -> Box:
    """A tenth more on each side, cut at the frame: how objects are collected, and looked at."""
    dx, dy = (box[2] - box[0]) * _CONTEXT, (box[3] - box[1]) * _CONTEXT
    return (
        max(0.0, box[0] - dx),
        max(0.0, box[1] - dy),
        min(float(size[0]), box[2] + dx),
        min(float(size[1]), box[3] + dy),
    )


def cut_out(picture: Bytes, box: Box) -> Bytes:
    """Return the part of a picture (height, width, 3) under a box, 2 px wide and high at the least."""
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = (
        min(picture.shape[1], max(x0 + 2, round(box[2]))),
        min(picture.shape[0], max(y0 + 2, round(box[3]))),
    )
    return picture[max(0, min(y0, y1 - 2)) : y1, max(0, min(x0, x1 - 2)) : x1]


def make_cutter(camera: CameraParts, classifiers: ClassifierRegistry) -> CropCutter:
    """Return what cuts out the crops that the camera's rules want classified."""
    rules = [rule for rule in camera.rules if isinstance(rule, ClassifiedSettings)]
    classifiers.want(camera.name, tuple(dict.fromkeys(rule.model for rule in rules)))
    return CropCutter(classifiers, [_look(rule, camera) for rule in rules])


def _look(rule: ClassifiedSettings, camera: CameraParts) -> CropRequest:
    zone = rule.zone or ""
    return CropRequest(
        model=rule.model,
        on=rule.on,
        every_s=rule.every_s,
        zone=zone,
        outline=camera.zones[zone] if zone else (),
        classes=rule.classes if rule.on == "track" else (),
    )
