"""Advice follows from what was measured, and only where something is bad."""

from dataclasses import replace
from pathlib import Path

import pytest

from surveil.app.probe import advice
from surveil.app.probe.idle import idle_pace
from surveil.app.probe.report import CameraReport, Check, HostReport, ModelReport, StreamReport
from surveil.app.probe.run import BASE_BYTES, estimate
from surveil.app.probe.sight import Sight
from surveil.capture.pace import KeptPacket, Pace
from surveil.config import load

GOOD = StreamReport(
    url="rtsp://192.0.2.7/sub", ok=True, state="streaming", reachable=True, login="accepted", transport="tcp",
    codec="h264", profile="High", width=1280, height=720, fps=10.0, gop_frames=10, gop_s=1.0,
    bits_per_second=2_000_000, open_s=0.2, first_picture_s=0.4, decoder="software", clock_skew_s=0.1, lag_s=0.0,
    pictures=25, watched_s=2.5, cpu_ms=4.0, key_cpu_ms=10.0,
)  # fmt: skip
MODEL = ModelReport(
    name="m", ok=True, provider="CPUExecutionProvider", wanted="cpu", inference_ms=30.0, inference_cpu_ms=30.0
)
WELL = Check(ok=True, shown="")
HOST = HostReport(
    user="nvr",
    state_dir=WELL,
    listen=WELL,
    cores=4,
    memory_available_bytes=4_000_000_000,
    disk_free_bytes=500_000_000_000,
    disk_size_bytes=900_000_000_000,
    time_zone="UTC",
    clock_synchronised=True,
    gpu=False,
)


@pytest.fixture
def config(tmp_path):
    def written(camera="", top="", rules="rules: [{type: presence, classes: [person]}]"):
        path = Path(tmp_path / "config.yaml")
        path.write_text(
            "version: 1\ncameras:\n  gate:\n    url: rtsp://192.0.2.7/sub\n"
            f"    {rules}\n{camera}"
            f"sinks: {{log: {{type: log}}}}\n{top}"
        )
        return load(path)

    return written


def on_stream(config, **changes):
    report = CameraReport(name="gate", ok=True, detect=replace(GOOD, **changes), gate_ms=0.5)
    return {one.code: one for one in advice.on_cameras(config.cameras, (report,))}


def test_a_good_camera_needs_none(config):
    assert on_stream(config()) == {}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"width": 2560, "height": 1440}, "substream", "2560×1440"),
        ({"fps": 25.0}, "fps_high", "25 fps and 5 fps are analysed: set this stream to about 10 fps"),
        ({"fps": 2.0}, "fps_low", "it sends 2.0 fps and `detect.fps` is 5"),
        ({"gop_s": 10.0}, "long_gop", "every 10.0 s"),
        # A key frame a second, 10 ms, instead of one and ten others of 70 / 19 ms in two, and .5 ms for each look.
        (
            {"gop_s": 2.0, "gop_frames": 20},
            "key_frames",
            "to 10 pictures, which takes 0.011 instead of 0.024 cores",
        ),
        ({"gop_s": None, "gop_longer_than_s": 5.0}, "long_gop", "less often than every 5 s"),
        ({"transport": "udp", "damage": 2}, "udp_loss", "transport: tcp"),
        ({"damage": 2}, "damage", "2 times"),
        ({"clock_skew_s": -7200.0}, "clock_skew", "2 h behind"),
        ({"clock_skew_s": 40.0}, "clock_skew", "40.0 s ahead"),
        ({"first_picture_s": 6.0}, "slow_start", "6.0 s"),
        ({"state": "catching_up", "lag_s": 2.0}, "behind", "decoding is 2.0 s behind: this machine"),
        ({"stamp_rate": 0.84}, "clock_rate", "0.84 of real time: nothing is late"),
        ({"stamp_rate": 0.0}, "clock_rate", "0.00 of real time"),
    ],
)
def test_each_bad_figure_has_its_advice_and_no_other(config, changes, code, words):
    found = on_stream(config(), **changes)
    assert set(found) == {code}
    assert words in found[code].text
    assert found[code].about == "camera gate"


def test_a_camera_that_fails_gets_no_advice_about_figures_it_does_not_have(config):
    failed = StreamReport(url="rtsp://192.0.2.7/sub", ok=False, state="lost", cause="refused")
    assert (
        list(advice.on_cameras(config().cameras, (CameraReport(name="gate", ok=False, detect=failed),))) == []
    )


def test_a_camera_without_rules_is_told(config):
    loaded = config()
    bare = {"gate": replace(loaded.cameras["gate"], rules=())}
    report = CameraReport(name="gate", ok=True, detect=GOOD, gate_ms=0.5)
    assert [one.code for one in advice.on_cameras(bare, (report,))] == ["no_rules"]


def on_host(config, model=MODEL, cameras=1, **changes):
    report = CameraReport(
        name="gate",
        ok=True,
        detect=replace(GOOD, cpu_ms=4.0 * cameras, key_cpu_ms=10.0 * cameras),
        gate_ms=0.5,
    )
    budget = estimate(config.cameras, [report], model)
    return {one.code for one in advice.on_host(config, replace(HOST, **changes), budget, model)}


def test_a_good_machine_needs_none(config):
    assert on_host(config()) == set()


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"memory_available_bytes": 100_000_000}, {"memory"}),
        ({"disk_free_bytes": 20_000_000_000}, {"disk_full"}),
        ({"disk_free_bytes": 9_000_000_000, "disk_size_bytes": 100_000_000_000}, {"disk_small"}),
        ({"clock_synchronised": False}, {"clock_free"}),
        ({"clock_synchronised": None}, set()),
    ],
)
def test_a_machine_that_is_short_of_something_is_told(config, changes, codes):
    assert on_host(config(), **changes) == codes


def test_cameras_that_need_more_than_there_is_are_told(config):
    assert on_host(config(), cameras=400, cores=4) == {"cpu"}
    slow = replace(MODEL, inference_ms=300.0, inference_cpu_ms=300.0)
    assert on_host(config(), model=slow, cores=1) == {"cpu_moving", "detector_load"}


def test_a_model_that_is_not_where_it_should_be_is_told():
    assert [one.code for one in advice.on_model(MODEL)] == []
    assert [one.code for one in advice.on_model(replace(MODEL, wanted="cuda"))] == ["model_on_cpu"]
    assert [one.code for one in advice.on_model(replace(MODEL, agrees=False))] == ["gpu_disagrees"]


def test_the_budget_adds_up_what_was_measured(config):
    clips = config("    evidence: {clip: true, pre_s: 4, post_s: 4}\n")
    report = CameraReport(name="gate", ok=True, detect=GOOD, gate_ms=0.5)
    budget = estimate(clips.cameras, [report], MODEL)
    cost = budget.cameras["gate"]
    # A key frame of 10 ms and a look of 0.5 ms a second, or 10 pictures × 4 ms + 5 looks; an inference of 30 ms every
    # 10 s, or 5 a second.
    assert cost.cpu_still == pytest.approx(0.0105 + 0.003, abs=1e-3)
    assert cost.cpu_moving == pytest.approx(0.0425 + 0.15, abs=1e-3)
    # Five pictures, and 4 + 4 + 12 s of 2 Mbit/s.
    assert cost.memory_bytes == 5 * 1280 * 720 * 1.5 + 20 * 250_000
    assert budget.memory_bytes == BASE_BYTES + cost.memory_bytes
    on_gpu = replace(MODEL, provider="CUDAExecutionProvider")
    gpu = estimate(clips.cameras, [report], on_gpu).cameras["gate"]
    assert (gpu.cpu_still, gpu.cpu_moving) == pytest.approx((0.0105, 0.0425), abs=1e-3)


@pytest.mark.parametrize(
    "full", ["decode: full", "motion: {enabled: false}", "rules: [{type: presence, decode: full}]"]
)
def test_a_camera_that_is_decoded_in_full_costs_as_much_while_nothing_moves(config, full):
    path = config(f"    {full}\n") if "rules" not in full else config(rules=full)
    stream = replace(GOOD, gop_s=2.0, gop_frames=20)
    report = CameraReport(name="gate", ok=True, detect=stream, gate_ms=0.5)
    cost = estimate(path.cameras, [report], MODEL).cameras["gate"]
    assert cost.cpu_still == pytest.approx(0.0425 + 0.003, abs=1e-3)
    assert list(advice.on_cameras(path.cameras, (report,))) == []


@pytest.mark.parametrize(
    ("gop", "reaction_s"), [(5, 1.0), (15, 1.0), (18, 1.0), (30, 1.0), (60, 1.0), (30, 2.0)]
)
def test_the_pace_is_that_of_decoding_on_demand(gop, reaction_s):
    fps, seconds = 15, 60
    pace = Pace(gop_s=gop / fps, reaction_s=reaction_s, gop_bytes=0)
    looked, keys, others, reached = 0, 0, 0, 0
    for seq in range(fps * seconds):
        packet = KeptPacket(seq, b"", seq % gop == 0, seq / fps, 0.0, 0.0, 0.0, broken=False)
        if pace.due(packet):
            # Every picture is decoded from the key frame on, or from the look before in the same group.
            first = max(reached, seq - seq % gop)
            keys += first % gop == 0
            others += seq - first + (first % gop != 0)
            looked, reached = looked + 1, seq + 1
    found = idle_pace(fps, gop / fps, reaction_s)
    counted = (looked / seconds, keys / seconds, others / seconds)
    assert (found.looks, found.keys, found.others) == pytest.approx(counted, abs=0.05)


def test_the_heights_from_which_people_are_seen_follow_from_stream_and_model():
    assert Sight.of(320, 240, 320, 40.0) == Sight(close_px=24, close_share=0.1, whole_px=24, tiles=1)
    assert Sight.of(640, 360, 320, 40.0) == Sight(close_px=40, close_share=0.111, whole_px=48, tiles=2)
    main = Sight.of(1920, 1080, 320, 40.0)
    assert (main.close_px, main.close_share, main.whole_px) == (40, 0.037, 144)
    assert main.tiles > 6
    assert "from 40 px (3.7% of the picture's height), from 144 px in a look at the whole picture" in str(
        main
    )


def test_who_sees_large_people_only_is_told_which_stream_shows_smaller_ones(config):
    small, main = Sight.of(640, 360, 320, 40.0), Sight.of(1920, 1080, 320, 40.0)
    record = replace(GOOD, width=1920, height=1080)
    alone = CameraReport(name="gate", ok=True, detect=GOOD, gate_ms=0.5, sight=small)
    both = replace(alone, record=record, record_sight=main)
    told = [{one.code: one.text for one in advice.on_cameras(config().cameras, (r,))} for r in (alone, both)]
    assert "people are seen from 11.1% of the picture's height (40 px)" in told[0]["small_people"]
    assert "use a stream of the camera with more rows" in told[0]["small_people"]
    assert "the record stream (1920×1080) shows them from 3.7%" in told[1]["small_people"]
    wide = replace(both, sight=main)
    assert "small_people" not in {one.code for one in advice.on_cameras(config().cameras, (wide,))}
