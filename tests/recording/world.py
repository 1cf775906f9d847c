"""A recorder whose clock and packets belong to the test."""

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace

import av
from prometheus_client import CollectorRegistry

from surveil.capture.settings import RecordSettings
from surveil.clock import ManualClock
from surveil.metrics import Metrics
from surveil.recording.files import verify
from surveil.recording.index import DATABASE
from surveil.recording.recorder import Recorder
from tests.capture.test_packets import stored

CONTINUOUS = RecordSettings(mode="continuous", min_free_bytes=0)
EVENTS = RecordSettings(mode="events", pre_s=5.0, post_s=5.0, min_free_bytes=0)


class World:
    """One camera that sends a clip again and again, and the recorder that writes it."""

    def __init__(self, folder, clip, settings=CONTINUOUS, *, ahead_s=0.0, past=None):
        self.folder, self.clock = folder, ManualClock()
        self.clock.set_wall(self.clock.wall() + ahead_s)
        self.registry = CollectorRegistry()
        self.recorder = Recorder(folder, Metrics(self.registry), self.clock, self.clock.monotonic, past=past)
        self.index = self.recorder._index
        self.packets = stored(clip, first_arrival=0.0)
        self.sent = 0
        self.tap = self.recorder.follow("yard", settings)

    def send(self, seconds, *, change=lambda packet: packet, steps=True):
        """Send so many seconds of packets as their time comes; the recorder looks every second."""
        began, fps = self.clock.monotonic(), 15
        for i in range(round(seconds * fps)):
            if began + i / fps > self.clock.monotonic():
                self.clock.advance(began + i / fps - self.clock.monotonic())
            n, source = self.sent, self.packets[self.sent % len(self.packets)]
            self.sent += 1
            stamp = round(n / fps / source.time_base)
            self.tap.append(change(replace(source, pts=stamp, dts=stamp, arrived=self.clock.monotonic())))
            if steps and i % fps == fps - 1:
                self.recorder.step()
        self.clock.advance(began + seconds - self.clock.monotonic())

    def end(self):
        self.recorder.finish()
        return self.segments()

    def segments(self):
        return self.index.all()

    def value(self, name, **labels):
        return self.registry.get_sample_value(name, {"camera": "yard", **labels})

    def frames(self, segment):
        """The pictures of a file; decoding stops at none of them."""
        with av.open(str(self.folder / segment.path)) as container:
            found = list(container.decode(video=0))
        assert not any(frame.is_corrupt for frame in found)
        return found

    def assert_sound(self):
        assert not verify(self.index, self.folder)


@contextmanager
def world(folder, clip, settings=CONTINUOUS, **more):
    made = World(folder, clip, settings, **more)
    try:
        yield made
    finally:
        made.index.close()


@contextmanager
def locked(here):
    """Another program holds the index: it can be read and not written."""
    here.index._db.execute("PRAGMA busy_timeout = 20")
    with closing(sqlite3.connect(here.folder / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
