"""Recordings: deterministic, and clear words for what is none."""

from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from surveil.capture.loop import CaptureLoop
from surveil.capture.settings import StreamSettings
from surveil.clock import ManualClock, Stop
from surveil.errors import Cause, SourceError
from surveil.metrics import Metrics
from tests.rig.clips import make_clip
from tests.users import no_root

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_file_left_open")]
START = 1_000_000_000.0


def capture(path, clock=None, **settings):
    frames, losses = [], []
    metrics = Metrics(CollectorRegistry())
    metrics.add_camera("cam", ())
    stream = StreamSettings(url=str(path), **({"realtime": False} | settings))
    loop = CaptureLoop(
        "cam", stream, frames.append, losses.append, metrics, clock or ManualClock(), Stop(), start_wall=START
    )
    return loop, frames, losses


def cause_of(path):
    loop, _, _ = capture(path)
    with pytest.raises(SourceError) as error:
        loop.run_once()
    return error.value.cause


@pytest.mark.parametrize(("codec", "name"), [("h264", "a.mp4"), ("hevc", "a.mp4"), ("mjpeg", "a.avi")])
def test_every_frame_comes_once_with_its_time(tmp_path, codec, name) -> None:
    loop, frames, losses = capture(make_clip(tmp_path / name, codec, seconds=2.0))
    loop.run()
    assert [f.seq for f in frames] == list(range(30))
    assert [f.t for f in frames] == pytest.approx([i / 15 for i in range(30)], abs=1e-6)
    assert [f.t_wall - START for f in frames] == pytest.approx([f.t for f in frames])
    assert not any(f.damaged for f in frames)
    assert [(lost.cause, lost.final, lost.t) for lost in losses] == [("ended", True, frames[-1].t)]
    assert loop.status.state == "ended"


def test_frames_held_back_for_reordering_come_too(tmp_path) -> None:
    clip = make_clip(tmp_path / "b.mp4", seconds=2.0, options={"bf": "2", "tune": "film", "preset": "fast"})
    loop, frames, _ = capture(clip)
    loop.run()
    assert [f.t for f in frames] == pytest.approx([i / 15 for i in range(30)], abs=1e-6)


def test_two_runs_give_the_same_pictures_and_times(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    runs = []
    for _ in range(2):
        loop, frames, _ = capture(clip)
        loop.run()
        runs.append([(f.seq, f.t, f.t_wall, f.picture.luma(64, 48).tobytes()) for f in frames])
    assert runs[0] == runs[1]


def test_a_file_can_be_played_at_its_own_speed(tmp_path) -> None:
    clock = ManualClock()
    began = clock.monotonic()
    loop, frames, _ = capture(make_clip(tmp_path / "a.mp4", seconds=2.0), clock, realtime=True)
    loop.run()
    assert clock.monotonic() - began == pytest.approx(29 / 15, abs=0.01)
    assert frames[-1].t == pytest.approx(29 / 15)


def test_a_repeated_file_goes_on_in_time(tmp_path) -> None:
    loop, frames, _ = capture(make_clip(tmp_path / "a.mp4", seconds=0.2, size=(64, 48)), repeat=True)
    keep = frames.append

    def put(frame):
        keep(frame)
        if len(frames) == 3300:
            loop._stop.set()

    loop._put = put
    loop.run()
    steps = np.diff([f.t for f in frames])
    assert steps == pytest.approx(np.full(len(steps), 1 / 15), abs=1e-6)


def test_a_folder_of_images_is_read_in_natural_order(tmp_path) -> None:
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), np.full((20, 30, 3), number * 20, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    loop, frames, _ = capture(tmp_path, fps=4.0)
    loop.run()
    assert [int(f.picture.luma(3, 2)[0, 0]) for f in frames] == [n * 20 for n in range(12)]
    assert [f.t for f in frames] == pytest.approx([n / 4 for n in range(12)])


def test_a_broken_image_in_a_folder_is_passed_over(tmp_path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(b"not a picture")
    loop, frames, _ = capture(tmp_path, fps=1.0)
    loop.run()
    assert [f.t for f in frames] == [0.0, 2.0]


def test_an_image_in_a_folder_that_cannot_be_analysed_is_named(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "line.png"), np.zeros((1, 30, 3), np.uint8))
    loop, _, _ = capture(tmp_path, fps=1.0)
    with pytest.raises(SourceError, match=r"line\.png: a picture of 30x1 cannot be analysed") as caught:
        loop.run_once()
    assert caught.value.cause is Cause.UNSUPPORTED


def test_a_file_that_is_not_a_video_is_damaged(tmp_path) -> None:
    (tmp_path / "a.mp4").write_text("This is a letter, not a video.\n" * 100)
    assert cause_of(tmp_path / "a.mp4") is Cause.DAMAGED


def test_random_bytes_are_damaged(tmp_path) -> None:
    (tmp_path / "a.mp4").write_bytes(np.random.default_rng(1).bytes(50_000))
    assert cause_of(tmp_path / "a.mp4") is Cause.DAMAGED


def test_an_empty_file_is_damaged(tmp_path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    assert cause_of(tmp_path / "a.mp4") is Cause.DAMAGED


def test_an_mp4_that_was_cut_off_has_lost_its_index(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert cause_of(clip) is Cause.DAMAGED


def test_a_cut_off_file_with_its_index_in_front_is_read_as_far_as_it_goes(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.ts")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    loop, frames, losses = capture(clip)
    loop.run()
    assert 5 < len(frames) < 30
    assert losses[-1].final


def test_a_missing_file_is_not_found(tmp_path) -> None:
    assert cause_of(tmp_path / "none.mp4") is Cause.NOT_FOUND


def test_what_this_user_may_not_read_is_a_cause_and_not_a_bug() -> None:
    # A folder of their own: the tests' own folders are closed to others from the top.
    with no_root(), TemporaryDirectory() as name:
        locked = Path(name) / "locked"
        locked.mkdir()
        (locked / "film.mp4").touch()
        locked.chmod(0o000)
        try:
            assert {cause_of(path) for path in (locked, locked / "film.mp4")} == {Cause.UNAUTHORIZED}
        finally:
            locked.chmod(0o700)


def test_an_empty_folder_has_no_video(tmp_path) -> None:
    assert cause_of(tmp_path) is Cause.NO_VIDEO


def test_a_webcam_that_is_not_there_is_not_found() -> None:
    assert cause_of("/dev/video99") is Cause.NOT_FOUND


def test_an_image_given_as_a_file_is_a_video_of_one_frame(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "one.jpg"), np.full((48, 64, 3), 200, np.uint8))
    loop, frames, _ = capture(tmp_path / "one.jpg")
    loop.run()
    assert [(f.t, f.picture.width) for f in frames] == [(0.0, 64)]


def test_damage_in_a_file_is_marked_and_the_rest_is_read(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.ts", seconds=4.0, gop=15)
    data = bytearray(clip.read_bytes())
    for i in range(len(data) // 3, len(data) // 3 + 3000, 7):
        data[i] ^= 0x5A
    clip.write_bytes(data)
    loop, frames, _ = capture(clip)
    loop.run()
    assert any(f.damaged for f in frames)
    assert not frames[-1].damaged


def test_without_deblocking_the_pictures_are_nearly_the_same(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.mp4", options={"preset": "veryfast", "crf": "30"})
    pictures = []
    for skip in (False, True):
        loop, frames, _ = capture(clip, skip_loop_filter=skip)
        loop.run()
        pictures.append(np.stack([f.picture.luma(160, 120) for f in frames]).astype(int))
    difference = np.abs(pictures[0] - pictures[1]).mean()
    assert 0 < difference < 4


def _has_cuda():
    try:
        av.codec.hwaccel.HWAccel("cuda").create(av.codec.Codec("h264"))
    except (av.error.FFmpegError, NotImplementedError):
        return False
    return True


@pytest.mark.skipif(_has_cuda(), reason="this machine can decode with CUDA")
def test_without_a_gpu_auto_decodes_in_software_and_cuda_says_that_it_cannot(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=1.0)
    loop, frames, _ = capture(clip, hwaccel="auto")
    loop.run()
    assert len(frames) == 15
    loop, _, _ = capture(clip, hwaccel="cuda")
    with pytest.raises(SourceError, match="cuda is set") as error:
        loop.run_once()
    assert error.value.cause is Cause.UNSUPPORTED


@pytest.mark.skipif(not _has_cuda(), reason="no GPU here that decodes: run on one")
def test_with_a_gpu_the_decode_path_is_cuda_and_the_pictures_are_the_same(tmp_path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=1.0)
    seen = {}
    for way in ("none", "cuda"):
        loop, frames, _ = capture(clip, hwaccel=way)
        loop.run()
        seen[way] = np.stack([f.picture.luma(80, 60) for f in frames]).astype(int)
    assert loop._info.decoder == "cuda"
    assert np.abs(seen["none"] - seen["cuda"]).max() <= 2


def test_refused_frames_are_not_made_but_counted_in_their_numbers(tmp_path) -> None:
    loop, frames, _ = capture(make_clip(tmp_path / "a.mp4", seconds=1.0))
    loop._wants = lambda _camera, t: round(t * 15) % 3 == 0
    loop.run()
    assert [f.seq for f in frames] == [0, 3, 6, 9, 12]
