"""The tracker hears from the planner how close it can look: who vanishes in a small picture is forgotten."""

from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.clock import ManualClock
from surveil.detect.settings import ModelSettings
from surveil.engine import CameraEngine
from surveil.lane import Slot
from surveil.metrics import Metrics
from surveil.models.store import ModelStore, open_detector
from surveil.pipeline.analyse import Admit, AnalyseStage
from surveil.pipeline.commit import PictureOverlay
from surveil.pipeline.prepare import PrepareStage
from surveil.pipeline.work import Work
from surveil.ring import FrameRing
from surveil.track.settings import TrackSettings
from surveil.track.tracker import Tracker
from surveil.types import Frame
from surveil.vision.motion import MotionGate
from surveil.vision.regions import RegionPlanner
from surveil.vision.settings import MotionSettings
from tests.track.test_tracker import seen
from tests.vision.drawn import Camera, ground, person

SIZE = (480, 360)
EMPTY = ground(SIZE)


class Stages:
    """`prepare` and `analyse` of one camera at 5 fps; what the detector finds is scripted."""

    def __init__(self):
        metrics, clock = Metrics(CollectorRegistry()), ManualClock()
        self.to_detect, self.camera, self.t = [], Camera(SIZE), 0.0
        self.prepare = PrepareStage(
            FrameRing(),
            open_detector(ModelSettings(), ModelStore()),
            self.to_detect.append,
            lambda _slot: None,
            metrics,
            clock,
        )
        self.analyse = AnalyseStage(lambda _outcome: None, metrics, clock)
        engine = CameraEngine("gate", (), Tracker(TrackSettings()), labels=["person"])
        self.analyse.process(Admit("gate", engine, PictureOverlay(zones={}, lines={}, sinks=())))
        gate = MotionGate(MotionSettings(), idle_interval_s=10.0)
        planner = RegionPlanner(input_px=320, min_object_px=40, max_crops=4, idle_interval_s=10.0)
        self.work = Work(camera="gate", gate=gate, planner=planner)

    def show(self, scene, *boxes):
        """Return whom the tracker believes in after one more frame."""
        picture = ArrayPicture(self.camera.picture(scene)[..., None].repeat(3, axis=2))
        frame = Frame(camera="gate", seq=0, t=self.t, t_wall=self.t, picture=picture)
        slot = Slot("gate", self.work, item=frame)
        self.prepare.process(slot)
        if self.to_detect:
            self.to_detect.clear()
            self.work.detections = seen(*boxes, score=0.45)
        self.analyse.process(slot)
        self.t += 0.2
        return self.work.tracks


def test_who_vanishes_in_a_picture_of_one_tile_is_forgotten():
    stages = Stages()
    for _ in range(20):
        stages.show(EMPTY)
    for i in range(30):
        scene, box = person(EMPTY, 100 + 5 * i, 250, 70)
        tracks = stages.show(scene, box)
    assert len(tracks) == 1
    for _ in range(50):
        tracks = stages.show(EMPTY)
    assert tracks == ()
