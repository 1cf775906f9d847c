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
    from surveil.logs import scrub  # noqa: PLC0415 - as above

    # The exit code says it, too, where the log cannot.
    with suppress(OSError):
        sys.stderr.write(f"{_spoken(scrub(text))}\n")


def _spoken(text: str) -> str:
    """Return an error in the language of the terminal, as far as that knows it."""
    from surveil.cli.lazy import is_chinese  # noqa: PLC0415 - loaded by then

    if not is_chinese():
        return text
    from surveil.language.errors import in_chinese  # noqa: PLC0415 - English needs no catalogue

    return "\n".join(map(in_chinese, text.splitlines()))
