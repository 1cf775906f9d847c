"""kill -9 at any moment: every file plays, the index is right, and at most the open fragment is lost.

`python -m tests.recording.test_kill --n 100` is the long form.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import av
import pytest

from surveil.recording.files import open_index, verify
from tests import forked
from tests.capture.test_packets import stored
from tests.rig.clips import make_clip

pytestmark = [pytest.mark.rig, pytest.mark.slow]
FRAGMENT, STEP = 15, 6
"""Packets of a fragment, and between two looks of the recorder."""


def kill(folder: Path, clip: Path, lines: int) -> int:
    """Record until so many looks were told of, kill, and return how many packets the last look had seen."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as said:
        child = forked.Child(["-m", "tests.recording.killed", folder, clip], stdout=write)
        os.close(write)
        told = [next(said) for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        told += list(said)
        child.wait(30)
    whole = [line for line in told if line.endswith(b"\n")]
    return int(whole[-1])


def survivors(folder: Path) -> list[bytes]:
    """Return the packets that can be read after the next start, file by file; each file decodes."""
    found: list[bytes] = []
    with closing(open_index(folder, 0.0)) as index:
        assert not verify(index, folder)
        for segment in sorted(index.all(), key=lambda one: one.id):
            with av.open(str(folder / segment.path)) as container:
                packets = [packet for packet in container.demux(video=0) if packet.size]
                found += [bytes(packet) for packet in packets]
            with av.open(str(folder / segment.path)) as container:
                frames = list(container.decode(video=0))
            assert len(frames) == len(packets)
            assert not any(frame.is_corrupt for frame in frames)
    return found


def check(folder: Path, clip: Path, lines: int) -> int:
    """Kill one recorder; return how many packets were lost that it had been given."""
    given = kill(folder, clip, lines)
    found = survivors(folder)
    source = [len(packet.data) for packet in stored(clip)]
    # MP4 has lengths in the place of start codes; four bytes of these in each unit of this encoder, but the first.
    assert all(abs(len(one) - source[i % len(source)]) < 64 for i, one in enumerate(found))
    lost = max(0, given - len(found))
    assert lost <= FRAGMENT + 1
    return lost


@pytest.mark.parametrize("n", range(5))
def test_a_kill_costs_the_open_fragment_at_most(tmp_path, clip, n):
    check(tmp_path, clip, random.Random(n).randint(1, 400))


def main() -> None:
    """Kill a hundred recorders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng, lost = random.Random(asked.seed), []
    with tempfile.TemporaryDirectory() as name:
        clip = make_clip(Path(name) / "a.ts", seconds=4.0, gop=30)
        for i in range(asked.n):
            (folder := Path(name) / str(i)).mkdir()
            lost.append(check(folder, clip, rng.randint(1, 600)))
    sys.stdout.write(
        f"{asked.n} kills: every file plays, every index is right; packets lost: at most {max(lost)}\n"
    )


if __name__ == "__main__":
    main()
