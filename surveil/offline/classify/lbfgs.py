"""The minimum of a smooth convex function of many variables, from its gradient.

Limited-memory BFGS (J. Nocedal and S. Wright, *Numerical Optimization*, 2nd ed., algorithms 7.4 and 7.5) with
backtracking. SciPy has it, too; its package is 140 MB of an installation, and this is all that was used of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from surveil.types import Doubles

Loss = Callable[[Doubles], tuple[float, Doubles]]
MEMORY = 10
STEPS = 200
_FLAT = 1e-5
"""Largest component of the gradient at which the minimum is reached."""
_GAIN = 1e-12
"""Relative decrease of a step from which further ones do not pay."""
_ENOUGH = 1e-4
"""Share of the decrease that the slope promises which a step must bring (Armijo)."""
_HALVINGS = 40

_Pairs = deque[tuple[Doubles, Doubles, float]]


def minimise(loss: Loss, start: Doubles) -> Doubles:
    """Return where `loss` is least, float64 (n,). `loss` gives its value and gradient, float64 (n,)."""
    x = start
    value, gradient = loss(x)
    pairs: _Pairs = deque(maxlen=MEMORY)
    for _ in range(STEPS):
        if float(np.abs(gradient).max()) < _FLAT:
            break
        found = _step(loss, x, value, gradient, _direction(gradient, pairs))
        if found is None:
            break
        at, lower, slope = found
        _remember(pairs, at - x, slope - gradient)
        gain = value - lower
        x, value, gradient = at, lower, slope
        if gain <= _GAIN * max(abs(value), 1.0):
            break
    return x


def _direction(gradient: Doubles, pairs: _Pairs) -> Doubles:
    """Return minus the gradient times the approximate inverse of the curvature (two-loop recursion)."""
    q = -gradient
    if not pairs:
        return np.asarray(q / max(1.0, float(np.linalg.norm(gradient))))
    shares = []
    for moved, turned, scale in reversed(pairs):
        shares.append(scale * float(moved @ q))
        q = q - shares[-1] * turned
    moved, turned, _ = pairs[-1]
    q = q * (float(moved @ turned) / float(turned @ turned))
    for (moved, turned, scale), share in zip(pairs, reversed(shares), strict=True):
        q = q + (share - scale * float(turned @ q)) * moved
    return q


def _step(
    loss: Loss, x: Doubles, value: float, gradient: Doubles, direction: Doubles
) -> tuple[Doubles, float, Doubles] | None:
    """Return where a step along `direction` decreases the loss enough, with value and gradient; None if nowhere."""
    promised = float(gradient @ direction)
    length = 1.0
    for _ in range(_HALVINGS):
        at = x + length * direction
        lower, slope = loss(at)
        if lower <= value + _ENOUGH * length * promised:
            return at, lower, slope
        length /= 2
    return None


def _remember(pairs: _Pairs, moved: Doubles, turned: Doubles) -> None:
    """Keep a pair of steps in place and gradient, unless rounding has left no curvature in it."""
    curvature = float(moved @ turned)
    if curvature > 1e-10 * float(turned @ turned):
        pairs.append((moved, turned, 1 / curvature))
