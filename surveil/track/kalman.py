"""A Kalman filter for boxes, in seconds, for all tracks at once.

Centre x, centre y, width and height are four independent constant-velocity filters driven by white
noise in the acceleration (Bar-Shalom, Estimation with Applications to Tracking, 6.2.2), so a 2x2
covariance each suffices and any time step is right: nothing is tuned to a frame rate. Noise is relative
to the object's size (the root of its area), as distances matter relative to it.

A state is float64 (5, 4): rows position, velocity, variance of position, covariance of both, variance
of velocity; columns centre x, centre y (px), width, height (px). Functions take (n, 5, 4).
"""

from __future__ import annotations

import numpy as np

from surveil.types import Doubles

MEASURED = np.array([0.09, 0.09, 0.15, 0.15])
"""Standard deviation of a detection, in object sizes."""
SPEED = np.array([1.2, 1.2, 0.15, 0.15])
"""Standard deviation of an unknown velocity, in object sizes a second."""
CHANGE = np.array([0.35, 0.35, 0.09, 0.09])
"""How much a velocity may change in a second (standard deviation), in object sizes a second."""
LEAST_SIZE_PX = 4.0
HOLD_S = 0.5
"""Where nothing moves, a velocity is forgotten with this time constant."""


def start(boxes: Doubles) -> Doubles:
    """States (n, 5, 4) of objects first seen in `boxes` (n, 4)."""
    size = _size(_measured(boxes))
    states = np.zeros((len(boxes), 5, 4))
    states[:, 0] = _measured(boxes)
    states[:, 2] = (MEASURED * size) ** 2
    states[:, 4] = (SPEED * size) ** 2
    return states


def predict(states: Doubles, dt: float) -> Doubles:
    """The states `dt` seconds later, when nothing has been seen in between."""
    x, v, p, c, q = (states[:, row] for row in range(5))
    noise = (CHANGE * _size(x)) ** 2
    later = np.empty_like(states)
    later[:, 0] = x + v * dt
    later[:, 1] = v
    later[:, 2] = p + 2 * dt * c + dt * dt * q + noise * dt**3 / 3
    # An unknown velocity stays within what objects can do, however long nobody looked. The covariance
    # shrinks with it, or the matrix would no longer be one.
    grown = q + noise * dt
    share = np.minimum(1.0, (2 * SPEED * _size(x)) ** 2 / grown)
    later[:, 3] = (c + dt * q + noise * dt**2 / 2) * np.sqrt(share)
    later[:, 4] = grown * share
    later[:, 0, 2:] = np.maximum(later[:, 0, 2:], x[:, 2:] * 0.5)
    return later


def correct(states: Doubles, boxes: Doubles, trust: Doubles) -> Doubles:
    """The states after `boxes` (n, 4) were measured; `trust` (n,) in 0..1 is the detector's score.

    A weak detection moves the state less (after the NSA filter of Du et al., GIAOTracker, 2021).
    """
    x, v, p, c, q = (states[:, row] for row in range(5))
    measured = _measured(boxes)
    noise = (MEASURED * _size(x)) ** 2 * (1.5 - trust)[:, None]
    gain_x, gain_v = p / (p + noise), c / (p + noise)
    surprise = measured - x
    after = np.empty_like(states)
    after[:, 0] = x + gain_x * surprise
    after[:, 1] = v + gain_v * surprise
    after[:, 2] = (1 - gain_x) * p
    after[:, 3] = (1 - gain_x) * c
    after[:, 4] = q - gain_v * c
    return after


def boxes(states: Doubles) -> Doubles:
    """The boxes x1 y1 x2 y2 (n, 4) px of states."""
    centre, half = states[:, 0, :2], np.maximum(states[:, 0, 2:], 1.0) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def doubt(states: Doubles) -> Doubles:
    """Standard deviation of the centre, (n, 2) px."""
    deviation: Doubles = np.sqrt(states[:, 2, :2])
    return deviation


def _measured(of: Doubles) -> Doubles:
    """Boxes as centre x, centre y, width, height."""
    return np.concatenate([(of[:, :2] + of[:, 2:]) / 2, of[:, 2:] - of[:, :2]], axis=1)


def _size(x: Doubles) -> Doubles:
    """The root of the area, (n, 1) px."""
    sides = np.maximum(x[:, 2:], LEAST_SIZE_PX)
    size: Doubles = np.sqrt(sides[:, :1] * sides[:, 1:])
    return size


def hold(states: Doubles, dt: float) -> Doubles:
    """The states after `dt` seconds in which nothing moved: the place stays, the velocity fades."""
    x, v, p = (states[:, row] for row in range(3))
    held = np.zeros_like(states)
    held[:, 0] = x
    held[:, 1] = v * np.exp(-dt / HOLD_S)
    held[:, 2] = np.maximum(p, (MEASURED * _size(x)) ** 2)
    held[:, 4] = (SPEED * _size(x)) ** 2
    return held


def rescale(states: Doubles, x: float, y: float) -> Doubles:
    """The states in a picture that is `x` times as wide and `y` times as high."""
    factor = np.array([x, y, x, y])
    rescaled: Doubles = states * np.stack([factor, factor, factor**2, factor**2, factor**2])
    return rescaled
