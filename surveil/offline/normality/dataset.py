"""`DATASET.yaml`: labelled footage for learning and judging. All mistakes are reported at once.

    name: corridor
    fps: 10                      # of folders of images
    normal: [training/01, training/02.mp4]
    clips:
      - path: testing/01
        labels: labels/01.json   # a JSON list of 0/1 per frame, or {clip: [0/1 …]}
      - path: testing/02.mp4
        labels: [[61, 180]]      # first and last frame, from 0, both included
      - path: testing/03.mp4
        labels: {seconds: [[6.1, 18.0]]}
      - path: testing/04.mp4     # no labels: everything is normal

Paths are relative to the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from surveil.errors import ConfigError
from surveil.filesystem import read_json
from surveil.offline.normality.frames import count_images
from surveil.types import BoolMap

KEYS = {"name", "fps", "normal", "clips"}
CLIP_KEYS = {"path", "labels", "name"}
MAX_LABEL_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Labels:
    """Which frames of a clip are abnormal: per frame, or by intervals of frames or of seconds."""

    frames: tuple[int, ...] | None = None
    spans: tuple[tuple[float, float], ...] = ()
    """First and last, both included."""
    seconds: bool = False

    def at(self, times: Sequence[float]) -> BoolMap:
        """Return the label of every frame, given its time (s).

        Raises ValueError when there are more or fewer labels than frames, or an interval ends more than a frame (a
        second, where it is in seconds) beyond the clip.
        """
        n = len(times)
        if self.frames is not None:
            if len(self.frames) != n:
                raise ValueError(f"{len(self.frames)} labels for {n} frames")
            return np.array(self.frames, np.bool_)
        place = np.array(times) if self.seconds else np.arange(n, dtype=np.float64)
        found = np.zeros(n, np.bool_)
        for first, last in self.spans:
            if n and first > place[-1] + (1.0 if self.seconds else 0.0):
                unit = "s" if self.seconds else "frames"
                raise ValueError(
                    f"interval {first:g} … {last:g} begins after the clip's end at {place[-1]:g} {unit}"
                )
            if n and last > place[-1] + 1.0:
                where = f"{place[-1]:.1f} s" if self.seconds else f"frame {place[-1]:g}"
                raise ValueError(f"interval {first:g} … {last:g} ends after the clip's end at {where}")
            found |= (place >= first) & (place <= last)
        return found


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A recording to judge."""

    name: str
    path: Path
    labels: Labels


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled footage of one camera."""

    name: str
    fps: float
    normal: tuple[Path, ...]
    clips: tuple[LabelledClip, ...]


def load_dataset(path: Path) -> Dataset:
    """Read and check a dataset. Raises ConfigError with every mistake that was found."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from None
    return _Reader(path).dataset(raw)


class _Reader:
    """Collects mistakes while it reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wrong: list[str] = []

    def dataset(self, raw: Any) -> Dataset:
        if not isinstance(raw, dict):
            raise ConfigError([f"{self._path}: a dataset is a mapping with {', '.join(sorted(KEYS))}"])
        self._unknown(raw, KEYS, "")
        name = str(raw.get("name") or self._path.stem)
        fps = self._fps(raw.get("fps", 10.0))
        normal = tuple(self._footage(p, f"normal[{i}]") for i, p in enumerate(self._list(raw, "normal")))
        clips = tuple(self._clip(c, f"clips[{i}]") for i, c in enumerate(self._list(raw, "clips")))
        if not normal and not clips:
            self._say("", "has neither `normal` nor `clips`: add one of them")
        self._check_apart(normal, clips)
        if self._wrong:
            raise ConfigError(self._wrong)
        return Dataset(name, fps, normal, clips)

    def _check_apart(self, normal: Sequence[Path], clips: Sequence[LabelledClip]) -> None:
        learned = {path.resolve() for path in normal}
        for i, clip in enumerate(clips):
            if clip.path != self._path and clip.path.resolve() in learned:
                self._say(
                    f"clips[{i}].path",
                    f"{clip.path}: is in `normal`, too: what was learned from it is not judged by it",
                )

    def _say(self, where: str, what: str) -> None:
        self._wrong.append(f"{self._path}: {where + ': ' if where else ''}{what}")

    def _unknown(self, raw: Mapping[Any, Any], known: set[str], where: str) -> None:
        for key in raw:
            if key not in known:
                self._say(where, f"unknown key {key!r}; known are {', '.join(sorted(known))}")

    def _fps(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 240:
            self._say("fps", f"{value!r} is not a number of frames per second in 0 … 240")
            return 10.0
        return float(value)

    def _list(self, raw: Mapping[str, Any], key: str) -> list[Any]:
        value = raw.get(key) or []
        if not isinstance(value, list):
            self._say(key, "must be a list")
            return []
        return value

    def _footage(self, value: Any, where: str) -> Path:
        if not isinstance(value, str) or not value:
            self._say(where, f"{value!r} is not a path")
            return self._path
        path = self._path.parent / value
        if not path.exists():
            self._say(where, f"{path}: there is no such video or folder")
        elif count_images(path) == 0:
            self._say(where, f"{path}: there are no images in this folder")
        return path

    def _clip(self, raw: Any, where: str) -> LabelledClip:
        if not isinstance(raw, dict):
            self._say(where, "must be a mapping with `path` and `labels`")
            return LabelledClip("", self._path, Labels())
        self._unknown(raw, CLIP_KEYS, where)
        path = self._footage(raw.get("path"), f"{where}.path")
        name = str(raw.get("name") or path.stem)
        labels = self._labels(raw.get("labels", []), name, f"{where}.labels")
        count = count_images(path) if path.exists() else None
        if count and labels.frames is not None and len(labels.frames) != count:
            self._say(f"{where}.labels", f"{len(labels.frames)} labels for the {count} frames of {path}")
        return LabelledClip(name, path, labels)

    def _labels(self, raw: Any, name: str, where: str) -> Labels:
        if isinstance(raw, str):
            raw = self._json(self._path.parent / raw, name, where)
        seconds = isinstance(raw, dict) and set(raw) == {"seconds"}
        values = raw["seconds"] if seconds else raw
        if not isinstance(values, list):
            self._say(where, "must be a list of 0/1, a list of [first, last], {seconds: […]}, or a JSON file")
            return Labels()
        if (
            values
            and not seconds
            and all(value in (0, 1) and not isinstance(value, list) for value in values)
        ):
            return Labels(frames=tuple(int(value) for value in values))
        return Labels(spans=self._spans(values, where), seconds=seconds)

    def _json(self, path: Path, name: str, where: str) -> Any:
        try:
            if path.stat().st_size > MAX_LABEL_BYTES:
                self._say(where, f"{path}: too large for labels")
                return []
            raw = read_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            self._say(where, f"{path}: cannot be read: {error.strerror}")
            return []
        except ValueError as error:
            self._say(where, f"{path}: not JSON: {error}")
            return []
        if isinstance(raw, dict) and "seconds" not in raw:
            if name not in raw:
                self._say(where, f"{path}: has no labels for {name!r}")
            return raw.get(name, [])
        return raw

    def _spans(self, values: list[Any], where: str) -> tuple[tuple[float, float], ...]:
        found = []
        for value in values:
            pair = value if isinstance(value, list) and len(value) == 2 else None
            if pair is None or not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in pair):
                self._say(where, f"{value!r} is neither 0 or 1 nor an interval [first, last]")
            elif not 0 <= pair[0] <= pair[1]:
                self._say(where, f"the interval {value!r} is empty or begins before 0")
            else:
                found.append((float(pair[0]), float(pair[1])))
        return tuple(found)
