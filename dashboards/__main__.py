"""Write the dashboards, or compare them with what is written."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dashboards import camera, fleet, pipeline, scene

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"
DASHBOARDS = {"fleet": fleet, "camera": camera, "pipeline": pipeline, "scene": scene}


def texts() -> dict[Path, str]:
    """Return what each file should hold."""
    return {
        FOLDER / f"{name}.json": json.dumps(module.dashboard(), indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
        for name, module in DASHBOARDS.items()
    }


def main() -> int:
    """Return 1 when `--check` finds a file that differs."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    if parser.parse_args().check:
        stale = [path for path, text in texts().items() if not path.exists() or path.read_text() != text]
        for path in stale:
            sys.stderr.write(f"{path.relative_to(FOLDER.parents[1])} is out of date: run make docs\n")
        return int(bool(stale))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in texts().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
