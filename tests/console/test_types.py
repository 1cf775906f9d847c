"""The JSDoc types of the front end, checked by TypeScript; nothing is compiled."""

import os
import subprocess
from pathlib import Path

import playwright
import pytest

TSC = Path("/usr/share/nodejs/typescript/lib/tsc.js")
"""Debian's `node-typescript`."""
NODE = Path(playwright.__file__).parent / "driver" / "node"
PROJECT = Path(__file__).parent / "types" / "jsconfig.json"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.rig,
    pytest.mark.skipif(
        not TSC.exists() and os.environ.get("CI") != "true", reason="not installed: node-typescript"
    ),
]


def check(project):
    command = [str(NODE), str(TSC), "-p", str(project)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_types_agree():
    done = check(PROJECT)
    assert done.stdout == ""
    assert done.returncode == 0


def test_a_wrong_argument_is_found(tmp_path):
    (tmp_path / "wrong.js").write_text(
        '/** @param {number} n */\nexport const twice = (n) => 2 * n;\ntwice("1");\n'
    )
    (tmp_path / "jsconfig.json").write_text(
        PROJECT.read_text().split('"rootDirs"')[0].rstrip().rstrip(",") + '}, "include": ["*.js"]}'
    )
    assert "not assignable to parameter of type 'number'" in check(tmp_path / "jsconfig.json").stdout
