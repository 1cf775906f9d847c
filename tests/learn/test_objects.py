"""Objects of recordings are followed, learned and judged as the daemon does it."""

import cv2
import pytest

from surveil.demo.scene import DrawnScene
from surveil.detect.settings import ModelSettings
from surveil.features.normality.attributes import OBJECT
from surveil.models.store import ModelStore, open_detector
from surveil.offline.normality.normality import learn_files, score_file
from surveil.offline.normality.objects import RecordedObjects

pytestmark = pytest.mark.slow
FPS = 5


@pytest.fixture(scope="module")
def passers(tmp_path_factory):
    """A folder of pictures of somebody who walks through a yard."""
    path, scene = tmp_path_factory.mktemp("passers"), DrawnScene.passing(people=1, fps=FPS)
    for i in range(scene.frames):
        cv2.imwrite(str(path / f"{i:04d}.jpg"), scene.frame(i))
    return path


@pytest.fixture(scope="module")
def follow():
    detector = open_detector(ModelSettings(), ModelStore())
    return lambda: RecordedObjects(detector)


def test_what_is_followed_in_a_recording_is_learned_and_judged(passers, follow):
    model = learn_files("yard", [passers], FPS, follow=follow)
    assert "person" in model.model.objects.classes
    judged = score_file(model, passers, FPS, 0.5, follow=follow)
    assert any(OBJECT in one.result.surprise for one in judged)


def test_without_it_there_are_no_objects(passers):
    assert not learn_files("yard", [passers], FPS).model.objects.classes
