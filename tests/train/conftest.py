"""The clips that the integration tests draw."""

from tests.integration.conftest import passing, passing_clip

__all__ = ["passing", "passing_clip"]
