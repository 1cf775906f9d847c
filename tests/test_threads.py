"""No thread outlives its group, and a failed core thread stops the program."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surveil.clock import ManualClock, Stop, SystemClock
from surveil.threads import Heartbeats, ThreadGroup
from tests.detect import tiny


def test_a_failed_thread_sets_stop_and_is_the_failure():
    stop = Stop()
    group = ThreadGroup(stop)
    group.start("waits", lambda: stop.wait(10) and None)

    def breaks():
        raise RuntimeError("broken")

    group.start("breaks", breaks)
    assert group.join_all(5.0, SystemClock()) == []
    assert stop
    assert str(group.failure) == "broken"


def test_a_thread_that_does_not_end_is_named():
    stop, never = Stop(), Stop()
    group = ThreadGroup(stop)
    thread = group.start("stubborn", lambda: never.wait(10) and None)
    assert group.join_all(0.05, SystemClock()) == group.left == ["stubborn"]
    never.set()
    assert group.join(thread, 5.0)
    assert group.left == []


def test_a_stage_is_stuck_once_it_has_not_advanced_for_the_patience():
    clock = ManualClock()
    beats = Heartbeats(clock)
    beats.beat("detect")
    advances = beats.of("analyse")
    clock.advance(9)
    advances()
    clock.advance(2)
    assert beats.stuck(10) == ["detect"]
    beats.forget("detect")
    assert beats.stuck(10) == []


LEFT_IN_A_MODEL = """
import pathlib, sys, threading
import numpy as np
from surveil.detect.session import ModelSession, RunOn
from surveil.threads import leave
model, entered = ModelSession(pathlib.Path(sys.argv[1]), RunOn()), threading.Event()
def run():
    entered.set()
    model.run({"images": np.full((1, 3, 64, 64), 255, np.float32)})
threading.Thread(target=run, daemon=True).start()
entered.wait()
print("the last words")
leave(70)
"""


@pytest.mark.rig
def test_a_thread_that_is_left_inside_the_model_does_not_abort_the_process(tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny.model({"o": np.ones((3, 4), np.float32)}, endless_above=200.0))
    left = subprocess.run(
        [sys.executable, "-c", LEFT_IN_A_MODEL, tmp_path / "m.onnx"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (left.returncode, left.stdout, left.stderr) == (70, "the last words\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="threads have names in /proc on Linux only")
def test_the_system_knows_threads_by_their_names():
    group, named = ThreadGroup(Stop()), []
    me = Path("/proc/thread-self/comm")
    group.start("capture-entrance-north", lambda: named.append(me.read_text().strip()))
    assert group.join_all(5.0, SystemClock()) == []
    assert named == ["capture-entranc"]
