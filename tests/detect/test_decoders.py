"""Each decoder reads a real graph's outputs: one object at 16 16 48 56 of a 64 × 64 input, class 2, score .8."""

import numpy as np
import pytest

from surveil.detect.decoders import DECODERS
from surveil.detect.detector import Detector
from surveil.detect.merge import MOST, suppress
from surveil.detect.settings import ModelSettings
from surveil.errors import ModelError, UnfitModel
from surveil.models.store import ModelStore, open_detector
from surveil.types import Detections
from tests.detect import tiny

CLASSES = 7
LABELS = "\n".join("abcdefg")
BOX = [16, 16, 48, 56]
CENTRE = [32, 36, 32, 40]


def logit(p):
    return float(np.log(p / (1 - p)))


def rows(count, width, background=0.0):
    return np.full((count, width), background, np.float32)


def candidates():
    logits = rows(10, CLASSES, -9)
    logits[4, 2] = logit(0.8)
    boxes = rows(10, 4)
    boxes[4] = BOX
    return {"boxes": boxes, "logits": logits}


def efficientdet():
    from surveil.detect.decoders.efficientdet import anchors

    table = anchors((64, 64), 3.0)
    at = 5
    cy, cx, h, w = table[at]
    logits, codes = rows(len(table), CLASSES, -9), rows(len(table), 4)
    logits[at, 2] = logit(0.8)
    codes[at] = [(36 - cy) / h, (32 - cx) / w, np.log(40 / h), np.log(32 / w)]
    return {"cls": logits, "box": codes}


def yolox():
    table = rows(64 + 16 + 4, 5 + CLASSES)
    # Cell (4, 4) of the finest grid.
    table[4 * 8 + 4, :5] = [0.0, 0.5, np.log(4), np.log(5), 0.9]
    table[4 * 8 + 4, 7] = 0.8 / 0.9
    return {"output": table}


def yolox_in_pixels():
    table = rows(64 + 16 + 4, 5 + CLASSES)
    table[-1, :2] = 48
    table[36, :5] = [*CENTRE, 0.9]
    table[36, 7] = 0.8 / 0.9
    return {"output": table}


def fastestdet():
    planes = np.zeros((5 + CLASSES, 4, 4), np.float32)
    planes[:5, 2, 2] = [0.8, 0.0, np.arctanh(0.25), logit(0.5), logit(40 / 64)]
    planes[7, 2, 2] = 0.8
    return {"output": planes}


def yolov5():
    table = rows(3 * 84, 5 + CLASSES)
    table[100, :5] = [*CENTRE, 0.9]
    table[100, 7] = 0.8 / 0.9
    return {"output0": table}


def yolov8():
    planes = rows(4 + CLASSES, 84)
    planes[:4, 50] = CENTRE
    planes[6, 50] = 0.8
    return {"output0": planes}


def yolov10():
    table = rows(300, 6)
    table[0] = [*BOX, 0.8, 2]
    return {"output0": table}


def detr():
    logits, boxes = rows(20, CLASSES, -9), rows(20, 4)
    logits[3, 2] = logit(0.8)
    boxes[3] = np.array(CENTRE) / 64
    return {"logits": logits, "pred_boxes": boxes}


def rfdetr():
    found = detr()
    return {"dets": found["pred_boxes"], "labels": found["logits"]}


def detr_softmax():
    logits, boxes = rows(20, CLASSES + 1, -2), rows(20, 4, 0.1)
    logits[:, -1] = 9
    logits[3] = -20
    logits[3, [2, -1]] = [logit(0.8), 0]
    boxes[3] = np.array(CENTRE) / 64
    return {"logits": logits, "pred_boxes": boxes}


def detr_table():
    table = rows(300, 6, 0.02)
    table[:, 4:] = [0.001, 1]
    table[0] = [*(np.array(CENTRE) / 64), 0.8, 2]
    return {"output0": table}


def table_of_corners_in_0_to_1():
    table = rows(300, 6)
    table[0] = [*(np.array(BOX) / 64), 0.8, 2]
    return {"output0": table}


def detr_finished():
    labels, boxes, scores = np.zeros(20, np.int64), rows(20, 4), np.zeros(20, np.float32)
    labels[7], boxes[7], scores[7] = 2, BOX, 0.8
    return {"labels": labels, "boxes": boxes, "scores": scores}


GRAPHS = [
    ("candidates", candidates),
    ("efficientdet", efficientdet),
    ("yolox", yolox),
    ("yolox", yolox_in_pixels),
    ("fastestdet", fastestdet),
    ("yolov5", yolov5),
    ("yolov8", yolov8),
    ("yolov10", yolov10),
    ("detr", detr),
    ("rfdetr", rfdetr),
    ("detr-softmax", detr_softmax),
    ("detr-table", detr_table),
    ("detr-table", table_of_corners_in_0_to_1),
    ("detr-finished", detr_finished),
]


@pytest.fixture
def opened(tmp_path):
    def open_it(content, **settings):
        (tmp_path / "m.onnx").write_bytes(content)
        (tmp_path / "labels.txt").write_text(LABELS + "\n")
        chosen = ModelSettings(file=tmp_path / "m.onnx", labels=tmp_path / "labels.txt", **settings)
        return open_detector(chosen, ModelStore())

    return open_it


def only_object(detector: Detector, width=64, height=64):
    look = detector.prepare(tiny.grey(width, height), (0, 0, width, height))
    (found,) = detector.detect([[look]])
    assert len(found) == 1
    return found.boxes[0], float(found.scores[0]), detector.labels[found.classes[0]]


@pytest.mark.parametrize(("name", "outputs"), GRAPHS, ids=[f"{n}-{f.__name__}" for n, f in GRAPHS])
def test_a_decoder_is_recognised_and_reads_box_score_and_class(opened, name, outputs):
    detector = opened(tiny.model(outputs(), sizes=name == "detr-finished"))
    box, score, label = only_object(detector)
    assert detector.decoder == name
    assert box == pytest.approx(BOX, abs=0.01)
    assert (score, label) == (pytest.approx(0.8, abs=1e-3), "c")


def test_a_table_of_segments_is_no_detector(opened):
    masks = {"output1": np.zeros((32, 16, 16), np.float32)}
    with pytest.raises(UnfitModel, match="no decoder fits"):
        opened(tiny.model(yolov5() | masks))


def test_every_decoder_is_tried_here():
    assert {name for name, _ in GRAPHS} == set(DECODERS)


def test_boxes_come_back_in_pixels_of_the_frame(opened):
    detector = opened(tiny.model(candidates()))
    box, _, _ = only_object(detector, 128, 96)
    assert box == pytest.approx([32, 32, 96, 96], abs=0.01)  # 112 is below the frame


def test_objects_weaker_than_the_floor_of_their_class_are_left_out(opened):
    detector = opened(tiny.model(candidates()))
    look = detector.prepare(tiny.grey(64, 64), (0, 0, 64, 64))
    assert len(detector.detect([[look]], [detector.floors(0.9)])[0]) == 0
    look = detector.prepare(tiny.grey(64, 64), (0, 0, 64, 64))
    assert len(detector.detect([[look]], [detector.floors(0.9, {"c": 0.7})])[0]) == 1


def test_a_batch_of_one_is_enough_for_a_model_that_allows_no_other(opened):
    detector = opened(tiny.model(candidates(), (1, 3, 64, 64)))
    looks = [detector.prepare(tiny.grey(64, 64), (0, 0, 64, 64)) for _ in range(3)]
    assert [len(found) for found in detector.detect([looks[:2], looks[2:]])] == [1, 1]


def test_a_model_of_a_fixed_batch_is_filled_up(opened):
    detector = opened(tiny.model(candidates(), (4, 3, 64, 64)))
    looks = [detector.prepare(tiny.grey(64, 64), (0, 0, 64, 64)) for _ in range(6)]
    assert detector.batches.sizes == (4,)
    assert [len(found) for found in detector.detect([[look] for look in looks])] == [1] * 6


def test_labels_come_from_the_models_metadata(tmp_path):
    names = "{0: 'ant', 1: 'bee', 2: 'cow', 3: 'd', 4: 'e', 5: 'f', 6: 'g'}"
    (tmp_path / "m.onnx").write_bytes(tiny.model(yolov8(), metadata={"names": names}))
    detector = open_detector(ModelSettings(file=tmp_path / "m.onnx"), ModelStore())
    assert only_object(detector)[2] == "cow"


def test_80_classes_without_names_are_cocos(tmp_path):
    planes = rows(84, 84)
    planes[:4, 3] = CENTRE
    planes[6, 3] = 0.8
    (tmp_path / "m.onnx").write_bytes(tiny.model({"o": planes}))
    settings = ModelSettings(file=tmp_path / "m.onnx", decoder="yolov8")
    assert only_object(open_detector(settings, ModelStore()))[2] == "car"


def test_other_numbers_of_classes_need_names(tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny.model(yolov8()))
    with pytest.raises(ModelError, match="has 7 classes and no names for them; give a text file"):
        open_detector(ModelSettings(file=tmp_path / "m.onnx"), ModelStore())


def test_a_wrong_number_of_labels_is_an_error(opened, tmp_path):
    with pytest.raises(ModelError, match="has 80 classes and there are 7 labels"):
        opened(tiny.model({"o": rows(84, 84)}), decoder="yolov8")


def test_outputs_of_no_known_family_are_named(opened):
    with pytest.raises(ModelError, match=r"no decoder fits this model's outputs .*embedding float32 \?×99"):
        opened(tiny.model({"embedding": np.zeros(99, np.float32)}))


def test_outputs_that_two_families_could_have_ask_for_a_name(opened):
    # At 32 × 32 px there are 21 cells: 26 columns of 21 rows fit YOLOX, 21 columns of 26 rows YOLOv8.
    square = rows(21, 21)
    with pytest.raises(ModelError, match=r"several decoders fit .*yolox, yolov8; name one with `decoder:`"):
        opened(tiny.model({"o": square}, ("n", 3, 32, 32)))


def test_a_misspelt_decoder_has_a_suggestion(opened):
    with pytest.raises(ModelError, match="unknown decoder 'yolov9x'; did you mean 'yol"):
        opened(tiny.model(yolov8()), decoder="yolov9x")


def test_a_decoder_that_does_not_fit_says_what_does(opened):
    with pytest.raises(ModelError, match=r"the decoder 'yolox' does not fit .*; what fits is yolov8"):
        opened(tiny.model(yolov8()), decoder="yolox")


def test_a_model_without_a_picture_input_is_refused(opened):
    with pytest.raises(ModelError, match="the model's input is not a colour picture"):
        opened(tiny.model(yolov8(), ("n", 5, 64, 64)))


def test_outputs_whose_size_the_graph_leaves_open_are_measured(opened):
    detector = opened(tiny.model(yolov8(), free=True))
    assert detector.decoder == "yolov8"


def test_the_side_of_a_free_input_is_taken_from_the_settings(opened):
    detector = opened(tiny.model(yolov8(), ("n", 3, "h", "w")), size=64)
    assert (detector.input.width, detector.input.height) == (64, 64)


def normalised_planes():
    planes = yolov8()["output0"]
    planes[:4] /= 64
    return {"output0": planes}


def normalised_finished():
    found = detr_finished()
    return {**found, "boxes": found["boxes"] / 64}


def normalised_candidates():
    found = candidates()
    return {**found, "boxes": found["boxes"] / 64}


def pixels_among_transformers():
    found = detr()
    return {**found, "pred_boxes": found["pred_boxes"] * 64}


@pytest.mark.parametrize(
    ("decoder", "outputs", "reason"),
    [
        ("yolov10", detr_table, "smaller than two pixels"),
        ("detr-table", yolov10, "outside of the picture"),
        ("auto", normalised_planes, "smaller than two pixels"),
        ("auto", normalised_candidates, "smaller than two pixels"),
        ("auto", normalised_finished, "smaller than two pixels"),
        ("auto", pixels_among_transformers, "outside of the picture"),
    ],
)
def test_boxes_that_cannot_be_boxes_are_refused_with_the_reason(opened, decoder, outputs, reason):
    made = tiny.model(outputs(), sizes=outputs is normalised_finished)
    with pytest.raises(ModelError, match=f"in a picture with people every box .*{reason}; name another"):
        opened(made, decoder=decoder)


def test_boxes_that_are_no_numbers_are_refused(opened):
    found = candidates()
    found["boxes"][4] = np.nan
    with pytest.raises(ModelError, match="the boxes or scores are no numbers"):
        opened(tiny.model(found))


def test_a_table_without_a_box_is_of_a_graph_with_suppression_inside(opened):
    assert opened(tiny.model({"o": rows(300, 6)})).decoder == "yolov10"


@pytest.mark.parametrize(
    ("last", "width", "decoder"),
    [
        (9.0, CLASSES + 1, "detr-softmax"),
        (-9.0, CLASSES + 1, "detr-softmax"),
        (9.0, CLASSES, "detr"),
        (-9.0, CLASSES, "detr"),
    ],
)
def test_the_number_of_names_tells_whether_no_object_is_a_class(opened, last, width, decoder):
    logits, boxes = rows(20, width, -4), rows(20, 4, 0.5)
    logits[:, -1] = last
    assert opened(tiny.model({"logits": logits, "pred_boxes": boxes})).decoder == decoder


def test_92_logits_are_cocos_numbers_and_no_object(tmp_path):
    logits, boxes = rows(20, 92, -9), rows(20, 4, 0.5)
    logits[3, 1] = 9
    (tmp_path / "m.onnx").write_bytes(tiny.model({"logits": logits, "pred_boxes": boxes}))
    detector = open_detector(ModelSettings(file=tmp_path / "m.onnx"), ModelStore())
    assert (detector.decoder, detector.input.preprocess.range) == ("detr-softmax", "imagenet")
    assert only_object(detector)[2] == "person"


def test_sigmoids_whose_last_class_is_often_the_best_are_no_softmax(tmp_path):
    logits, boxes = rows(20, 80, -9), rows(20, 4, 0.5)
    logits[:, -1] = -2
    (tmp_path / "m.onnx").write_bytes(tiny.model({"logits": logits, "pred_boxes": boxes}))
    detector = open_detector(ModelSettings(file=tmp_path / "m.onnx"), ModelStore())
    assert (detector.decoder, detector.input.preprocess.range) == ("detr", "0-1")


def test_rfdetrs_pictures_have_imagenets_mean_unless_the_settings_say_otherwise(opened):
    assert opened(tiny.model(rfdetr())).input.preprocess.range == "imagenet"
    assert opened(tiny.model(rfdetr()), range="0-1").input.preprocess.range == "0-1"
    assert opened(tiny.model(rfdetr()), decoder="detr").decoder == "detr"


def test_an_input_whose_axes_all_are_free_is_a_picture(opened):
    detector = opened(tiny.model(detr_softmax(), ("n", "c", "h", "w"), free=True), size=64)
    assert (detector.decoder, detector.input.layout) == ("detr-softmax", "nchw")
    assert only_object(detector)[0] == pytest.approx(BOX, abs=0.01)


@pytest.mark.parametrize(
    ("told", "size"),
    [("[64, 64]", (64, 64)), ("[64, 96]", (96, 64)), ("64", (64, 64)), ("[64]", (64, 64)), ("(64, 64)", (64, 64)),
     ("", (640, 640)), ("[0, 64]", (640, 640)), ("many", (640, 640)), ("[True, True]", (640, 640))],
)  # fmt: skip
def test_the_side_of_a_free_input_is_taken_from_the_metadata(opened, told, size):
    made = tiny.model(detr(), ("n", 3, "h", "w"), metadata={"imgsz": told})
    assert (opened(made).input.width, opened(made).input.height) == size


def test_the_settings_come_before_the_metadata(opened):
    made = tiny.model(detr(), ("n", 3, "h", "w"), metadata={"imgsz": "[64, 64]"})
    assert opened(made, size=96).input.width == 96


@pytest.mark.parametrize("task", ["pose", "segment", "classify", "obb"])
def test_a_model_for_another_task_is_refused_by_its_name(opened, task):
    with pytest.raises(ModelError, match=f"the model's task is '{task}' .*export the detection model"):
        opened(tiny.model(yolov8(), metadata={"task": task}))


def test_a_detection_model_may_say_so(opened):
    assert opened(tiny.model(yolov8(), metadata={"task": "detect"})).decoder == "yolov8"


def crowd(count, copies):
    """People in rows of 10, `copies` boxes of each, surest first."""
    at = np.arange(count)
    x, y = at % 10 * 60.0, at // 10 * 60.0
    boxes = np.stack([x, y, x + 50, y + 50], axis=1).astype(np.float32)
    scores = np.linspace(0.9, 0.2, count * copies, dtype=np.float32)
    return Detections(np.repeat(boxes, copies, axis=0), scores, np.zeros(count * copies, np.int32))


@pytest.mark.parametrize("count", [1, 60, MOST])
def test_everybody_in_a_crowd_is_kept_however_many_boxes_the_surest_have(count):
    found = suppress(crowd(count, 30), 0.5)
    assert len({tuple(box) for box in found.boxes}) == len(found) == count


def test_objects_above_the_limit_are_the_surest_ones():
    found = suppress(crowd(MOST + 50, 2), 0.5)
    assert (len(found), float(found.scores.min())) == (MOST, float(crowd(MOST + 50, 2).scores[2 * MOST - 2]))


def people_in_a_row(sure, count=10):
    logits = rows(count, CLASSES, -9)
    logits[:sure, 2] = 3
    boxes = rows(count, 4)
    boxes[:, [0, 2]] = np.arange(count)[:, None] * 6 + [0, 5]
    boxes[:, 3] = 40
    return {"boxes": boxes, "logits": logits}


@pytest.mark.parametrize(("sure", "cuts"), [(9, 0), (10, 1)])
def test_a_crop_with_more_candidates_than_the_model_hands_out_is_counted(opened, sure, cuts):
    detector = opened(tiny.model(people_in_a_row(sure)))
    look = detector.prepare(tiny.grey(64, 64), (0, 0, 64, 64))
    assert [(len(found), cut) for found, cut in detector.read(detector.infer([[look]]))] == [(sure, cuts)]


def test_a_crop_with_more_objects_than_are_kept_is_counted(opened):
    table = rows(sum(s * s for s in (80, 40, 20)), 4 + CLASSES)
    at = np.arange(MOST + 10)
    table[: len(at), :4] = np.stack([at % 40 * 16 + 8, at // 40 * 16 + 8, at * 0 + 14, at * 0 + 14], axis=1)
    table[: len(at), 6] = 0.8
    detector = opened(tiny.model({"output0": table.T.copy()}, ("n", 3, 640, 640)))
    look = detector.prepare(tiny.grey(640, 640), (0, 0, 640, 640))
    assert [(len(found), cut) for found, cut in detector.read(detector.infer([[look]]))] == [(MOST, 1)]
