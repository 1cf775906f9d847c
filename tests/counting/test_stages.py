"""What the stages do with counts: a short loss changes nothing, a long one ends every stay."""

import pytest
from prometheus_client import CollectorRegistry

from surveil.clock import ManualClock
from surveil.engine import CameraEngine
from surveil.features.counting.counter import Counted, TrackCounter
from surveil.features.counting.settings import CountingSettings
from surveil.features.counting.store import CountStore
from surveil.lane import Lost, Slot
from surveil.metrics import Metrics
from surveil.pipeline.analyse import Admit, AnalyseStage
from surveil.pipeline.commit import PictureOverlay
from surveil.pipeline.work import Work
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Frame
from tests.scenes import START_WALL, observation

ZONES = {"hall": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))}
BOX = (400.0, 100.0, 450.0, 250.0)


class Blank:
    width, height = 1000, 500


class Hall:
    """A camera in whose hall somebody stands whenever there is a picture."""

    def __init__(self, path):
        registry = CollectorRegistry()
        metrics = Metrics(registry)
        self.registry, self.clock = registry, ManualClock(wall=START_WALL)
        counted = Counted.at(CountingSettings(), ZONES, {})
        self.counter = TrackCounter({"gate": counted}, CountStore(path), metrics)
        engine = CameraEngine("gate", (), Tracker(TrackSettings()), labels=["person"])
        self.stage = AnalyseStage(lambda _outcome: None, metrics, self.clock, self.counter)
        self.stage.process(Admit("gate", engine, PictureOverlay(zones={}, lines={}, sinks=())))
        self.work = Work(camera="gate", gate=None, planner=None)
        self.t = 0.0

    def stand(self, seconds):
        for _ in range(round(seconds * 5)):
            self.pass_by(0.2)
            self.work.detections = observation(self.t, [BOX]).detections
            frame = Frame(camera="gate", seq=0, t=self.t, t_wall=START_WALL + self.t, picture=Blank())
            self.stage.process(Slot("gate", self.work, item=frame))

    def lose(self, seconds, *, final=False):
        lost = Lost(camera="gate", t=self.t, t_wall=START_WALL + self.t, cause="ended", final=final)
        self.stage.process(Slot("gate", self.work, item=lost))
        self.wait(seconds)

    def wait(self, seconds):
        for _ in range(round(seconds)):
            self.pass_by(1.0)
            self.stage.tick()

    def pass_by(self, seconds):
        self.t += seconds
        self.clock.advance(seconds)

    def value(self, name):
        return self.registry.get_sample_value(name, {"camera": "gate", "zone": "hall", "label": "person"})


@pytest.fixture
def hall(tmp_path):
    hall = Hall(tmp_path / "counts.db")
    yield hall
    hall.counter.close()


def test_a_short_loss_makes_one_visit_no_two(hall):
    hall.stand(5)
    hall.lose(6)
    hall.stand(5)
    hall.lose(0, final=True)
    assert hall.value("surveil_zone_dwell_seconds_count") == 1
    assert hall.value("surveil_zone_dwell_seconds_sum") == pytest.approx(16, abs=1)


def test_a_long_loss_ends_the_visit_when_it_is_long(hall):
    hall.stand(5)
    hall.lose(9)
    assert hall.value("surveil_zone_occupancy") == 1
    hall.wait(3)
    assert hall.value("surveil_zone_occupancy") == 0
    assert hall.value("surveil_zone_dwell_seconds_count") == 1
    hall.stand(5)
    hall.stage.finish("stop")
    assert hall.value("surveil_zone_dwell_seconds_count") == 2
