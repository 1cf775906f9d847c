"""The bounds are SciPy's quantiles of chi squared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from surveil import poisson


@given(st.integers(0, 3000), st.floats(0.01, 0.9999))
def test_the_exact_bounds(count, confidence):
    assert poisson.upper(count, confidence) == pytest.approx(
        chi2.ppf(confidence, 2 * count + 2) / 2, rel=1e-7
    )
    below = chi2.ppf(1 - confidence, 2 * count) / 2 if count else 0.0
    assert poisson.lower(count, confidence) == pytest.approx(below, rel=1e-6, abs=1e-9)


def test_of_nothing_seen_the_bound_is_three():
    assert poisson.upper(0, 0.95) == pytest.approx(2.9957, abs=1e-4)
    assert poisson.lower(0, 0.95) == 0.0
