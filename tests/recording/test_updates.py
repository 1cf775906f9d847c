"""A file is finished in the index, too, where that could not be written at the moment at which the file ended."""

import pytest

from surveil.errors import StateError
from surveil.recording.footage import unfinished
from surveil.recording.index import Segment
from surveil.recording.updates import RowUpdates

from .world import locked, world


@pytest.mark.parametrize("ends", ["restart", "drop"])
def test_a_file_whose_end_the_index_did_not_take_is_finished_later(tmp_path, clip, ends):
    with world(tmp_path, clip) as here:
        here.send(10)
        with locked(here):
            here.tap.restart() if ends == "restart" else here.recorder.drop("yard")
            here.recorder.step()
        assert [one.state for one in here.segments()] == ["open"]
        here.recorder.step()
        (one,) = here.segments()
        assert (one.state, round(one.seconds)) == ("whole", 10)
        assert not unfinished(tmp_path)
        here.assert_sound()


def test_a_file_that_came_to_nothing_is_forgotten_later(tmp_path, clip):
    with world(tmp_path, clip) as here:
        row = here.index.add(Segment(camera="yard", path="a", start=0.0, seconds=0.0, bytes=0, created_s=0.0))
        updates = RowUpdates(here.index)
        with locked(here):
            updates.settle(row, 1.0, 100, "open")
            updates.forget(row)
            with pytest.raises(StateError, match="locked"):
                updates.write()
        updates.write()
        assert not here.segments()
