"""A pipe as a camera: what is read without a time limit may hang, and that is told."""

from __future__ import annotations

import os
import threading

import av
import pytest
from prometheus_client import CollectorRegistry

from surveil.app.camera_runtime import CameraRuntime
from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop
from surveil.config import load
from surveil.metrics import Metrics
from tests.integration.world import config_text, wait_for
from tests.rig.clips import make_clip


@pytest.fixture
def pipe(tmp_path):
    """A pipe into which a clip was written by somebody who keeps it open, and what closes it."""
    path, film, done = tmp_path / "pipe.ts", tmp_path / "film.ts", threading.Event()
    os.mkfifo(path)
    with (
        av.open(str(make_clip(tmp_path / "film.mp4", seconds=12.0))) as source,
        av.open(str(film), "w") as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)

    def write():
        with path.open("wb", buffering=0) as file:
            file.write(film.read_bytes())
            done.wait(30)

    writer = threading.Thread(target=write)
    writer.start()
    yield path, done.set
    done.set()
    writer.join()


def test_a_pipe_from_which_nothing_comes_is_a_lost_camera(tmp_path, pipe) -> None:
    """Before, its state was streaming for ever: no alert told of it, and /readyz was good."""
    path, close = pipe
    config = tmp_path / "config.yaml"
    config.write_text(config_text(str(path), tmp_path / "state"))
    clock, frames = ManualClock(), []
    metrics = Metrics(CollectorRegistry())
    metrics.add_camera("yard", ())
    settings = StreamSettings(url=str(path), realtime=False)
    loop = CaptureLoop("yard", settings, frames.append, [].append, metrics, clock, Stop())
    runtime = CameraRuntime(camera=load(config).cameras["yard"], capture=loop)
    thread = threading.Thread(target=loop.run)
    thread.start()
    counts: list[int] = []
    wait_for(lambda: counts.append(len(frames)) or (len(counts) > 4 and counts[-1] == counts[-4] > 90))
    assert (runtime.state, runtime.cause, runtime.error) == ("streaming", "", "")
    wait_for(lambda: clock.advance(31.0) or runtime.state == "lost")
    assert runtime.cause == "stalled"
    assert runtime.error.startswith("reading hangs: check the pipe")
    close()
    thread.join(10)
    assert (runtime.state, runtime.error) == ("ended", "")
