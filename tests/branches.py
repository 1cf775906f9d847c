"""Share of the branches that the tests take: `python -m tests.branches`, after `coverage run`; see `make coverage`.

Fails when the heart has less than 95 %, or everything less than 85 %. A file that no test imports counts with none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HEART = (
    "surveil/engine.py", "surveil/events.py", "surveil/ring.py", "surveil/rules/", "surveil/track/",
    "surveil/alerts/outbox", "surveil/config/",
)  # fmt: skip
LEAST = {"heart": 95.0, "whole": 85.0}
SHOWN = 15
"""Files with the most branches that are not taken; of the heart all."""


def main() -> None:
    """Print both shares and where most is missing; exit with 1 below the least."""
    files = measured()
    shares = {"heart": share(part(files)), "whole": share(files)}
    lacking = sorted(files, key=lambda path: missing(files[path]), reverse=True)
    for path in lacking[:SHOWN] + [path for path in lacking[SHOWN:] if path.startswith(HEART)]:
        if missing(files[path]):
            print(f"{missing(files[path]):5} of {files[path]['num_branches']:4} branches not taken  {path}")
    for name, found in shares.items():
        print(f"{name:6} {found:.1f} % of branches, at least {LEAST[name]:g} %")
    sys.exit(any(found < LEAST[name] for name, found in shares.items()))


def measured() -> dict[str, dict[str, int]]:
    """Return what coverage found, by file."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "coverage.json"
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", "-o", str(page)], check=True)
        return {path: file["summary"] for path, file in json.loads(page.read_text())["files"].items()}


def part(files: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the heart."""
    return {path: file for path, file in files.items() if path.startswith(HEART)}


def missing(file: dict[str, int]) -> int:
    """Return how many branches of a file are not taken."""
    return file["num_branches"] - file["covered_branches"]


def share(files: dict[str, dict[str, int]]) -> float:
    """Return the share of the branches that are taken, %."""
    return (
        100
        * sum(f["covered_branches"] for f in files.values())
        / sum(f["num_branches"] for f in files.values())
    )


if __name__ == "__main__":
    main()
