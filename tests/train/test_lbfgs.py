"""Our minimum is SciPy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar, rosen, rosen_der

from surveil.offline.classify.head import log_loss, temperature
from surveil.offline.classify.lbfgs import minimise


def logistic(seed, n, d, penalty):
    noise = np.random.default_rng(seed)
    x, y = noise.normal(size=(n, d)) * noise.uniform(0.5, 2, d), noise.choice([-1.0, 1.0], n)

    def loss(w):
        margins = y * (x @ w)
        slope = -y / (1 + np.exp(margins)) / n
        return float(np.logaddexp(0, -margins).mean()) + penalty * float(w @ w) / 2, x.T @ slope + penalty * w

    return loss


@settings(max_examples=30)  # each takes two solvers 40 ms
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 40), st.sampled_from([1e-4, 1e-2, 1.0]))
def test_a_regularised_classifier(seed, n, d, penalty):
    loss = logistic(seed, n, d, penalty)
    theirs = minimize(loss, np.zeros(d), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    assert loss(minimise(loss, np.zeros(d)))[0] <= theirs.fun + 1e-5 * max(1.0, abs(theirs.fun))


def test_a_valley_that_bends():
    found = minimise(lambda x: (float(rosen(x)), rosen_der(x)), np.array([-1.2, 1.0, -0.5, 2.0]))
    assert found == pytest.approx(np.ones(4), abs=1e-3)


def test_at_the_minimum_it_stays():
    start = np.array([3.0, -2.0])
    assert minimise(lambda x: (float(((x - start) ** 2).sum()), 2 * (x - start)), start) is start


def test_a_value_that_cannot_fall_ends_it():
    """A gradient that promises what the value does not keep."""
    start = np.array([1.0])
    assert minimise(lambda _: (1.0, np.array([1.0])), start) is start


@given(st.integers(0, 10**6), st.floats(0.3, 15))
def test_the_temperature(seed, scale):
    noise = np.random.default_rng(seed)
    labels = noise.integers(0, 3, 200)
    logits = (np.eye(3)[labels] + noise.normal(size=(200, 3))) * scale
    best = minimize_scalar(
        lambda t: log_loss(logits / np.exp(t), labels), bounds=(np.log(0.2), np.log(20)), method="bounded"
    )
    assert log_loss(logits / temperature(logits, labels), labels) <= best.fun + 1e-7
