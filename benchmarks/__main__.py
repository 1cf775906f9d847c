"""`make bench`: every benchmark that needs no footage, one after the other; some 45 minutes.

Each is a command of its own that takes 5 minutes or less (`docs/performance.md` names them).
"""

from __future__ import annotations

import subprocess
import sys

COMMANDS = (
    "surveil bench",
    *(f"benchmarks.cpu --sizes {size} --cameras {count}" for size in ("720p", "1080p") for count in (1, 4)),
    "benchmarks.cpu --sizes 720p --cameras 1 --busy",
    "benchmarks.overload throughput",
    "benchmarks.overload fairness",
    "benchmarks.overload latency",
    "benchmarks.slow_decode",
    "benchmarks.reconnects",
    "benchmarks.stop",
    "benchmarks.reload",
)


def main() -> None:
    """Run them, each in a process of its own; one that fails does not stop the others."""
    failed = [command for command in COMMANDS if _run(command)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(command: str) -> int:
    sys.stdout.write(f"\n$ python -m {command}\n")
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", *command.split()], check=False).returncode


if __name__ == "__main__":
    main()
