"""`python -m model_build FOLDER`: make the default models without building a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

from model_build.make import make

if __name__ == "__main__":
    for path in make(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")
