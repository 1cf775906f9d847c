"""People, drawn: what somebody looks like, and his picture from one side at one moment of his walk.

A figure is some forty tapered capsules around the joints of a `Pose`, drawn orthographically with a
depth buffer, softened where they meet, lit by a sun and a sky, and given creases where limbs meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surveil.demo.gait import Pose, Vec
from surveil.demo.render import Solid, Sprite, Sun, render

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
    """What somebody looks like."""

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
            Solid(a=hip, b=knee, ra=0.092 * b, rb=0.066 * b, colour=look.bottom, material="cloth"),
            Solid(a=knee, b=hem, ra=0.066 * b, rb=0.056 * b, colour=look.bottom, material="cloth"),
            Solid(a=heel + up, b=ball + up, ra=0.042, rb=0.046, colour=look.shoes, material="leather"),
            Solid(
                a=ball + up * 0.9, b=toe + up * 0.8, ra=0.046, rb=0.032, colour=look.shoes, material="leather"
            ),
        ]
    return solids


def _torso(look: Clothing, pose: Pose) -> list[Solid]:
    b = look.build
    pelvis, waist, neck = pose["pelvis"], pose["waist"], pose["neck"]
    left, right = pose["shoulder_l"], pose["shoulder_r"]
    across = (right - left) / np.linalg.norm(right - left)
    solids = [
        Solid(
            a=pose["hip_l"], b=pose["hip_r"], ra=0.092 * b, rb=0.092 * b, colour=look.bottom, material="cloth"
        )
    ]
    chest = (left + right) / 2 - np.array([0.0, 0.10, 0.0])
    hem = pelvis - np.array([0.0, 0.01, 0.0])
    for z in (-1.0, 0.0, 1.0):
        solids += [
            Solid(
                a=hem + across * 0.085 * z,
                b=waist + across * 0.06 * z,
                ra=0.115 * b,
                rb=0.10 * b,
                colour=look.top,
                material="cloth",
            ),
            Solid(
                a=waist + across * 0.06 * z,
                b=chest + across * 0.085 * z,
                ra=0.10 * b,
                rb=0.108 * b,
                colour=look.top,
                material="cloth",
            ),
        ]
    inner = np.array([0.0, 0.012, 0.0])
    solids += [
        Solid(a=left + inner, b=right + inner, ra=0.068, rb=0.068, colour=look.top, material="cloth"),
        Solid(
            a=chest,
            b=neck - np.array([0.0, 0.045, 0.0]),
            ra=0.11,
            rb=0.085,
            colour=look.top,
            material="cloth",
        ),
        Solid(a=left, b=neck, ra=0.066, rb=0.058, colour=look.top, material="cloth"),
        Solid(a=right, b=neck, ra=0.066, rb=0.058, colour=look.top, material="cloth"),
    ]
    return solids + (_backpack(look, chest, waist, across) if look.backpack else [])


def _backpack(look: Clothing, chest: Vec, waist: Vec, across: Vec) -> list[Solid]:
    back = np.array([-0.17, 0.0, 0.0])
    colour = (look.top[2] * 0.4, look.top[1] * 0.4, look.top[0] * 0.4)
    return [
        Solid(
            a=chest + back + across * 0.06 * z,
            b=waist + back + across * 0.07 * z,
            ra=0.08,
            rb=0.09,
            colour=colour,
            material="leather",
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
            Solid(a=shoulder, b=upper, ra=0.064 * b, rb=0.056 * b, colour=look.top, material="cloth"),
            Solid(
                a=upper,
                b=elbow,
                ra=0.050 * b,
                rb=0.047 * b,
                colour=sleeve,
                material="cloth" if look.long_sleeves else "skin",
            ),
            Solid(
                a=elbow,
                b=wrist,
                ra=0.046 * b,
                rb=0.036,
                colour=sleeve,
                material="cloth" if look.long_sleeves else "skin",
            ),
            Solid(a=wrist, b=hand, ra=0.034, rb=0.036, colour=look.skin, material="skin"),
            Solid(
                a=hand, b=hand + (hand - wrist) * 0.6, ra=0.034, rb=0.022, colour=look.skin, material="skin"
            ),
        ]
    return solids


def _head(look: Clothing, pose: Pose) -> list[Solid]:
    head, neck = pose["head"], pose["neck"]

    def at(x: float, y: float, z: float = 0.0) -> Vec:
        return np.asarray(head + np.array([x, y, z]))

    dark = (look.skin[0] * 0.35, look.skin[1] * 0.35, look.skin[2] * 0.4)
    solids = [
        Solid(
            a=neck - np.array([0.0, 0.03, 0.0]),
            b=at(-0.02, -0.06),
            ra=0.056,
            rb=0.052,
            colour=look.skin,
            material="skin",
        ),
        Solid(a=at(0.012, -0.075), b=at(0.0, 0.035), ra=0.056, rb=0.082, colour=look.skin, material="skin"),
        Solid(a=at(0.03, -0.07), b=at(0.02, 0.02), ra=0.045, rb=0.068, colour=look.skin, material="skin"),
        Solid(a=at(-0.025, 0.045), b=at(-0.03, 0.05), ra=0.09, rb=0.09, colour=look.skin, material="skin"),
        Solid(a=at(0.085, -0.03), b=at(0.08, 0.005), ra=0.016, rb=0.012, colour=look.skin, material="skin"),
        # Hair: a cap that leaves the face free.
        Solid(a=at(-0.022, 0.052), b=at(-0.04, 0.03), ra=0.097, rb=0.096, colour=look.hair, material="hair"),
        Solid(a=at(-0.05, 0.0), b=at(-0.05, -0.045), ra=0.075, rb=0.06, colour=look.hair, material="hair"),
        Solid(a=at(0.04, 0.085), b=at(-0.03, 0.075), ra=0.045, rb=0.075, colour=look.hair, material="hair"),
    ]
    if look.long_hair:
        solids.append(
            Solid(
                a=at(-0.055, 0.0), b=at(-0.075, -0.17), ra=0.078, rb=0.05, colour=look.hair, material="hair"
            )
        )
    for z in (-1.0, 1.0):
        solids += [
            Solid(
                a=at(0.076, 0.012, 0.03 * z),
                b=at(0.076, 0.012, 0.036 * z),
                ra=0.013,
                rb=0.013,
                colour=dark,
                material="skin",
            ),
            Solid(
                a=at(0.0, 0.01, 0.082 * z),
                b=at(0.0, -0.02, 0.08 * z),
                ra=0.02,
                rb=0.014,
                colour=look.skin,
                material="skin",
            ),
            Solid(
                a=at(0.078, 0.032, 0.02 * z),
                b=at(0.07, 0.034, 0.048 * z),
                ra=0.008,
                rb=0.007,
                colour=look.hair,
                material="hair",
            ),
        ]
    solids.append(
        Solid(
            a=at(0.08, -0.06, -0.018),
            b=at(0.08, -0.06, 0.018),
            ra=0.007,
            rb=0.007,
            colour=(dark[0], dark[1], dark[2] * 1.6),
            material="skin",
        )
    )
    return solids
