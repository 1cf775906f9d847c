"""Write the hash-pinned requirement files beside this one from `pyproject.toml`; needs pip-tools.

    python requirements/lock.py          # keeps the pins that still fit
    python requirements/lock.py --upgrade

No index address is written: the files hold for whatever mirror pip is set up with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = """\
# Made by requirements/lock.py from pyproject.toml for Python 3.11 to 3.13 on x86-64 Linux; do not edit.
# {what}
"""
LEFT_OUT = ("cuda", "fleet", "train")
"""Large extras that no test of `make test` needs."""
RUNTIME = "onnxruntime"
"""Its CPU build is in `run.txt`, its GPU build in `gpu.txt`, neither in `dev.txt`, which goes on top of either."""
OPTIONS = (
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    "--quiet",
)


def main() -> None:
    """Lock the run-time set first; the development set must agree with it."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    run = project["project"]["dependencies"]
    others = [requirement for requirement in run if not requirement.startswith(RUNTIME)]
    extras = [
        requirement
        for name, group in project["project"]["optional-dependencies"].items()
        if name not in LEFT_OUT
        for requirement in group
    ]
    build = [*project["build-system"]["requires"], "editables"]
    lock("build.txt", build, "What building surveil needs.", constraint=HERE / "run.txt")
    dev = [*others, *extras, *build, *project["dependency-groups"]["dev"]]
    lock("run.txt", run, "What the daemon needs to run.")
    gpu = [requirement.replace(RUNTIME, f"{RUNTIME}-gpu") for requirement in run]
    lock("gpu.txt", gpu, "What the daemon needs to run on a GPU.", constraint=HERE / "run.txt")
    lock("dev.txt", dev, "What building, testing and checking need besides.", constraint=HERE / "run.txt")


def lock(name: str, requirements: list[str], what: str, constraint: Path | None = None) -> None:
    """Resolve `requirements` and write `name`."""
    target = HERE / name
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "all.in", Path(folder) / name
        pins = [f"-c {constraint}"] if constraint else []
        source.write_text("\n".join([*requirements, *pins]) + "\n")
        if target.exists():
            output.write_text(target.read_text())
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *sys.argv[1:]]
        subprocess.run([*command, "--output-file", str(output), str(source)], check=True)
        lines = [line for line in output.read_text().splitlines() if not line.startswith("#")]
    target.write_text(HEADER.format(what=what) + "\n".join(lines).strip() + "\n")


if __name__ == "__main__":
    main()
