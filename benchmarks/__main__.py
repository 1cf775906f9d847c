"""`make bench`: the cost of each part, then the whole daemon beside a bare decoder."""

from __future__ import annotations

import subprocess
import sys


def main() -> None:
    """Run the benchmarks that need no footage, one after the other."""
    for module in (("surveil", "bench"), ("benchmarks.cpu",), ("benchmarks.cpu", "--busy", "--cameras", "1")):
        subprocess.run([sys.executable, "-m", *module], check=True)


if __name__ == "__main__":
    main()
