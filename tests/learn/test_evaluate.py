import json
import math
from dataclasses import replace
from functools import cache

import pytest

from surveil.clock import ManualClock
from surveil.errors import ConfigError, ModelError, StateError
from surveil.features.normality.keeper import NormalityKeeper
from surveil.features.normality.modelfile import fingerprint
from surveil.features.normality.peaks import Peaks
from surveil.features.normality.scene import SceneNormality, Scenes
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.store import NormalityStore
from surveil.offline.normality.collect import Bounds, FootageCollector, learn_collected
from surveil.offline.normality.dataset import load_dataset
from surveil.offline.normality.deploy import compare, show
from surveil.offline.normality.evaluate import FIGURES, NormalityReport, evaluate
from surveil.offline.normality.frames import stills
from surveil.offline.normality.normality import learn_files, score_file
from surveil.offline.normality.report import lines, to_html, to_json, write_report
from tests.learn.footage import dataset, folder
from tests.normality.drawn import FRAME, frames, model


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("yard")
    folder(path / "normal" / "a", 24, 0)
    folder(path / "normal" / "b", 18, 100)
    folder(path / "run", 8, 200, runs=(3, 6))
    folder(path / "walk", 6, 300)
    clips = [{"path": "run", "labels": {"seconds": [[3, 6]]}}, {"path": "walk"}]
    return dataset(path, name="yard", fps=10, normal=["normal/a", "normal/b"], clips=clips)


@cache
def learned(yard):
    loaded = load_dataset(yard)
    return learn_files(loaded.name, loaded.normal, loaded.fps)


@pytest.fixture(scope="module")
def report(yard) -> NormalityReport:
    return evaluate(load_dataset(yard), learned(yard))


def test_a_runner_among_walkers_is_told_from_them(report):
    figures = report.values()
    assert set(figures) <= set(FIGURES)
    assert figures["frame_auc"] > 0.95
    assert figures["event_recall"] == 1.0
    assert figures["false_alarms"] == 0
    assert figures["frames"] == 140
    assert figures["frames_unscored"] == 2
    assert 0.5 < figures["detection_delay_s"] < 3
    assert report.threshold.provisional


def test_events_are_counted_where_a_daemon_would_alert(report):
    """At the budget that was asked for it would not: the figures are of the least budget at which it would."""
    assert not report.asked.supported
    assert report.threshold.supported
    assert report.threshold.budget == pytest.approx(86_400 / 4 / report.threshold.held_out_s)
    text = "\n".join(lines(report))
    assert "a daemon would not alert at 0.5 a day yet" in text
    assert f"threshold {report.threshold.value:.2f}" in text


def test_budgets_are_shown_beside_each_other(report):
    asked, *others = report.table
    assert (asked.threshold.budget, asked.found, asked.state) == (0.5, None, "learning")
    assert [row.state for row in others] == ["provisional"] * 2 + ["ready"]
    values = [row.threshold.value for row in others]
    assert values == sorted(values, reverse=True)
    assert [row.found.found for row in others if row.found] == [1, 1, 1]
    document = json.loads(to_json(report))
    assert document["table"][0] == {
        "budget_per_day": 0.5, "state": "learning", "threshold": None, "alarms_in_footage": None,
    }  # fmt: skip
    assert document["table"][1]["events_found"] == 1
    assert any(line.endswith("learning, alerts after 12 hours of footage") for line in lines(report))
    assert to_html(report).count("<pre>") == 1


def test_seconds_of_footage_are_judged_by_one_another(yard):
    """They fit into one block, and a block is not judged by itself."""
    short = learn_files("yard", [yard.parent / "walk"], 10)
    assert short.model.peaks.seconds == pytest.approx(5.9, abs=0.2)
    found = evaluate(load_dataset(yard), short)
    assert found.threshold.supported
    assert found.values()["event_recall"] == 1.0


def test_without_held_out_footage_no_recall_is_claimed(yard):
    short = learn_files("yard", [yard.parent / "walk"], 10)
    found = evaluate(load_dataset(yard), fingerprint(replace(short.model, peaks=Peaks())))
    assert not found.threshold.supported
    values = found.values()
    assert math.isnan(values["event_recall"])
    assert math.isnan(values["false_alarms"])
    assert values["frame_auc"] > 0.5
    assert "no events and no false alarms" in "\n".join(lines(found))


def test_progress_goes_on_within_a_recording(yard):
    said = []
    learn_files("yard", [yard.parent / "walk"], 10, lambda what, share: said.append((what, share)))
    shares = [share for what, share in said if what == "learning"]
    assert shares == sorted(shares)
    assert len({round(share, 1) for share in shares}) > 9


def test_the_same_dataset_gives_the_same_report(report, yard):
    again = evaluate(load_dataset(yard), learned(yard))
    assert to_json(again) == to_json(report)


def test_reports_are_whole(report, tmp_path):
    document = json.loads(to_json(report))
    assert document["figures"]["frame_auc"]["value"] == pytest.approx(report.values()["frame_auc"], abs=1e-6)
    assert document["clips"][0]["events"][0]["start_s"] == 3.0
    page = to_html(report)
    assert page.count("<img") == 4
    assert "the usual" in page or "moves" in page
    assert write_report(report, tmp_path / "out").read_text() == page
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "report.html", "report.json", "timeline-000.png", "timeline-001.png",
    ]  # fmt: skip
    assert any("frame_auc" in line for line in lines(report))


def test_names_are_escaped_in_html(report):
    assert "<script>" not in to_html(replace(report, dataset="<script>"))


def test_without_clips_or_without_normal_footage_there_is_nothing_to_do(yard):
    loaded = load_dataset(yard)
    with pytest.raises(ConfigError, match="nothing to judge"):
        evaluate(replace(loaded, clips=()))
    with pytest.raises(ConfigError, match="no normal footage"):
        evaluate(replace(loaded, normal=()))


def test_one_frame_is_too_little(tmp_path):
    with pytest.raises(ConfigError, match="no two frames close in time"):
        learn_files("yard", [folder(tmp_path / "one", 0.1)])


def test_a_model_of_another_size_is_refused(yard, tmp_path):
    import cv2

    (tmp_path / "big").mkdir()
    big = cv2.resize(cv2.imread(str(yard.parent / "run" / "0000.png")), (640, 360))
    cv2.imwrite(str(tmp_path / "big" / "0.png"), big)
    with pytest.raises(ConfigError, match="frames of 640x360, expected 320x240"):
        list(score_file(model(), tmp_path / "big", 10, 0.5))


def test_labels_of_a_video_that_do_not_fit_are_refused(yard):
    loaded = load_dataset(yard)
    wrong = replace(loaded.clips[0], labels=replace(loaded.clips[0].labels, frames=(0,) * 7, spans=()))
    with pytest.raises(ConfigError, match="7 labels for 80 frames"):
        evaluate(replace(loaded, clips=(wrong,)), model())


def test_deploying_points_to_a_new_version_and_rolling_back_to_the_one_before(tmp_path):
    store = NormalityStore(tmp_path, "yard")
    assert store.load() is None
    store.deploy(model().model)
    store.deploy(model().model.faded(14, 14))
    assert store.current() == "0002.npz"
    assert store.rollback() == "0001.npz"
    loaded = store.load(FRAME)
    assert loaded is not None
    assert loaded.sha256 == model().sha256
    with pytest.raises(StateError, match="no version before 0001"):
        store.rollback()


def test_old_versions_go_but_not_the_ones_in_use(tmp_path):
    store = NormalityStore(tmp_path, "yard")
    for _ in range(8):
        store.deploy(model().model)
    assert store.versions() == [f"{i:04d}.npz" for i in range(4, 9)]
    assert not list(store.folder.glob("*.part"))


def test_another_cameras_model_is_not_deployed(tmp_path):
    with pytest.raises(ModelError, match="learned for camera 'yard', not 'door'"):
        NormalityStore(tmp_path, "door").deploy(model().model)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden"])
def test_a_camera_cannot_name_a_path(tmp_path, name):
    with pytest.raises(StateError, match="cannot name a folder"):
        NormalityStore(tmp_path, name)


def test_a_broken_pointer_says_so(tmp_path):
    store = NormalityStore(tmp_path, "yard")
    store.deploy(model().model)
    (store.folder / "current").write_text("../../etc/passwd\n")
    with pytest.raises(StateError, match="does not name a version"):
        store.load()


def test_show_describes_and_draws(tmp_path):
    shown = show(model(), 0.5, tmp_path / "usual.png")
    assert shown.lines[0].startswith("camera yard, 320x240, model normality-v4-")
    assert (shown.state, shown.lines[2]) == ("learning", "state by its footage: learning")
    assert "too little footage for 0.5 a day" in shown.lines[3]
    with pytest.raises(StateError, match=r"u\.png: cannot be written"):
        show(model(), 0.5, tmp_path / "nowhere" / "u.png")
    assert (tmp_path / "usual.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_no_worse_than_the_old_one_is_better(yard):
    held_out = replace(load_dataset(yard), normal=())
    assert compare(model(), model(), held_out).better
    assert compare(model(), None, held_out).better


def test_a_running_scene_picks_up_what_was_deployed_and_reports_failures_once(tmp_path):
    said: list[str] = []
    scene = SceneNormality("yard", NormalitySettings(enabled=True, learn="off"))
    clock = ManualClock(wall=1_700_000_000.0)
    scenes = Scenes()
    scenes.put(scene)
    keeper = NormalityKeeper(tmp_path, scenes, lambda _camera, what: said.append(what), clock)
    keeper.run_once()
    NormalityStore(tmp_path, "yard").deploy(model().model)
    keeper.run_once()
    keeper.run_once()
    path = NormalityStore(tmp_path, "yard").folder / "0002.npz"
    path.write_bytes(b"broken")
    (path.parent / "current").write_text("0002.npz\n")
    keeper.run_once()
    keeper.run_once()
    assert said[0] == f"model {model().name} (version 0001) is in use"
    assert said[1].startswith("the model cannot be used: ")
    assert len(said) == 2


def test_how_far_the_daemon_is_can_be_asked_for(tmp_path):
    clock = ManualClock(wall=1_700_000_000.0)
    scene = SceneNormality("yard", NormalitySettings(enabled=True))
    scenes = Scenes()
    scenes.put(scene)
    keeper = NormalityKeeper(tmp_path, scenes, lambda _camera, _what: None, clock)
    plane, t = next(frames(0.1))
    scene.observe(plane, t, 1_700_000_000.0, FRAME)
    keeper.run_once()
    note = NormalityStore(tmp_path, "yard").noted()
    assert note.words(1_700_000_030.0) == (
        "the daemon 30 seconds ago: learning: looking at the background: 0 of 120 pictures; "
        "watched 1 second, 0.0% of what calibration takes"
    )
    (tmp_path / "normality" / "yard" / "learning.json").write_text("{")
    assert NormalityStore(tmp_path, "yard").noted() is None


def test_a_model_that_came_by_hand_is_gone_on_from(tmp_path):
    """Its own fit continues what it learns; any other model is a new beginning."""
    scene = SceneNormality("yard", NormalitySettings(enabled=True), model())
    for plane, t in frames(6, start=200):
        scene.observe(plane, t, 1_700_000_000.0 + t, FRAME)
    learned = scene.learning.seconds
    scene.offer(model(), own=True)
    for plane, t in frames(1, start=206):
        scene.observe(plane, t, 1_700_000_000.0 + t, FRAME)
    assert scene.learning.seconds > learned
    scene.offer(model())
    for plane, t in frames(1, start=207):
        scene.observe(plane, t, 1_700_000_000.0 + t, FRAME)
    assert scene.learning.seconds == pytest.approx(model().model.seen.seconds + 1, abs=0.3)


def test_collecting_goes_on_where_it_was_cut_off(yard, tmp_path):
    source = yard.parent / "run"
    whole = FootageCollector("yard", tmp_path / "whole", Bounds()).run_files([source])
    half = FootageCollector("yard", tmp_path / "half", Bounds(hours=4 / 3600)).run_files([source])
    assert half.seconds == pytest.approx(4, abs=0.2)
    rest = FootageCollector("yard", tmp_path / "half", Bounds()).run_files([source])
    assert rest.seconds == pytest.approx(whole.seconds, abs=0.2)
    assert FootageCollector("yard", tmp_path / "half", Bounds()).run_files([source]) == rest


def test_a_model_can_be_learned_from_what_was_collected(yard, tmp_path):
    FootageCollector("yard", tmp_path / "c", Bounds(sample_every_s=2)).run_files([yard.parent / "run"])
    loaded = learn_collected("yard", tmp_path / "c")
    assert loaded.model.seen.seconds == pytest.approx(7.9, abs=0.2)
    assert list((tmp_path / "c").glob("sample-*.jpg"))
    with pytest.raises(ConfigError, match="was collected from camera 'yard', not 'door'"):
        learn_collected("door", tmp_path / "c")


def test_what_was_learned_fades_until_the_footage_that_is_added(yard, tmp_path):
    base = learned(yard)
    walk, later = [yard.parent / "walk"], base.model.seen.last_wall + 14 * 86_400
    FootageCollector("yard", tmp_path / "c", Bounds()).run_files(walk)

    def weight(**more):
        files = learn_files("yard", walk, 10, base=base, **more)
        kept = learn_collected("yard", tmp_path / "c", base, **more)
        return [float(m.model.sums["speed"].weight.sum()) for m in (files, kept)]

    whole, half = weight(start_wall=later), weight(start_wall=later, half_life_days=14)
    lost = float(base.model.sums["speed"].weight.sum()) / 2
    assert [a - b for a, b in zip(whole, half, strict=True)] == pytest.approx([lost, lost], rel=0.01)


def test_collecting_is_bounded(yard, tmp_path):
    found = FootageCollector("yard", tmp_path / "c", Bounds(max_bytes=1)).run_files([yard.parent / "walk"])
    assert found.full


def test_there_is_nothing_to_learn_from_an_empty_folder(tmp_path):
    with pytest.raises(ConfigError, match="holds no collected features"):
        learn_collected("yard", tmp_path)


def test_stills_are_numbered_and_timed(yard):
    found = list(stills(yard.parent / "walk", 5.0))
    assert [s.index for s in found][:3] == [0, 1, 2]
    assert found[-1].t == pytest.approx(59 / 5)


def test_a_path_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigError, match="no such video or folder"):
        next(stills(tmp_path / "none"))
