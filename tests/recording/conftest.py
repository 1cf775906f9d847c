"""Clips that cameras of these tests send."""

import pytest

from tests.rig.clips import make_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """H.264 with start codes, 4 s, a key frame every 2 s."""
    return make_clip(tmp_path_factory.mktemp("clip") / "a.ts", seconds=4.0, gop=30)
