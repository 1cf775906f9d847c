"""Estimate of the cost of decoding on demand while nothing moves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from surveil.app.camera_runtime import why_full
from surveil.app.probe.report import StreamReport
from surveil.capture.pace import SLACK
from surveil.config import CameraConfig


@dataclass(frozen=True, slots=True)
class IdlePace:
    """What is looked at and decoded, a second."""

    looks: float
    keys: float
    """Key frames that are decoded."""
    others: float
    """Pictures between key frames that are decoded to reach one that is due."""


def idle_pace(fps: float, gop_s: float, reaction_s: float) -> IdlePace:
    """Return what `surveil.capture.pace.Pace` makes of key frames `gop_s` apart."""
    latest_s = SLACK * reaction_s
    if gop_s <= latest_s:
        looks = 1 / (gop_s * floor(latest_s / gop_s))
        return IdlePace(looks, looks, 0.0)
    between = ceil((gop_s - latest_s) / reaction_s)
    return IdlePace((1 + between) / gop_s, 1 / gop_s, ceil(between * reaction_s * fps) / gop_s)


def idle_cores(stream: StreamReport, reaction_s: float, gate_ms: float) -> float | None:
    """Return the cores of a stream while nothing moves, without idle looks of the model; None: not known."""
    frames, picture_ms, key_ms = stream.gop_frames, stream.cpu_ms, stream.key_cpu_ms
    if not stream.fps or not stream.gop_s or not frames or picture_ms is None or key_ms is None:
        return None
    other_ms = max(0.0, frames * picture_ms - key_ms) / max(1, frames - 1)
    pace = idle_pace(stream.fps, stream.gop_s, reaction_s)
    return (pace.keys * key_ms + pace.others * other_ms + pace.looks * gate_ms) / 1000


def is_on_demand(camera: CameraConfig, stream: StreamReport) -> bool:
    """Whether a camera is decoded on demand, if its key frames stand alone and all its rules are armed."""
    is_live = stream.reachable is not None and stream.decoder == "software"
    return is_live and why_full(camera, {}, 0.0) is None
