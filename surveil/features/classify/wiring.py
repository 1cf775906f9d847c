"""Wires the rules `classified` of a camera to the classifiers that are deployed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from surveil.detect.session import RunOn
from surveil.detect.settings import ModelSettings
from surveil.features.base import CameraParts
from surveil.features.classify.crops import CropCutter, CropRequest
from surveil.features.classify.metrics import ClassifierMetrics
from surveil.features.classify.registry import ClassifierKeeper, ClassifierRegistry
from surveil.features.classify.rule import ClassifiedSettings
from surveil.metrics import Metrics

log = structlog.get_logger(__name__)


def make_cutter(camera: CameraParts, classifiers: ClassifierRegistry) -> CropCutter:
    """Return what cuts out the crops that the camera's rules want classified."""
    rules = [rule for rule in camera.rules if isinstance(rule, ClassifiedSettings)]
    classifiers.want(camera.name, tuple(dict.fromkeys(rule.model for rule in rules)))
    return CropCutter(classifiers, [_look(rule, camera) for rule in rules])


def _look(rule: ClassifiedSettings, camera: CameraParts) -> CropRequest:
    zone = rule.zone or ""
    return CropRequest(
        rule.model,
        rule.on,
        rule.every_s,
        zone,
        camera.zones[zone] if zone else (),
        rule.classes if rule.on == "track" else (),
    )


def make_keeper(
    state_dir: Path, classifiers: ClassifierRegistry, model: ModelSettings, metrics: Metrics
) -> ClassifierKeeper:
    """Return what puts deployed classifiers into the registry; they run where the detection model runs."""
    where = RunOn(model.provider, model.require_gpu, model.gpu, model.gpu_memory_mb, model.threads)
    return ClassifierKeeper(state_dir, classifiers, where, partial(_report, classifiers, metrics))


def _report(classifiers: ClassifierRegistry, metrics: Metrics, name: str, what: str) -> None:
    in_use, wanted = classifiers.get(name), classifiers.wanted().get(name, ())
    current, shadow = (in_use.current, in_use.shadow) if in_use else (None, None)
    if wanted:
        labels, others = (one.card.labels if one else () for one in (current, shadow))
        metrics.of(ClassifierMetrics).add(name, wanted, labels, others)
    else:
        metrics.of(ClassifierMetrics).forget(model=name)
    say: Callable[..., None] = log.info if current or not wanted else log.warning
    say("classifier", classifier=name, what=what)
