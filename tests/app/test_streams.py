"""Standard streams that were closed at the start cost what would be written there, and nothing else."""

import subprocess
import sys

import pytest

LOOK = """
import os, sys
from surveil.cli import _open_standard_streams
_open_standard_streams()
ours = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
sys.stderr.write("a line")
sys.stderr.flush()
sys.exit(ours < 3 or os.fstat(ours).st_size)
"""


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
def test_a_file_never_takes_the_number_of_a_standard_stream(tmp_path, closed):
    command = f'exec "$0" -c "$1" "$2" {closed}'
    done = subprocess.run(["sh", "-c", command, sys.executable, LOOK, str(tmp_path / "state")], check=False)
    assert done.returncode == 0


def test_a_command_without_streams_ends_with_its_code(tmp_path):
    command = 'exec "$0" -m surveil check -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, sys.executable, str(tmp_path / "none.yaml")], check=False)
    assert done.returncode == 78
