"""A file is finished in the index, too, where that could not be written at the moment at which the file ended."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from surveil.errors import StateError
from surveil.recording.footage import unfinished
from surveil.recording.index import DATABASE, Segment
from surveil.recording.updates import RowUpdates

from .world import world


@contextmanager
def locked(here):
    """Another process writes to the index."""
    here.index._db.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(here.folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


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
