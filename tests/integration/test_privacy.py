"""What is hidden is in nothing that is stored: pictures of alerts, an annotated video, samples for learning."""

import cv2
import numpy as np
import pytest

from surveil.app.annotate import Annotator
from surveil.app.assembly import make_places
from surveil.app.replay import Replay
from surveil.config import load
from surveil.errors import ConfigError
from surveil.offline.classify.collect import Interval, from_video
from surveil.offline.normality.collect import Bounds, FootageCollector
from surveil.offline.normality.frames import stills
from tests.alerts.face_model import write
from tests.integration.world import config_text

pytestmark = pytest.mark.slow
TOP = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.25], [0.0, 0.25]]
ALL = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]


@pytest.fixture
def configured(tmp_path, passing_clip):
    def made(**camera):
        path = tmp_path / "config.yaml"
        path.write_text(config_text(str(passing_clip), tmp_path / "state", **camera))
        return load(path)

    return made


def top(picture):
    """The upper fifth, which the mask covers with something to spare."""
    return picture[: round(picture.shape[0] * 0.2)]


def replayed(config, detector, clip, folder, annotate=None):
    folder.mkdir()
    job = Replay(config, "yard", detector, folder)
    if annotate is None:
        return job.run([clip]).alerts
    with Annotator(annotate, config.cameras["yard"]) as annotator:
        return job.run([clip], on_seen=annotator.add).alerts


def stored(alerts, folder):
    """Every stored picture, by kind."""
    return [
        (kind, cv2.imread(str(folder / path)))
        for a in alerts
        for kind, path in a.evidence.items()
        if path.endswith(".jpg")
    ]


def told(alerts):
    return [(a.rule, a.phase, a.key, a.t) for a in alerts]


def test_a_store_mask_is_black_in_what_is_stored_and_changes_no_alert(
    configured, detector, passing_clip, replayed_passing, tmp_path
):
    plain, plain_folder = replayed_passing
    config = configured(masks={"sky": {"points": TOP, "hide": "store"}})
    video = tmp_path / "annotated.mp4"
    masked = replayed(config, detector, passing_clip, tmp_path / "masked", video)
    assert told(masked) == told(plain)
    assert told(plain)
    shown = stored(masked, tmp_path / "masked")
    assert {kind for kind, _ in shown} == {"snapshot", "clean"}
    assert all(top(picture).mean() < 1.0 for kind, picture in shown if kind == "clean")
    # The snapshot has drawings; a line through the picture is a small part of it.
    assert all(np.median(top(picture)) == 0 for _, picture in shown)
    assert all(np.median(top(picture)) > 60 for _, picture in stored(plain, plain_folder))
    assert all(np.median(top(still.picture.bgr())) < 8 for still in stills(video))


def test_what_is_hidden_from_the_detector_is_not_seen_but_stored(
    configured, detector, passing_clip, tmp_path
):
    config = configured(masks={"everything": {"points": ALL, "hide": "detect"}})
    assert replayed(config, detector, passing_clip, tmp_path / "r") == ()
    assert make_places(config.cameras["yard"]).hide is None
    config = configured(masks={"everything": {"points": ALL, "hide": "both"}})
    assert make_places(config.cameras["yard"]).hide is not None


def test_faces_are_blurred_in_what_is_stored(configured, detector, passing_clip, replayed_passing, tmp_path):
    model = write(tmp_path / "face.onnx", bright=130.0)
    plain, plain_folder = replayed_passing
    config = configured(evidence={"blur_faces_model": str(model)})
    blurred = replayed(config, detector, passing_clip, tmp_path / "blurred")
    assert told(blurred) == told(plain)
    hide, count = make_places(config.cameras["yard"]).hide, 0
    for (kind, before), (_, after) in zip(
        stored(plain, plain_folder), stored(blurred, tmp_path / "blurred"), strict=True
    ):
        if kind == "clean":
            changed = np.abs(before.astype(int) - after).max(axis=2) > 40
            wanted = np.abs(before.astype(int) - hide(before)).max(axis=2) > 40
            count += wanted.sum()
            assert np.mean(changed != wanted) < 0.02
    assert count > 100


def test_samples_for_learning_show_nothing_of_it(configured, passing_clip, tmp_path):
    config = configured(masks={"sky": {"points": TOP, "hide": "store"}})
    hidden = config.cameras["yard"].unstored
    bounds = Bounds(sample_every_s=0.5)
    FootageCollector("yard", tmp_path / "collected", bounds, hidden).run_files([passing_clip])
    from_video(tmp_path / "set", passing_clip, [Interval(0, 5, "normal")], hidden=hidden)
    pictures = [cv2.imread(str(p)) for p in (tmp_path).rglob("*.jpg")]
    assert len(pictures) > 3
    assert all(top(picture).std() < 4.0 for picture in pictures)


def test_a_face_model_that_is_none_is_a_mistake_in_the_file(configured, tmp_path):
    (tmp_path / "none.onnx").write_bytes(b"no model")
    with pytest.raises(
        ConfigError, match=r"yaml:1: cameras\.yard\.evidence\.blur_faces_model: .* YuNet model"
    ):
        configured(evidence={"blur_faces_model": str(tmp_path / "none.onnx")})


def test_the_file_may_name_areas_and_what_they_hide(configured):
    areas = {
        "plain": TOP,
        "unseen": {"points": TOP, "hide": "detect"},
        "unkept": {"points": TOP, "hide": "store"},
        "neither": {"points": TOP},
    }
    camera = configured(masks=areas).cameras["yard"]
    assert set(camera.masks) == {"plain", "unseen", "neither"}
    assert (len(camera.undetected), len(camera.unstored)) == (2, 2)
    assert configured(masks=[TOP]).digest == configured(masks={"0": TOP}).digest
