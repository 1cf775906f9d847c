"""Learn a scene's normality from recordings, and score recordings with it as the daemon would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from surveil.errors import ConfigError
from surveil.features.normality.geometry import Geometry, GeometrySketch
from surveil.features.normality.learner import Learner, TooLittleFootageError
from surveil.features.normality.modelfile import LoadedModel, fingerprint
from surveil.features.normality.plane import PlaneSize, plane_size
from surveil.features.normality.result import NormalityResult
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.spool import block_s
from surveil.offline.normality.frames import Pace, Still, stills
from surveil.offline.normality.objects import Follow, RecordedObjects
from surveil.types import Bytes, Polygon, Track

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, 0..1."""
START_WALL = 1_700_000_000.0
"""Wall time of the first frame where a recording does not say: fixed, so that results are reproducible."""
CLIP_GAP_S = 1000.0


def quiet(_what: str, _share: float) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One frame's result, with its picture's plane for drawing."""

    still: Still
    result: NormalityResult
    plane: Bytes


def learn_files(
    camera: str,
    paths: Sequence[Path],
    fps: float = 10.0,
    progress: Progress = quiet,
    base: LoadedModel | None = None,
    *,
    equalise: bool = False,
    hidden: Sequence[Polygon] = (),
    half_life_days: float = inf,
    start_wall: float = START_WALL,
    follow: Follow | None = None,
) -> LoadedModel:
    """Return a model of the footage. Two passes: background and perspective first, then motion.

    `hidden` areas (fractions of the frame) are blanked; `equalise` is the base's where there is one, and what the
    base has learned fades with `half_life_days` until `start_wall` (Unix s, of the first frame). With `follow`
    tracked objects are learned, too. Raises ConfigError when there is nothing to learn from, or recordings differ
    in size.
    """
    if not paths:
        raise ConfigError(["there is no normal footage to learn from"])
    frame = _frame_size(paths, fps)
    try:
        geometry = (
            base.model.geometry
            if base
            else _geometry(
                paths, fps, GeometrySketch(plane_size(*frame), equalise=equalise), progress, hidden
            )
        )
        pace = Pace("learning", paths, fps, progress)
        learner = Learner(
            camera, frame, geometry, base.model if base else None, half_life_days=half_life_days,
            block_s=block_s(pace.seconds),
        )  # fmt: skip
        for i, path in enumerate(paths):
            learner.gap()
            objects = follow() if follow else None
            for still in _same_size(path, fps, frame, hidden):
                t = i * CLIP_GAP_S + still.t if still.t < CLIP_GAP_S else still.t
                tracks = _tracks(objects, still)
                learner.observe(luma(still, geometry.size), t, start_wall + learner.seen.seconds, tracks)
                pace.at(i, still.t)
            pace.end(i)
        return fingerprint(learner.freeze().fit())
    except TooLittleFootageError as error:
        raise ConfigError([f"{paths[0]}: {error}"]) from None


def score_file(
    loaded: LoadedModel, path: Path, fps: float, budget: float, explain: bool = False,
    follow: Follow | None = None,
) -> Iterator[Scored]:  # fmt: skip
    """Yield every frame's result: the daemon's object, a model that does not change, stream time from the file.

    With `follow` tracked objects are judged, too.
    """
    settings = NormalitySettings(enabled=True, learn="off", budget=budget, max_age_days=3650)
    scene = SceneNormality(loaded.model.camera, settings, loaded, explain=explain)
    frame = (loaded.model.width, loaded.model.height)
    objects = follow() if follow else None
    for still in _same_size(path, fps, frame):
        plane = luma(still, loaded.model.geometry.size)
        wall = loaded.model.seen.last_wall + still.t
        yield Scored(still, scene.observe(plane, still.t, wall, frame, _tracks(objects, still)), plane)


def _tracks(objects: RecordedObjects | None, still: Still) -> tuple[Track, ...]:
    """Return the tracks as of the frame before, which is what the daemon's analysers see, and follow on."""
    if objects is None:
        return ()
    known = objects.tracks
    objects.look(still)
    return known


def luma(still: Still, size: PlaneSize) -> Bytes:
    """Return the plane of a frame."""
    return still.picture.luma(size.width, size.height)


def _frame_size(paths: Sequence[Path], fps: float) -> tuple[int, int]:
    for still in stills(paths[0], fps):
        return still.picture.width, still.picture.height
    raise ConfigError([f"{paths[0]}: it has no frames"])


def _same_size(
    path: Path, fps: float, frame: tuple[int, int], hidden: Sequence[Polygon] = ()
) -> Iterator[Still]:
    for still in stills(path, fps, hidden):
        size = (still.picture.width, still.picture.height)
        if size != frame:
            raise ConfigError([f"{path}: frames of {size[0]}x{size[1]}, expected {frame[0]}x{frame[1]}"])
        yield still


def _geometry(
    paths: Sequence[Path], fps: float, sketch: GeometrySketch, progress: Progress, hidden: Sequence[Polygon]
) -> Geometry:
    pace = Pace("background", paths, fps, progress)
    for i, path in enumerate(paths):
        for still in stills(path, fps, hidden):
            pace.at(i, still.t)
            t = i * CLIP_GAP_S + still.t if still.t < CLIP_GAP_S else still.t
            if sketch.wants(t):
                sketch.add(luma(still, sketch.size), t)
        pace.end(i)
    try:
        return sketch.fit()
    except ValueError as error:
        raise TooLittleFootageError(str(error)) from None
