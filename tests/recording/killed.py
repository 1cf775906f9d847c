"""A recorder that is killed: `python -m tests.recording.killed FOLDER CLIP` writes as fast as it can until then.

It says after each step how many packets it was given.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.recording.world import World

STEP_S = 0.4
"""Packets between two looks of the recorder: 6 of 15 a second."""


def main(folder: Path, clip: Path) -> None:
    """Record until killed."""
    world = World(folder, clip)
    while True:
        world.send(STEP_S, steps=False)
        world.recorder.step()
        sys.stdout.write(f"{world.sent}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
