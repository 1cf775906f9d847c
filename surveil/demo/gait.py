"""How a walking person moves: joint positions over one gait cycle.

Body axes in metres: x forward, y up from the ground, z to the person's right. The joint angles
follow the curves that textbooks of gait analysis print (hip, knee and ankle over the cycle from heel
strike to heel strike); they are tabulated here by eye, not copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vec = NDArray[np.float64]

_AT = (0.0, 0.08, 0.15, 0.30, 0.40, 0.50, 0.55, 0.62, 0.72, 0.78, 0.87, 0.95, 1.0)
_HIP = (26.0, 24.0, 20.0, 7.0, -2.0, -10.0, -10.0, -4.0, 12.0, 20.0, 28.0, 28.0, 26.0)
_KNEE = (5.0, 13.0, 18.0, 11.0, 6.0, 11.0, 20.0, 40.0, 60.0, 56.0, 30.0, 7.0, 5.0)
_FOOT = (18.0, 3.0, 0.0, 0.0, -3.0, -18.0, -32.0, -58.0, -45.0, -28.0, 0.0, 14.0, 18.0)

THIGH, SHANK, ANKLE = 0.43, 0.42, 0.075
UPPER_ARM, FOREARM, TRUNK = 0.29, 0.25, 0.50
HEIGHT = 1.75
"""Height of the figure that the lengths above describe, m."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Joint positions, m, each float64 (3,): x forward, y up, z right."""

    joints: dict[str, Vec]

    def __getitem__(self, name: str) -> Vec:
        """Return the joint called `name`, for instance `knee_l`."""
        return self.joints[name]


def walking(phase: float, stride: float = 1.0, lean_deg: float = 3.0) -> Pose:
    """Return the pose at `phase` (0..1) of the cycle; `stride` scales every swing, 0 stands still."""
    joints = _trunk(phase, stride, lean_deg)
    for side, z, shift in (("l", -1.0, 0.0), ("r", 1.0, 0.5)):
        joints.update(_leg(side, z, (phase + shift) % 1.0, stride, joints["pelvis"]))
        joints.update(_arm(side, (phase + shift) % 1.0, stride, joints[f"shoulder_{side}"]))
    lowest = min(joints[name][1] for name in ("heel_l", "heel_r", "toe_l", "toe_r"))
    return Pose({name: at - np.array([0.0, lowest, 0.0]) for name, at in joints.items()})


def _down(angle_deg: float, length: float, out: float = 0.0) -> Vec:
    """A bone of `length` m hanging down, swung forward by `angle_deg` and sideways by `out` m."""
    a = np.radians(angle_deg)
    return np.array([np.sin(a) * length, -np.cos(a) * length, out])


def _trunk(phase: float, stride: float, lean_deg: float) -> dict[str, Vec]:
    twist = np.radians(7.0) * stride * np.cos(2 * np.pi * phase)
    sway = 0.015 * stride * np.sin(2 * np.pi * phase)
    pelvis = np.array([0.0, THIGH + SHANK + ANKLE, sway])
    neck = pelvis - _down(-180.0 - lean_deg, 0.0) + _up(lean_deg, TRUNK)
    head = neck + _up(lean_deg * 0.5, 0.185) + np.array([0.025, 0.0, 0.0])
    joints = {"pelvis": pelvis, "neck": neck, "head": head, "waist": pelvis + _up(lean_deg, 0.17)}
    for side, z in (("l", -1.0), ("r", 1.0)):
        across = np.array([-np.sin(twist) * z, 0.0, np.cos(twist) * z])
        joints[f"shoulder_{side}"] = neck + across * 0.165 + np.array([0.0, -0.045, 0.0])
    return joints


def _up(lean_deg: float, length: float) -> Vec:
    a = np.radians(lean_deg)
    return np.array([np.sin(a) * length, np.cos(a) * length, 0.0])


def _leg(side: str, z: float, phase: float, stride: float, pelvis: Vec) -> dict[str, Vec]:
    hip_deg, knee_deg, foot_deg = (
        float(np.interp(phase, _AT, table)) * stride for table in (_HIP, _KNEE, _FOOT)
    )
    hip = pelvis + np.array([0.0, 0.0, 0.09 * z])
    knee = hip + _down(hip_deg, THIGH, 0.005 * z)
    ankle = knee + _down(hip_deg - knee_deg, SHANK, -0.005 * z)
    a = np.radians(foot_deg)
    ahead, below = np.array([np.cos(a), np.sin(a), 0.0]), np.array([np.sin(a), -np.cos(a), 0.0])
    out = np.array([0.0, 0.0, 0.02 * z])
    return {
        f"hip_{side}": hip, f"knee_{side}": knee, f"ankle_{side}": ankle,
        f"heel_{side}": ankle - ahead * 0.045 + below * ANKLE,
        f"toe_{side}": ankle + ahead * 0.175 + below * ANKLE + out,
    }  # fmt: skip


def _arm(side: str, phase: float, stride: float, shoulder: Vec) -> dict[str, Vec]:
    z = 1.0 if side == "r" else -1.0
    swing = -22.0 * stride * np.cos(2 * np.pi * phase) + 2.0
    bend = 14.0 + 12.0 * stride * (1 - np.cos(2 * np.pi * phase + 2.6)) / 2 + 6.0 * stride
    elbow = shoulder + _down(swing, UPPER_ARM, 0.045 * z)
    wrist = elbow + _down(swing + bend, FOREARM, -0.01 * z)
    hand = wrist + _down(swing + bend + 6.0, 0.085, -0.005 * z)
    return {f"elbow_{side}": elbow, f"wrist_{side}": wrist, f"hand_{side}": hand}
