"""What a data set takes in, and what it refuses and why."""

import base64
import json
import resource

import cv2
import numpy as np
import pytest

from surveil.errors import ConfigError
from surveil.offline.classify import collect, dataset
from surveil.offline.classify.pictures import BadPictureError, decode
from tests.train.pictures import draw, fill


def encoded(picture, suffix=".jpg"):
    return cv2.imencode(suffix, picture)[1].tobytes()


def test_what_was_added_is_read_back_with_its_origin(tmp_path):
    dataset.add(tmp_path, draw("disc", 1), "disc", camera="gate", t_wall=12.5, origin="camera", group="g")
    (item,) = dataset.load(tmp_path).items
    assert (item.label, item.camera, item.t_wall, item.origin, item.group) == (
        "disc",
        "gate",
        12.5,
        "camera",
        "g",
    )


def test_a_folder_per_class_without_a_manifest_is_a_data_set(tmp_path):
    for label in ("open", "shut"):
        (tmp_path / label).mkdir()
        for seed in range(2):
            (tmp_path / label / f"{seed}.png").write_bytes(
                encoded(draw("disc" if label == "open" else "cross", seed), ".png")
            )
    assert dataset.load(tmp_path).counts == {"open": 2, "shut": 2}


def test_the_first_line_of_a_manifest_does_not_hide_the_pictures_that_are_there(tmp_path):
    for label in ("empty", "full"):
        (tmp_path / label).mkdir()
        for seed in range(12):
            (tmp_path / label / f"{seed:02d}.png").write_bytes(
                encoded(draw("disc" if label == "full" else "cross", seed), ".png")
            )
    (tmp_path / "full" / "cut.jpg").write_bytes(b"")
    collect.relabel(dataset.load(tmp_path), "full/00.png", "empty")
    read = dataset.load(tmp_path)
    assert read.counts == {"empty": 13, "full": 11}
    assert [p.split(": ")[1] for p in read.problems] == ["is empty"]
    dataset.add(tmp_path, draw("disc", 99), "full")
    assert dataset.load(tmp_path).counts == {"empty": 13, "full": 12}


@pytest.mark.parametrize("left", [1, 40, -2])
def test_a_torn_line_costs_its_picture_and_no_other(tmp_path, left):
    for seed in range(2):
        dataset.add(tmp_path, draw("disc", seed), "disc")
    manifest = tmp_path / dataset.MANIFEST
    first, second = manifest.read_text().splitlines()
    manifest.write_text(f"{first}\n{second[:left]}")
    assert len(dataset.listed(tmp_path)) == 1
    added = dataset.add(tmp_path, draw("cross", 1), "cross")
    assert dataset.load(tmp_path).counts == {"cross": 1, "disc": 1}
    dataset.remove(tmp_path, added)
    assert dataset.load(tmp_path).counts == {"disc": 1}


def test_a_last_line_without_its_end_is_kept_and_a_wrong_one_is_told(tmp_path):
    dataset.add(tmp_path, draw("disc", 1), "disc")
    manifest = tmp_path / dataset.MANIFEST
    manifest.write_text(manifest.read_text().rstrip("\n"))
    dataset.add(tmp_path, draw("disc", 2), "disc")
    assert len(dataset.listed(tmp_path)) == 2
    manifest.write_text(manifest.read_text() + "disc/1.jpg disc")
    with pytest.raises(ConfigError, match=f"{manifest}:3: "):
        dataset.listed(tmp_path)


def test_what_a_full_disk_has_no_room_for_is_in_no_manifest(tmp_path):
    for seed in range(40):
        dataset.add(tmp_path, draw("disc", seed), "disc")
    size = (tmp_path / dataset.MANIFEST).stat().st_size
    item = dataset.listed(tmp_path)[0]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal: to write beyond the limit fails, when what there is room for is written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            dataset.append(tmp_path, item)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / dataset.MANIFEST).stat().st_size == size


def test_damaged_pictures_are_left_out_and_named(tmp_path):
    fill(tmp_path / "x", 2)
    folder = tmp_path / "y"
    (folder / "disc").mkdir(parents=True)
    whole = encoded(draw("disc", 1))
    (folder / "disc" / "ok.jpg").write_bytes(whole)
    (folder / "disc" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "disc" / "empty.jpg").write_bytes(b"")
    (folder / "disc" / "text.png").write_bytes(b"no picture")
    read = dataset.load(folder)
    assert [i.path for i in read.items] == ["disc/ok.jpg"]
    assert [p.split(": ", 1)[1] for p in read.problems] == [
        "ends in the middle of the picture", "is empty", "is not a picture, or is damaged",
    ]  # fmt: skip


def test_the_same_picture_in_two_classes_is_an_error_that_names_both(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "p.jpg").write_bytes(encoded(draw("disc", 1)))
    with pytest.raises(ConfigError, match=r"a/p.jpg and b/p.jpg: the same picture in the classes a and b"):
        dataset.load(tmp_path)


def test_the_same_file_twice_in_a_class_counts_once(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("p.jpg", "q.jpg"):
        (tmp_path / "a" / name).write_bytes(encoded(draw("disc", 1)))
    read = dataset.load(tmp_path)
    assert (len(read.items), read.problems) == (1, ("a/q.jpg: the same file as a/p.jpg",))


def test_a_folder_that_is_not_there_or_holds_no_picture_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        dataset.load(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no pictures that can be read"):
        dataset.load(tmp_path)


def test_a_picture_that_changes_while_the_data_set_is_read_is_noticed(tmp_path):
    data = dataset.load(fill(tmp_path, 2))
    (tmp_path / data.items[0].path).write_bytes(encoded(draw("disc", 99)))
    with pytest.raises(ConfigError, match="changed while it was read"):
        data.read(data.items[0])


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"path": "a", "sha256": "", "label": "x", "new": 1}',
        '{"path": "../a.jpg", "sha256": "", "label": "x"}',
        '{"path": ["a"], "removed": true}',
        '{"path": "a.jpg", "removed": false}',
    ],
)
def test_a_wrong_line_of_the_manifest_is_named_with_its_number(tmp_path, line):
    fill(tmp_path, 1)
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match=r"manifest.jsonl:3: "):
        dataset.load(tmp_path)


def test_a_later_line_corrects_a_label(tmp_path):
    data = dataset.load(fill(tmp_path, 2))
    collect.relabel(data, data.items[0].path, "disc")
    assert dataset.load(tmp_path).counts == {"cross": 1, "disc": 3}


def test_a_removed_picture_is_in_no_data_set_any_more_and_may_come_back(tmp_path):
    first = dataset.add(tmp_path, draw("disc", 1), "disc")
    dataset.add(tmp_path, draw("disc", 2), "disc")
    dataset.remove(tmp_path, first)
    left = dataset.load(tmp_path)
    assert (first.path in {item.path for item in left.items}, len(left.items), left.problems) == (
        False,
        1,
        (),
    )
    assert not (tmp_path / first.path).exists()
    dataset.add(tmp_path, draw("disc", 1), "disc")
    assert dataset.load(tmp_path).counts == {"disc": 2}


def test_an_unknown_class_is_answered_with_those_there_are(tmp_path):
    data = dataset.load(fill(tmp_path, 1))
    with pytest.raises(ConfigError, match="there is no class 'dics'; there are cross, disc"):
        data.only(["cross", "dics"])


def test_sixteen_bits_grey_alpha_and_float_become_eight_bit_colour():
    grey = np.full((20, 30), 40_000, np.uint16)
    assert decode(encoded(grey, ".png"))[0, 0].tolist() == [156, 156, 156]
    twelve = np.full((20, 30), 4000, np.uint16)
    assert decode(encoded(twelve, ".png"))[0, 0].tolist() == [250, 250, 250]
    alpha = np.full((20, 30, 4), 100, np.uint8)
    assert decode(encoded(alpha, ".png")).shape == (20, 30, 3)
    real = np.full((20, 30, 3), 0.5, np.float32)
    assert decode(encoded(real, ".tiff"))[0, 0].tolist() == [127, 127, 127]


def test_grey_and_cmyk_jpegs_become_colour():
    assert decode(encoded(np.full((20, 30), 90, np.uint8)))[5, 5].tolist() == [90, 90, 90]
    # 24 x 16 px of pure red in CMYK, as Pillow writes it.
    cmyk = base64.b64decode(
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+"
        "WmFaUGBKUVJP/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAAH/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/a"
        "AA4EQwBNAFkASwAAPwCnJgmCnAAAAAAA/9k="
    )
    found = decode(cmyk)
    assert found.shape == (16, 24, 3)
    assert found[8, 8].tolist() == pytest.approx([255, 0, 0], abs=4)


def test_a_picture_turned_by_exif_is_set_upright():
    plain = encoded(np.zeros((20, 30, 3), np.uint8))
    # APP1 with one entry: Orientation (0x0112) = 6, turn by 90 degrees.
    tiff = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + b"\0\0\0\0"
    app1 = b"Exif\0\0" + tiff
    turned = plain[:2] + b"\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1 + plain[2:]
    assert decode(turned).shape == (30, 20, 3)


def test_a_picture_of_one_pixel_is_refused():
    with pytest.raises(BadPictureError, match="too small"):
        decode(encoded(np.zeros((1, 1, 3), np.uint8), ".png"))


def test_the_fingerprint_depends_on_contents_and_labels_only(tmp_path):
    a, b = dataset.load(fill(tmp_path / "a", 3)), dataset.load(fill(tmp_path / "b", 3, camera="other"))
    assert a.sha256 == b.sha256
    collect.relabel(a, a.items[0].path, "disc")
    assert dataset.load(tmp_path / "a").sha256 != b.sha256


def test_labelled_intervals_of_a_video_become_pictures_with_times(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(40):
        cv2.imwrite(str(folder / f"{k:03d}.png"), draw("disc", k))
    intervals = [collect.Interval(0.0, 1.0, "shut"), collect.Interval(2.0, 4.0, "open")]
    count = collect.from_video(
        tmp_path / "set", folder, intervals, every_s=0.5, camera="gate", start_wall=1000.0
    )
    data = dataset.load(tmp_path / "set")
    assert count == len(data.items) == 6
    assert data.counts == {"open": 4, "shut": 2}
    assert sorted(item.t_wall for item in data.items) == pytest.approx(
        [1000.0, 1000.5, 1002.0, 1002.5, 1003.0, 1003.5]
    )


def test_intervals_of_which_a_video_has_no_frame_are_named(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(20):
        cv2.imwrite(str(folder / f"{k:03d}.png"), draw("disc", k))
    intervals = [collect.Interval(0.0, 2.0, "shut"), collect.Interval(0.2, 0.4, "shut")]
    assert collect.from_video(tmp_path / "set", folder, intervals) == 2
    with pytest.raises(ConfigError) as caught:
        collect.from_video(tmp_path / "set", folder, [*intervals, collect.Interval(100, 200, "open")])
    assert caught.value.messages == [
        "interval 100-200 s: has no frame, the video ends at 1.9 s; 2 pictures of the others were added"
    ]


def test_intervals_that_contradict_each_other_are_refused(tmp_path):
    bad = [collect.Interval(0, 2, "a"), collect.Interval(1, 3, "b"), collect.Interval(5, 4, "a")]
    with pytest.raises(ConfigError) as caught:
        collect.from_video(tmp_path, tmp_path, bad)
    assert len(caught.value.messages) == 2


def test_feedback_on_an_alert_becomes_a_picture_of_the_class(tmp_path):
    snapshot = tmp_path / "clean.jpg"
    snapshot.write_bytes(encoded(draw("disc", 3)))
    item = collect.from_feedback(
        tmp_path / "set", snapshot, "false", camera="gate", t_wall=5.0, box=(10, 10, 60, 70)
    )
    assert (item.label, item.origin, item.camera) == ("false", "feedback", "gate")
    assert dataset.load(tmp_path / "set").read(item).shape == (60, 50, 3)
    with pytest.raises(ConfigError, match=r"gone\.jpg: cannot be read"):
        collect.from_feedback(tmp_path / "set", tmp_path / "gone.jpg", "true", camera="gate", t_wall=5.0)


def test_a_data_set_is_described_and_drawn(tmp_path):
    data = dataset.load(fill(tmp_path, 3, camera="gate", t_wall=86_400.0))
    assert collect.describe(data)[1:] == [
        "  class cross: 3", "  class disc: 3", "  camera gate: 6", "  origin camera: 6", "  day 1970-01-02: 6",
    ]  # fmt: skip
    assert collect.sheet(data).shape == (260, 1344, 3)


def test_manifest_lines_are_json_with_every_field(tmp_path):
    fill(tmp_path, 1)
    for line in (tmp_path / "manifest.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"path", "sha256", "label", "camera", "t_wall", "origin", "group"}
