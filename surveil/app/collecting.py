"""Fills a data set from a camera of the configuration, running or recorded, with the crops that it will classify."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from surveil.app.replay import START_WALL, Replay
from surveil.config import Config
from surveil.detect.detector import Detector
from surveil.errors import ConfigError
from surveil.features.classify.crops import CropRequest
from surveil.features.classify.finding import On
from surveil.offline.classify.collect import CropCollector

Progress = Callable[[str, float], None]


def look_of(
    config: Config, camera: str, on: On, zone: str, classes: tuple[str, ...], every_s: float
) -> CropRequest:
    """Return what to look at, as a rule `classified` of the camera would. Raises ConfigError for what is not there."""
    zones = config.camera(camera).zones
    if on == "zone" and zone not in zones:
        choice = ", ".join(zones) or "none"
        raise ConfigError(
            [f"{config.path}: cameras.{camera}.zones: there is no zone {zone!r}; there are: {choice}"]
        )
    return CropRequest(
        model="",
        on=on,
        every_s=every_s,
        zone=zone,
        outline=zones[zone] if on == "zone" else (),
        classes=classes,
    )


def collect_live(
    config: Config,
    camera: str,
    detector: Detector,
    collector: CropCollector,
    progress: Progress,
    *,
    most: int,
    seconds: float,
) -> None:
    """Watch the running camera until there are `most` crops, or for so many seconds.

    Raises SourceError when it cannot be opened, or is lost; what was stored before stays.
    """
    with tempfile.TemporaryDirectory(prefix="surveil-collect-") as folder:
        replay = Replay(_without_rules(config, camera), camera, detector, Path(folder), live=True)
        with closing(replay.watch()) as frames:
            for seen in frames:
                collector.see(seen.frame, seen.tracks)
                progress(f"{collector.count} pictures", max(collector.count / most, seen.frame.t / seconds))
                if collector.count >= most or seen.frame.t >= seconds:
                    return


def collect_recorded(
    config: Config,
    camera: str,
    detector: Detector,
    collector: CropCollector,
    progress: Progress,
    *,
    video: Path,
    start_wall: float | None,
) -> None:
    """Collect from a recording of the camera. Raises SourceError when it cannot be played."""
    with tempfile.TemporaryDirectory(prefix="surveil-collect-") as folder:
        replay = Replay(_without_rules(config, camera), camera, detector, Path(folder))
        replay.run(
            [video],
            START_WALL if start_wall is None else start_wall,
            lambda seen: collector.see(seen.frame, seen.tracks),
            lambda t: progress(f"{collector.count} pictures after {t:.0f} s", 0.0),
        ).checked()


def _without_rules(config: Config, camera: str) -> Config:
    """Nothing is alerted on; tracks are followed all the same."""
    return replace(config, cameras={camera: replace(config.cameras[camera], rules=())})
