"""The command line. Each command is a thin layer over a function that can be called without it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from surveil.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, SurveilError


def main() -> None:
    """Run the command line; errors that surveil raises on purpose end in one clear message."""
    from surveil.cli.root import app  # noqa: PLC0415 - completion and --help must not wait for numpy

    try:
        app(prog_name="surveil")
    except ConfigError as error:
        _say("\n".join(error.messages))
        sys.exit(EXIT_CONFIG)
    except SurveilError as error:
        _say(f"surveil: {error}")
        sys.exit(EXIT_FAILED)
    except BrokenPipeError:
        # The reader of our output, `head` for example, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _say(text: str) -> None:
    from surveil.logs import scrub  # noqa: PLC0415 - as above

    # The exit code says it, too, where the log cannot.
    with suppress(OSError):
        sys.stderr.write(f"{scrub(text)}\n")
