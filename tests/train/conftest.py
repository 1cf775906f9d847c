"""The clips that the integration tests draw."""

from tests.integration.conftest import passing, passing_clip
from tests.intervals import few_resamples

__all__ = ["few_resamples", "passing", "passing_clip"]
