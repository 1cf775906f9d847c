"""People cut out of normal footage, and what they do where they are put back: seven kinds of anomaly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

Grey = np.ndarray


@dataclass(frozen=True)
class Sprite:
    """Somebody who walks, frame by frame, cut out."""

    crops: list[Grey]
    masks: list[Grey]
    x: float
    """Where the foot was at first, px."""
    y: float
    vx: float
    """px a frame."""
    vy: float

    @property
    def height(self) -> int:
        return self.crops[0].shape[0]


def sprites(frames: list[Grey], background: Grey, wanted: int) -> list[Sprite]:
    """Cut out the people who can be followed longest."""
    tracks: list[list[tuple[int, int, int, int, int]]] = []
    for i, frame in enumerate(frames):
        for x, y, w, h in _blobs(frame, background):
            near = [t for t in tracks if t[-1][0] == i - 1 and _same(t[-1][1:], (x, y, w, h))]
            (near[0] if near else tracks.append([]) or tracks[-1]).append((i, x, y, w, h))
    tracks = sorted((t for t in tracks if len(t) >= 12), key=len, reverse=True)[:wanted]
    return [_sprite(t, frames, background) for t in tracks]


def _blobs(frame: Grey, background: Grey) -> Iterator[tuple[int, int, int, int]]:
    mask = cv2.morphologyEx(
        (cv2.absdiff(frame, background) > 22).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 3))
    )
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    rows, columns = frame.shape
    for x, y, w, h, area in stats[1:count].tolist():
        inside = x > 1 and y > 1 and x + w < columns - 1 and y + h < rows - 1
        if inside and 1.6 * w <= h <= 3.6 * w and h >= 0.08 * rows and area > 0.4 * w * h:
            yield x, y, w, h


def _same(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    near = abs(a[0] + a[2] / 2 - b[0] - b[2] / 2) < 0.3 * a[3] and abs(a[1] + a[3] - b[1] - b[3]) < 0.2 * a[3]
    return near and 0.8 < a[3] / b[3] < 1.25


def _sprite(track: list[tuple[int, int, int, int, int]], frames: list[Grey], background: Grey) -> Sprite:
    w, h = (max(t[k] for t in track) + 6 for k in (3, 4))
    crops, masks = [], []
    for i, x, y, bw, bh in track:
        left, top = (
            min(max(0, x + bw // 2 - w // 2), frames[i].shape[1] - w),
            min(max(0, y + bh - h + 3), frames[i].shape[0] - h),
        )
        part = np.s_[top : top + h, left : left + w]
        mask = (cv2.absdiff(frames[i][part], background[part]) > 15).astype(np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 5)))
        crops.append(frames[i][part])
        masks.append(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0))
    first, last = track[0], track[-1]
    n = last[0] - first[0]
    foot = [(t[1] + t[3] / 2, t[2] + t[4]) for t in (first, last)]
    return Sprite(crops, masks, *foot[0], (foot[1][0] - foot[0][0]) / n, (foot[1][1] - foot[0][1]) / n)


def put(
    frame: Grey, crop: Grey, mask: Grey, x: float, y: float, scale: tuple[float, float] = (1.0, 1.0)
) -> None:
    """Draw a crop with its foot at x, y."""
    h, w = crop.shape
    where = np.float32([[scale[0], 0, x - scale[0] * w / 2], [0, scale[1], y - scale[1] * h]])
    size = (frame.shape[1], frame.shape[0])
    moved, alpha = (cv2.warpAffine(part, where, size, flags=cv2.INTER_LINEAR) for part in (crop, mask))
    frame[:] = (frame * (1 - alpha) + moved * alpha).astype(np.uint8)


Kind = Callable[[Grey, Sprite, int, int, float, tuple[float, float]], None]
"""Draws frame `i` of `n` of an anomaly; `pace` is frames per tenth of a second; the last is a place."""


def _at(sprite: Sprite, i: float) -> tuple[Grey, Grey]:
    k = int(i) % (2 * len(sprite.crops) - 1)
    k = min(k, 2 * len(sprite.crops) - 2 - k)
    return sprite.crops[k], sprite.masks[k]


def _bounce(value: float, low: float, high: float) -> float:
    span = high - low
    k = (value - low) % (2 * span)
    return low + (k if k < span else 2 * span - k)


def runner(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    speed = max(abs(s.vx), 0.4 * s.height * 0.1 / pace)
    put(frame, *_at(s, 2 * i), _bounce(s.x + 3 * speed * i, s.height, frame.shape[1] - s.height), s.y)


def crossing(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    speed = max(abs(s.vx), 0.6 * s.height * 0.1 / pace)
    put(frame, *_at(s, i), s.x, _bounce(s.y + speed * i, 1.2 * s.height, frame.shape[0] - 2.0))


def stander(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, _place: tuple[float, float]) -> None:
    put(frame, s.crops[0], s.masks[0], s.x + 0.3 * np.sin(i), s.y)


def giant(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, _place: tuple[float, float]) -> None:
    put(frame, *_at(s, i), _bounce(s.x + s.vx * i, s.height, frame.shape[1] - s.height), s.y, (2.0, 2.0))


def dancer(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    beat = 2 * np.pi * 2.0 * i * 0.1 / pace
    put(
        frame,
        *_at(s, 2 * i),
        s.x + 0.15 * s.height * np.sin(beat),
        s.y - 0.1 * s.height * abs(np.sin(beat)),
        (1.0 + 0.4 * np.sin(beat / 2), 1.0),
    )


def thrown(frame: Grey, s: Sprite, i: int, _n: int, pace: float, _place: tuple[float, float]) -> None:
    t = (i * 0.1 / pace) % 1.2
    x, y = s.x + 2.0 * s.height * (t - 0.6), s.y - s.height * (0.5 + 2.2 * t - 1.9 * t * t)
    r = max(3, s.height // 7)
    cv2.rectangle(frame, (round(x), round(y)), (round(x) + r, round(y) + r), 230, -1)


def off_the_way(frame: Grey, s: Sprite, i: int, _n: int, _pace: float, place: tuple[float, float]) -> None:
    put(frame, *_at(s, i), place[0] + 0.3 * s.height * np.sin(i * abs(s.vx) / (0.3 * s.height + 1)), place[1])


KINDS: dict[str, Kind] = {
    "runner": runner,
    "crossing": crossing,
    "stander": stander,
    "giant": giant,
    "dancer": dancer,
    "thrown": thrown,
    "off the way": off_the_way,
}


def quiet_place(frames: list[Grey], background: Grey, height: int) -> tuple[float, float]:
    """Find where least ever happened, for somebody of this height."""
    busy = np.mean([cv2.absdiff(f, background) > 20 for f in frames[::5]], axis=0).astype(np.float32)
    pooled = cv2.boxFilter(busy, -1, (height // 2, height))
    rows, columns = pooled.shape
    pooled[: height + 4] = pooled[rows - height // 2 :] = pooled[:, :height] = pooled[
        :, columns - height :
    ] = 9
    y, x = np.unravel_index(int(pooled.argmin()), pooled.shape)
    return float(x), float(y + height / 2)
