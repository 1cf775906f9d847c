import json

import numpy as np
import pytest

from surveil.errors import ConfigError
from surveil.offline.normality.dataset import Labels, load_dataset
from tests.learn.footage import dataset, folder


def messages(path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_dataset(path)
    return [m.removeprefix(f"{path}: ") for m in caught.value.messages]


@pytest.fixture
def clip(tmp_path):
    return folder(tmp_path / "clip", 1.0)


def test_labels_come_as_a_list_a_file_a_dictionary_or_intervals(tmp_path, clip):
    per_frame = [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    (tmp_path / "list.json").write_text(json.dumps(per_frame))
    (tmp_path / "dict.json").write_text(json.dumps({"clip": per_frame}))
    forms = [per_frame, "list.json", "dict.json", [[3, 5]], {"seconds": [[0.3, 0.5]]}]
    file = dataset(tmp_path, name="x", clips=[{"path": "clip", "labels": form} for form in forms])
    times = [i / 10 for i in range(10)]
    found = [c.labels.at(times).astype(int).tolist() for c in load_dataset(file).clips]
    assert found == [per_frame] * 5


def test_no_labels_mean_that_everything_is_normal(tmp_path, clip):
    file = dataset(tmp_path, clips=[{"path": "clip"}])
    loaded = load_dataset(file)
    assert not loaded.clips[0].labels.at([0.0, 0.1]).any()
    assert (loaded.name, loaded.fps) == ("DATASET", 10.0)


def test_labels_longer_or_shorter_than_the_clip_say_so(tmp_path, clip):
    file = dataset(
        tmp_path, clips=[{"path": "clip", "labels": [0] * 12}, {"path": "clip", "labels": [1] * 9}]
    )
    assert messages(file) == [
        f"clips[0].labels: 12 labels for the 10 frames of {clip}",
        f"clips[1].labels: 9 labels for the 10 frames of {clip}",
    ]


def test_no_clip_is_judged_that_was_learned_from(tmp_path, clip):
    (tmp_path / "link").symlink_to(clip)
    file = dataset(
        tmp_path, normal=["clip"], clips=[{"path": "../" + tmp_path.name + "/clip"}, {"path": "link"}]
    )
    said = messages(file)
    assert [one.partition(": ")[0] for one in said] == ["clips[0].path", "clips[1].path"]
    assert all("is in `normal`, too" in one for one in said)


def test_every_mistake_is_said_at_once(tmp_path, clip):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("[0, 1")
    (tmp_path / "other.json").write_text('{"else": [0]}')
    file = dataset(
        tmp_path,
        fps=0,
        colour="red",
        normal=["nowhere", "empty", 3],
        clips=["clip", {"path": "clip", "labels": "bad.json"}, {"path": "clip", "labels": "other.json"},
               {"path": "clip", "labels": [[5, 3]]}, {"path": "clip", "labels": [2, "x"]}],
    )  # fmt: skip
    found = messages(file)
    assert found[0] == "unknown key 'colour'; known are clips, fps, name, normal"
    assert found[1] == "fps: 0 is not a number of frames per second in 0 … 240"
    assert found[2] == f"normal[0]: {tmp_path / 'nowhere'}: there is no such video or folder"
    assert found[3] == f"normal[1]: {tmp_path / 'empty'}: there are no images in this folder"
    assert found[4] == "normal[2]: 3 is not a path"
    assert found[5] == "clips[0]: must be a mapping with `path` and `labels`"
    assert found[6].startswith(f"clips[1].labels: {tmp_path / 'bad.json'}: not JSON")
    assert found[7] == f"clips[2].labels: {tmp_path / 'other.json'}: has no labels for 'clip'"
    assert found[8] == "clips[3].labels: the interval [5, 3] is empty or begins before 0"
    assert found[9] == "clips[4].labels: 2 is neither 0 or 1 nor an interval [first, last]"
    assert len(found) == 11


@pytest.mark.parametrize(
    ("text", "said"), [("- a\n", "a dataset is a mapping"), ("a: [", "not YAML"), ("{}", "has neither")]
)
def test_what_is_no_dataset_is_refused(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert said in messages(path)[0]


def test_no_file_is_refused(tmp_path):
    assert "cannot be read" in messages(tmp_path / "none.yaml")[0]


def test_an_interval_beyond_the_clip_is_refused():
    with pytest.raises(ValueError, match="begins after the clip's end"):
        Labels(spans=((20, 30),)).at([0.0, 0.1])
    with pytest.raises(ValueError, match="ends after the clip's end at frame 1"):
        Labels(spans=((1, 30),)).at([0.0, 0.1])
    with pytest.raises(ValueError, match=r"ends after the clip's end at 0\.1 s"):
        Labels(spans=((0, 1.2),), seconds=True).at([0.0, 0.1])


def test_an_interval_may_end_a_frame_or_a_second_late():
    assert np.array_equal(Labels(spans=((1, 2),)).at([0.0, 0.1]), [False, True])
    assert np.array_equal(Labels(spans=((0.1, 1.1),), seconds=True).at([0.0, 0.1]), [False, True])
