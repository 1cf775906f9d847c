"""The clips that the integration tests draw."""

# `logs` writes to the stderr of its import: first imported under a runner, it would write to what is closed.
from surveil import logs
from tests.integration.conftest import passing, passing_clip

__all__ = ["logs", "passing", "passing_clip"]
