"""The commands, run in this process as a shell would."""

import pytest
from typer.testing import CliRunner

from surveil.cli.root import app


def surveil(*words):
    """Return the exit code and what was printed."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, done.stdout


def refused(kind, *words):
    """Return what the error says that a command ends with."""
    with pytest.raises(kind) as caught:
        surveil(*words)
    return str(caught.value)
