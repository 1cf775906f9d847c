"""`surveil collect`: features of normal footage and sample frames on disk, resumable, bounded, for learning later.

    OUT/geometry.npz   background and perspective, from the first minutes
    OUT/000001.npz …   features of five minutes each
    OUT/sample-….jpg   a picture now and then

Features are some 2 kB a frame in which something moves and next to nothing otherwise. When the folder
reaches its bound, collecting ends and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from surveil.errors import ConfigError
from surveil.features.normality.draw import jpeg
from surveil.features.normality.features import FeatureExtractor
from surveil.features.normality.geometry import GeometrySketch
from surveil.features.normality.learner import Learner
from surveil.features.normality.modelfile import LoadedModel, fingerprint
from surveil.features.normality.plane import plane_size
from surveil.features.normality.spool import Packed, pack, unpack
from surveil.filesystem import write_atomically
from surveil.hidden import HiddenPicture
from surveil.offline.normality.chunks import (
    chunk_arrays,
    geometry_arrays,
    reached,
    read_chunk,
    read_geometry,
    seconds_of,
    wall_of,
    write,
)
from surveil.offline.normality.frames import stills
from surveil.offline.normality.normality import START_WALL, Progress, quiet
from surveil.types import Bytes, Picture, Polygon

CHUNK_S = 300.0
SKETCH = 120


@dataclass(frozen=True, slots=True)
class Bounds:
    """When collecting ends, and how many pictures are kept."""

    hours: float = 24.0
    max_bytes: int = 2 * 1024**3
    sample_every_s: float = 300.0
    max_samples: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What the folder holds."""

    seconds: float
    chunks: int
    samples: int
    bytes: int
    full: bool
    """The bound on bytes was reached before the hours."""


class FootageCollector:
    """Writes one camera's features into one folder; opens it where an earlier run left off.

    `hidden` areas (fractions of the frame) are blanked: nothing of them is kept.
    Raises ConfigError for a folder of another camera, and for frames of another size than it holds.
    """

    def __init__(
        self,
        camera: str,
        folder: Path,
        bounds: Bounds,
        hidden: Sequence[Polygon] = (),
        *,
        equalise: bool = False,
    ) -> None:
        self._camera = camera
        self._folder = folder
        self._bounds = bounds
        self._hidden = tuple(hidden)
        self._equalise = equalise
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for part in folder.glob(".*.tmp"):
            part.unlink()
        self._chunks = sorted(folder.glob("[0-9]*.npz"))
        self._seconds = sum(seconds_of(chunk) for chunk in self._chunks)
        self._frame, self._geometry = read_geometry(folder / "geometry.npz", camera)
        self._extractor = FeatureExtractor(self._geometry) if self._geometry else None
        self._sketch: GeometrySketch | None = None
        self._bytes = sum(p.stat().st_size for p in folder.iterdir())
        self._samples = len(list(folder.glob("sample-*.jpg")))
        self._pending: list[Packed] = []
        self._wall = 0.0
        self._sample_due = self._seconds

    def collected(self) -> Collected:
        """Return what is on disk."""
        full = self._bytes >= self._bounds.max_bytes
        return Collected(
            seconds=self._seconds,
            chunks=len(self._chunks),
            samples=self._samples,
            bytes=self._bytes,
            full=full,
        )

    @property
    def done(self) -> bool:
        """Whether a bound is reached."""
        pending = sum(p.dt for p in self._pending)
        return self._seconds + pending >= self._bounds.hours * 3600 or self._bytes >= self._bounds.max_bytes

    @property
    def share(self) -> float:
        """How much of the hours is on disk, 0..1."""
        return min(1.0, self._seconds / (self._bounds.hours * 3600))

    def run_files(self, paths: Sequence[Path], fps: float = 10.0, progress: Progress = quiet) -> Collected:
        """Take recordings; what an earlier run has of them is passed over."""
        if self._geometry is None:
            for path in paths:
                for still in stills(path, fps):
                    self._look(self._visible(still.picture), still.t)
            self._adopt()
        for path in paths:
            source = str(path)
            until = max((reached(chunk, source) for chunk in self._chunks), default=-1.0)
            for still in stills(path, fps):
                if self.done:
                    break
                if still.t > until and self.take(still.picture, still.t, 0.0, source):
                    progress("collecting", self.share)
            self.gap(source)
        progress("collecting", self.share)
        return self.collected()

    def take(self, picture: Picture, t: float, t_wall: float, source: str = "") -> bool:
        """Take the next frame, of stream time `t` (s); return whether the folder has grown.

        `t_wall` is Unix s, 0 if unknown; a `source` with a name is a recording that can be taken up again.
        """
        picture = self._visible(picture)
        if self._extractor is None:
            self._look(picture, t)
            if self._sketch is None or len(self._sketch) < SKETCH:
                return False
            self._adopt()
            return True
        self._check(picture)
        assert self._geometry is not None
        plane = picture.luma(self._geometry.size.width, self._geometry.size.height)
        features = self._extractor.observe(plane, t)
        if features is None:
            return False
        if not self._pending:
            self._wall = t_wall
        self._pending.append(pack(features))
        if self._seconds >= self._sample_due and self._samples < self._bounds.max_samples:
            self._sample(plane)
        return features.t - self._pending[0].t >= CHUNK_S and self._flush(source)

    def gap(self, source: str = "") -> None:
        """Note an interruption, or the end: what there is is written, what follows does not continue it."""
        self._flush(source)
        if self._geometry is not None:
            self._extractor = FeatureExtractor(self._geometry)

    def _visible(self, picture: Picture) -> Picture:
        return HiddenPicture(picture, self._hidden) if self._hidden else picture

    def _check(self, picture: Picture) -> None:
        size = (picture.width, picture.height)
        if self._frame is not None and size != self._frame:
            raise ConfigError(
                [f"{self._folder}: holds {self._frame[0]}x{self._frame[1]}, now comes {size[0]}x{size[1]}"]
            )

    def _look(self, picture: Picture, t: float) -> None:
        """Look at the background and at the size of people, before features can be made."""
        if self._sketch is None:
            self._frame = (picture.width, picture.height)
            self._sketch = GeometrySketch(plane_size(*self._frame), equalise=self._equalise)
        self._check(picture)
        size = self._sketch.size
        self._sketch.add(picture.luma(size.width, size.height), t)

    def _adopt(self) -> None:
        if self._sketch is None or not len(self._sketch) or self._frame is None:
            raise ConfigError([f"{self._folder}: no two frames close in time: nothing to collect"])
        self._geometry, self._sketch = self._sketch.fit(), None
        self._extractor = FeatureExtractor(self._geometry)
        arrays = geometry_arrays(self._camera, self._frame, self._geometry)
        self._bytes += write(self._folder / "geometry.npz", arrays)

    def _sample(self, plane: Bytes) -> None:
        data = jpeg(plane)
        write_atomically(self._folder / f"sample-{self._samples:06d}.jpg", data)
        self._samples += 1
        self._bytes += len(data)
        self._sample_due += self._bounds.sample_every_s

    def _flush(self, source: str) -> bool:
        if not self._pending:
            return False
        path = self._folder / f"{len(self._chunks) + 1:06d}.npz"
        about = {"source": np.array(source), "wall": np.array(self._wall)}
        self._bytes += write(path, {**chunk_arrays(self._pending), **about})
        self._chunks.append(path)
        self._seconds += sum(p.dt for p in self._pending)
        self._pending = []
        return True


def learn_collected(
    camera: str, folder: Path, base: LoadedModel | None = None, progress: Progress = quiet, *,
    half_life_days: float = inf, start_wall: float = START_WALL,
) -> LoadedModel:  # fmt: skip
    """Return a model of what was collected. Raises ConfigError when there is nothing.

    `start_wall` (Unix s) is for recordings without a known time; what `base` has learned fades with
    `half_life_days`.
    """
    frame, geometry = read_geometry(folder / "geometry.npz", camera)
    chunks = sorted(folder.glob("[0-9]*.npz"))
    if geometry is None or frame is None or not chunks:
        raise ConfigError([f"{folder}: holds no collected features"])
    if base is not None:
        base = replace(base, model=replace(base.model, geometry=geometry))
    learner = Learner(camera, frame, geometry, base.model if base else None, half_life_days=half_life_days)
    wall = start_wall
    for i, chunk in enumerate(chunks):
        learner.gap()
        wall = wall_of(chunk) or wall
        for packed in read_chunk(chunk):
            wall += packed.dt
            learner.learn(unpack(packed, geometry.size.rows, geometry.size.columns), wall)
        progress("learning", (i + 1) / len(chunks))
    return fingerprint(learner.freeze().fit())
