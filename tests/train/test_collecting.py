"""Many recordings in one call, told apart by what is in them, with totals as they grow."""

import json
import shutil

import cv2
import numpy as np
import pytest

from surveil.capture.picture import ArrayPicture
from surveil.errors import ConfigError
from surveil.features.classify.crops import CropRequest
from surveil.offline.classify import collect, dataset
from surveil.types import Frame, Track
from tests.commands import refused, surveil
from tests.train.pictures import draw


def film(folder, first=0, frames=20, label="disc"):
    """A folder of frames, ten a second."""
    folder.mkdir(parents=True)
    for k in range(frames):
        cv2.imwrite(str(folder / f"{k:03d}.png"), draw(label, first + k, 48))
    return folder


def video(path, first=0, label="disc"):
    """Two seconds of video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 64))
    for k in range(20):
        out.write(draw(label, first + k, 64))
    out.release()
    return path


def groups(folder):
    return {item.group for item in dataset.load(folder).items}


def test_recordings_of_one_name_in_two_folders_are_two_groups(tmp_path):
    first, second = (film(tmp_path / day / "rack", 100 * k) for k, day in enumerate(("monday", "tuesday")))
    surveil("dataset", "collect", tmp_path / "set", first, second, "--label", "full")
    found = groups(tmp_path / "set")
    assert len(found) == 2
    assert all(group.startswith("rack ") and group.endswith(" full") for group in found)


def test_a_copy_of_a_recording_is_of_the_same_group_wherever_it_lies(tmp_path):
    first = video(tmp_path / "monday" / "rack.mp4")
    copy = tmp_path / "copies" / "rack.mp4"
    copy.parent.mkdir()
    shutil.copy(first, copy)
    assert collect.group_of(first) == collect.group_of(copy)
    assert collect.group_of(first) != collect.group_of(video(tmp_path / "other" / "rack.mp4", 50))
    with pytest.raises(ConfigError, match=r"gone\.mp4: cannot be read"):
        collect.group_of(tmp_path / "gone.mp4")


def test_many_videos_and_folders_of_a_class_come_in_one_call_with_running_totals(tmp_path):
    data = tmp_path / "set"
    sources = (film(tmp_path / "a"), video(tmp_path / "b.mp4", 50), film(tmp_path / "c" / "deep" / "er", 100))
    code, text = surveil("dataset", "collect", data, *sources[:2], tmp_path / "c", "--label", "full")
    assert code == 0
    assert text.splitlines() == [
        f"{sources[0]}: 2 pictures; there are 2 full now",
        f"{sources[1]}: 2 pictures; there are 4 full now",
        f"{sources[2]}: 2 pictures; there are 6 full now",
        f"6 pictures added to {data}; look at them: surveil dataset show {data}",
    ]
    assert len(groups(data)) == 3
    text = surveil("dataset", "collect", data, film(tmp_path / "d", 200), "--label", "empty", "--json")[1]
    assert json.loads(text) == {
        "dataset": str(data), "added": 2, "classes": {"empty": 2, "full": 6}, "left_out": []
    }  # fmt: skip


def test_folders_of_classes_may_hold_videos_beside_pictures(tmp_path):
    place = tmp_path / "shelf"
    for label, first in (("full", 0), ("empty", 50)):
        video(place / label / "day" / "clip.mp4", first)
        cv2.imwrite(str(place / label / "one.png"), draw("disc", first + 30))
    surveil("dataset", "collect", tmp_path / "set", place)
    read = dataset.load(tmp_path / "set")
    assert read.counts == {"empty": 3, "full": 3}
    assert {(i.origin, bool(i.group)) for i in read.items} == {("folder", False), ("video", True)}
    shutil.rmtree(place)
    video(place / "full" / "clip.mp4", 7)
    assert json.loads(surveil("dataset", "collect", tmp_path / "set", place, "--json")[1])["added"] == 2


def test_a_folder_without_classes_asks_for_one(tmp_path):
    said = refused(ConfigError, "dataset", "collect", tmp_path / "set", film(tmp_path / "film"))
    assert "has no folder of pictures or videos per class; --label CLASS gives all of it one class" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "full", "--start", "2026-03-01"), "--start applies to one video"),
        (("--interval", "0-1=full"), "--interval applies to one video"),
    ],
)
def test_times_of_one_video_are_refused_for_several_before_anything_is_added(tmp_path, words, said):
    sources = [film(tmp_path / name) for name in "ab"]
    assert said in refused(ConfigError, "dataset", "collect", tmp_path / "set", *sources, *words)
    assert not (tmp_path / "set").exists()


def test_a_source_that_is_missing_among_several_is_named_before_anything_is_added(tmp_path):
    said = refused(
        ConfigError, "dataset", "collect", tmp_path / "set", film(tmp_path / "a"), "yard", "--label", "x"
    )
    assert said.startswith("yard: there is no such video or folder; collect from a running camera")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("group", ["", "rack.mp4 0123456789ab"])
def test_tracks_of_two_runs_are_two_groups_although_they_have_one_number(tmp_path, group):
    look = CropRequest(model="", on="track", every_s=1.0, classes=("person",))
    for run in range(2):
        collector = collect.CropCollector(tmp_path, look, "worn", "camera", group and f"{group}{run}")
        for k in range(2):
            picture = np.ascontiguousarray(draw("disc", 10 * run + k))
            frame = Frame(
                camera="gate", seq=k, t=float(k), t_wall=1e9 + 3600 * run + k, picture=ArrayPicture(picture)
            )
            collector.see(frame, [person()])
    found = groups(tmp_path)
    assert len(found) == 2
    assert all(name.endswith(" 7") for name in found)
    timed = {item.t_wall is not None for item in dataset.load(tmp_path).items}
    assert timed == {not group}, "without a known start a recording has no wall times"


def person():
    box = (10.0, 10.0, 80.0, 90.0)
    return Track(id=7, label="person", box=box, score=0.9, t_first=0.0, t_last=0.0)
