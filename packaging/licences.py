"""Print the licences of every package in the environment that runs this, with their texts.

    /opt/surveil/bin/python packaging/licences.py [--table]

`--table` prints the section of NOTICE: name and licence of what surveil runs on.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

LIST = Path(__file__).parents[1] / "requirements" / "run.txt"
# What the packages say, in the words of SPDX.
SPDX = {
    "Apache 2.0": "Apache-2.0", "Apache Software License": "Apache-2.0", "MIT License": "MIT",
    "ISC License (ISCL)": "ISC", "ISC License": "ISC", "3-Clause BSD License": "BSD-3-Clause",
}  # fmt: skip
_TEXT = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)


def main() -> None:
    """Print the table or the whole."""
    if "--table" in sys.argv[1:]:
        for name in pinned():
            print(f"    {name:24}{licence(metadata.distribution(name))}")
        return
    for one in sorted(metadata.distributions(), key=lambda d: d.name.lower()):
        print(f"{'=' * 72}\n{one.name} {one.version}: {licence(one)}\n")
        for text in texts(one):
            print(f"{text}\n")


def pinned() -> list[str]:
    """Return the names of the packages that surveil runs on."""
    return re.findall(r"^([a-z0-9-]+)==", LIST.read_text(), re.MULTILINE)


def licence(one: metadata.Distribution) -> str:
    """Return the licence by its SPDX expression where the package names it."""
    about = one.metadata
    if expression := about.get("License-Expression"):
        return str(expression)
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    said = classifiers or (about.get("License") or "not stated").splitlines()[:1]
    return " OR ".join(SPDX.get(text, text) for text in said)


def texts(one: metadata.Distribution) -> list[str]:
    """Return the texts of its licences, each once."""
    files = [
        Path(str(file.locate()))
        for file in one.files or []
        if _TEXT.search(file.name) and file.suffix not in (".py", ".pyc")
    ]
    return list(dict.fromkeys(file.read_text(errors="replace") for file in files if file.is_file()))


if __name__ == "__main__":
    main()
