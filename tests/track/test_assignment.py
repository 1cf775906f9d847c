"""Our pairing costs what SciPy's costs, for any matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from surveil.track.assignment import least_cost

shapes = st.tuples(st.integers(1, 8), st.integers(1, 8))
matrices = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-10, 10)))


@given(matrices)
def test_the_total_is_the_least_there_is(cost):
    rows, columns = linear_sum_assignment(cost)
    pairs = least_cost(cost.tolist())
    assert len(pairs) == min(cost.shape)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert sum(cost[r, c] for r, c in pairs) == pytest.approx(cost[rows, columns].sum(), abs=1e-6)


def test_nothing_is_paired_with_nothing():
    assert least_cost([]) == []
    assert least_cost([[], []]) == []
