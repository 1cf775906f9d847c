"""Evaluations draw few resamples."""

from tests.intervals import few_resamples

__all__ = ["few_resamples"]
