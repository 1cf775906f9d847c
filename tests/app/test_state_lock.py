"""One state directory belongs to one daemon at a time."""

import os
import subprocess
import sys

import pytest

from surveil.app.state_dir import StateLock
from surveil.errors import StateError

HOLD = """
import sys
from pathlib import Path
from surveil.app.state_dir import StateLock
StateLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_process_id_of_the_first(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(
            StateError, match=rf"in use by another surveil \(process {first.pid}\); stop it, or give each"
        ):
            StateLock(tmp_path)
        first.kill()
    StateLock(tmp_path).release()


def test_a_lock_that_is_released_or_left_behind_keeps_nobody_out(tmp_path):
    (tmp_path / "lock").write_text("999999999999999999999\n")
    first = StateLock(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o640
    with pytest.raises(StateError, match=f"process {os.getpid()}"):
        StateLock(tmp_path)
    first.release()
    StateLock(tmp_path).release()
