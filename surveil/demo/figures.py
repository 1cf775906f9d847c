"""Drawn people: their appearance, and their picture from one side at one moment of a walk.

A figure is some forty tapered capsules around the joints of a `Pose`, drawn orthographically with a
depth buffer, softened where they meet, lit by a sun and a sky, and given creases where limbs meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surveil.demo.gait import Pose, Vec
from surveil.demo.render import Matter, Solid, Sprite, Sun, render

Colour = tuple[float, float, float]
"""Blue, green, red in 0..1, before light falls on it."""

_SKINS: tuple[Colour, ...] = ((0.45, 0.56, 0.78), (0.36, 0.47, 0.68), (0.22, 0.31, 0.48), (0.50, 0.62, 0.84))
_HAIRS: tuple[Colour, ...] = ((0.04, 0.05, 0.07), (0.08, 0.12, 0.18), (0.20, 0.33, 0.46), (0.30, 0.31, 0.32))
_TOPS: tuple[Colour, ...] = (
    (0.45, 0.16, 0.10), (0.12, 0.12, 0.52), (0.16, 0.30, 0.14), (0.62, 0.62, 0.60), (0.10, 0.10, 0.11),
    (0.16, 0.42, 0.66), (0.42, 0.30, 0.22), (0.36, 0.14, 0.34),
)  # fmt: skip
_BOTTOMS: tuple[Colour, ...] = (
    (0.34, 0.22, 0.14), (0.10, 0.09, 0.09), (0.26, 0.34, 0.42), (0.22, 0.16, 0.13), (0.30, 0.30, 0.30),
)  # fmt: skip
_SHOES: tuple[Colour, ...] = ((0.05, 0.05, 0.06), (0.70, 0.70, 0.70), (0.10, 0.16, 0.26))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clothing:
    """The appearance of a person."""

    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoes: Colour
    height: float
    """m."""
    build: float
    """Girth beside the average, 0.9..1.15."""
    long_sleeves: bool
    long_hair: bool
    backpack: bool
    seed: int
    """Of the cloth's texture."""

    @classmethod
    def sample(cls, seed: int) -> Clothing:
        """Return the look of person `seed`: the same for the same seed."""
        rng = np.random.default_rng([seed, 77])

        def one(colours: tuple[Colour, ...]) -> Colour:
            return colours[int(rng.integers(len(colours)))]

        return cls(
            skin=one(_SKINS), hair=one(_HAIRS), top=_TOPS[seed % len(_TOPS)], bottom=one(_BOTTOMS),
            shoes=one(_SHOES), height=float(rng.uniform(1.64, 1.88)), build=float(rng.uniform(0.95, 1.1)),
            long_sleeves=bool(rng.random() < 0.65), long_hair=bool(rng.random() < 0.35),
            backpack=bool(rng.random() < 0.3), seed=seed,
        )  # fmt: skip


def draw_figure(
    look: Clothing, pose: Pose, *, heading_deg: float, pitch_deg: float, scale: float, sun: Sun
) -> Sprite:
    """Return the figure as seen by a camera that looks down by `pitch_deg`.

    `heading_deg`: 0 walks to the right of the picture, 90 away from the camera, 270 towards it.
    `scale`: px per m. The sprite's origin is the ground point below the pelvis.
    """
    solids = [*_legs(look, pose), *_torso(look, pose), *_arms(look, pose), *_head(look, pose)]
    size = look.height / 1.75
    return render(solids, (heading_deg, pitch_deg), scale * size, sun, seed=look.seed)


def _legs(look: Clothing, pose: Pose) -> list[Solid]:
    solids = []
    b = look.build
    for s in "lr":
        hip, knee, ankle = pose[f"hip_{s}"], pose[f"knee_{s}"], pose[f"ankle_{s}"]
        toe, heel = pose[f"toe_{s}"], pose[f"heel_{s}"]
        hem = knee + (ankle - knee) * 0.97
        up = np.array([0.0, 0.035, 0.0])
        ball = heel + (toe - heel) * 0.68
        solids += [
            Matter(look.bottom, "cloth").capsule(hip, knee, 0.092 * b, 0.066 * b),
            Matter(look.bottom, "cloth").capsule(knee, hem, 0.066 * b, 0.056 * b),
            Matter(look.shoes, "leather").capsule(heel + up, ball + up, 0.042, 0.046),
            Matter(look.shoes, "leather").capsule(ball + up * 0.9, toe + up * 0.8, 0.046, 0.032),
        ]
    return solids


def _torso(look: Clothing, pose: Pose) -> list[Solid]:
    b = look.build
    pelvis, waist, neck = pose["pelvis"], pose["waist"], pose["neck"]
    left, right = pose["shoulder_l"], pose["shoulder_r"]
    across = (right - left) / np.linalg.norm(right - left)
    solids = [Matter(look.bottom, "cloth").capsule(pose["hip_l"], pose["hip_r"], 0.092 * b, 0.092 * b)]
    chest = (left + right) / 2 - np.array([0.0, 0.10, 0.0])
    hem = pelvis - np.array([0.0, 0.01, 0.0])
    for z in (-1.0, 0.0, 1.0):
        solids += [
            Matter(look.top, "cloth").capsule(
                hem + across * 0.085 * z, waist + across * 0.06 * z, 0.115 * b, 0.10 * b
            ),
            Matter(look.top, "cloth").capsule(
                waist + across * 0.06 * z, chest + across * 0.085 * z, 0.10 * b, 0.108 * b
            ),
        ]
    inner = np.array([0.0, 0.012, 0.0])
    solids += [
        Matter(look.top, "cloth").capsule(left + inner, right + inner, 0.068, 0.068),
        Matter(look.top, "cloth").capsule(chest, neck - np.array([0.0, 0.045, 0.0]), 0.11, 0.085),
        Matter(look.top, "cloth").capsule(left, neck, 0.066, 0.058),
        Matter(look.top, "cloth").capsule(right, neck, 0.066, 0.058),
    ]
    return solids + (_backpack(look, chest, waist, across) if look.backpack else [])


def _backpack(look: Clothing, chest: Vec, waist: Vec, across: Vec) -> list[Solid]:
    back = np.array([-0.17, 0.0, 0.0])
    colour = (look.top[2] * 0.4, look.top[1] * 0.4, look.top[0] * 0.4)
    return [
        Matter(colour, "leather").capsule(
            chest + back + across * 0.06 * z, waist + back + across * 0.07 * z, 0.08, 0.09
        )
        for z in (-1.0, 1.0)
    ]


def _arms(look: Clothing, pose: Pose) -> list[Solid]:
    solids = []
    b = look.build
    for s in "lr":
        shoulder, elbow, wrist = pose[f"shoulder_{s}"], pose[f"elbow_{s}"], pose[f"wrist_{s}"]
        hand = pose[f"hand_{s}"]
        sleeve = look.top if look.long_sleeves else look.skin
        upper = shoulder + (elbow - shoulder) * 0.75
        solids += [
            Matter(look.top, "cloth").capsule(shoulder, upper, 0.064 * b, 0.056 * b),
            Matter(sleeve, "cloth" if look.long_sleeves else "skin").capsule(
                upper, elbow, 0.050 * b, 0.047 * b
            ),
            Matter(sleeve, "cloth" if look.long_sleeves else "skin").capsule(elbow, wrist, 0.046 * b, 0.036),
            Matter(look.skin, "skin").capsule(wrist, hand, 0.034, 0.036),
            Matter(look.skin, "skin").capsule(hand, hand + (hand - wrist) * 0.6, 0.034, 0.022),
        ]
    return solids


def _head(look: Clothing, pose: Pose) -> list[Solid]:
    head, neck = pose["head"], pose["neck"]

    def at(x: float, y: float, z: float = 0.0) -> Vec:
        return np.asarray(head + np.array([x, y, z]))

    dark = (look.skin[0] * 0.35, look.skin[1] * 0.35, look.skin[2] * 0.4)
    skin = Matter(look.skin, "skin")
    hair = Matter(look.hair, "hair")
    eyes = Matter(dark, "skin")
    lips = Matter((dark[0], dark[1], dark[2] * 1.6), "skin")
    solids = [
        skin.capsule(neck - np.array([0.0, 0.03, 0.0]), at(-0.02, -0.06), 0.056, 0.052),
        skin.capsule(at(0.012, -0.075), at(0.0, 0.035), 0.056, 0.082),
        skin.capsule(at(0.03, -0.07), at(0.02, 0.02), 0.045, 0.068),
        skin.capsule(at(-0.025, 0.045), at(-0.03, 0.05), 0.09, 0.09),
        skin.capsule(at(0.085, -0.03), at(0.08, 0.005), 0.016, 0.012),
        # Hair: a cap that leaves the face free.
        hair.capsule(at(-0.022, 0.052), at(-0.04, 0.03), 0.097, 0.096),
        hair.capsule(at(-0.05, 0.0), at(-0.05, -0.045), 0.075, 0.06),
        hair.capsule(at(0.04, 0.085), at(-0.03, 0.075), 0.045, 0.075),
    ]
    if look.long_hair:
        solids.append(hair.capsule(at(-0.055, 0.0), at(-0.075, -0.17), 0.078, 0.05))
    for z in (-1.0, 1.0):
        solids += [
            eyes.capsule(at(0.076, 0.012, 0.03 * z), at(0.076, 0.012, 0.036 * z), 0.013, 0.013),
            skin.capsule(at(0.0, 0.01, 0.082 * z), at(0.0, -0.02, 0.08 * z), 0.02, 0.014),
            hair.capsule(at(0.078, 0.032, 0.02 * z), at(0.07, 0.034, 0.048 * z), 0.008, 0.007),
        ]
    solids.append(lips.capsule(at(0.08, -0.06, -0.018), at(0.08, -0.06, 0.018), 0.007, 0.007))
    return solids
