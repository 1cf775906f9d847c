"""The command line. Each command is a thin layer over a function that can be called without it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from surveil.errors import EXIT_CONFIG, EXIT_FAILED, ConfigError, SurveilError


def main() -> None:
    """Run the command line; errors that surveil raises on purpose end in one clear message."""
    _open_standard_streams()
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


def _open_standard_streams() -> None:
    """Open `/dev/null` in the place of standard streams that were closed.

    Without one Python has None for the log, and the next file that is opened, a database perhaps, gets its number: what
    a library in C writes to stderr would be written into it.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given: this one, since those below are open.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def _say(text: str) -> None:
    from surveil.cli.lazy import spoken_error  # noqa: PLC0415 - loaded by then
    from surveil.logs import scrub  # noqa: PLC0415 - as above
    from surveil.wording import without_control  # noqa: PLC0415 - as above

    # The exit code says it, too, where the log cannot.
    with suppress(OSError):
        sys.stderr.write(f"{without_control(spoken_error(scrub(text)))}\n")
