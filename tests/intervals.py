"""Bootstrap intervals from few resamples, for tests that are about something else: a thousand are half of their CPU."""

import pytest

from surveil.offline.normality import figures


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    """Draw a hundred resamples instead of a thousand, but where the interval itself is judged."""
    if "interval" not in request.node.name and "bootstrap" not in request.node.name:
        monkeypatch.setattr(figures, "ROUNDS", 100)
