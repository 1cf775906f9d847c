"""The live view of a daemon with a real RTSP camera: pictures, tracks, events and states in one stream."""

import io

import av
import pytest

from tests.console.live import Page
from tests.integration.world import Process, config_text
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", size=(320, 240), seconds=4.0, gop=10)


def address(process):
    host, _, port = process.pages().removeprefix("http://").rpartition(":")
    return host, int(port)


def test_a_page_sees_a_camera_and_that_it_is_lost_and_comes_back(tmp_path, clip):
    with Camera(clip) as camera:
        config = tmp_path / "config.json"
        made = config_text(
            camera.url, tmp_path / "state", top={"http": {"listen": "127.0.0.1:0", "console": True}}
        )
        config.write_text(made)
        with Process(config) as process, Page(address(process), cameras="yard") as page:
            _, data = page.next("init")
            pictures = [page.next("media") for _ in range(20)]
            with av.open(
                io.BytesIO(data + b"".join(payload for _, payload in pictures)), format="mp4"
            ) as file:
                frames = list(file.decode(video=0))
            assert len(frames) == 20
            assert not any(frame.is_corrupt for frame in frames)
            shown = [frame.time + header["base"] for frame, (header, _) in zip(frames, pictures, strict=True)]
            assert shown == pytest.approx([header["at"] for header, _ in pictures], abs=0.001)
            tracks, _ = page.next("tracks")
            assert (tracks["width"], tracks["height"]) == (320, 240)
            camera("down")
            lost, _ = page.next("state", lambda one: one["state"] == "lost")
            assert lost["cause"]
            camera("up")
            again, _ = page.next("media", lambda one: one["at"] > lost["since"])
            assert again["key"]
            page.next("state", lambda one: one["state"] == "streaming")
            assert process.end() == 0
    assert [one["type"] for one in page.seen].count("init") == 1
