"""Tiles of the live page: sixteen at a time over one connection, and one of a camera at which nothing moves."""

import json

import pytest

from tests.console.browser import opened
from tests.console.test_browser import until
from tests.integration.world import Process, config_text
from tests.rig.clips import make_clip, still
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]
TILES = 16
MOVING = f"""() => {{
    const videos = [...document.querySelectorAll('.tile video')];
    return videos.length === {TILES} && videos.every((one) => one.currentTime > 0.5 && !one.error);
}}"""


def test_a_camera_of_still_pictures_says_that_it_is_idle(browser, tmp_path):
    """Hidden areas make it one of still pictures; nothing moves, so key frames alone are decoded."""
    clip = make_clip(tmp_path / "still.mp4", seconds=4.0, scene=still)
    with Camera(clip) as camera:
        mask = {"points": [[0, 0], [0.1, 0], [0.1, 0.1]], "hide": "store"}
        config = tmp_path / "config.yaml"
        http = {"listen": "127.0.0.1:0", "console": True}
        config.write_text(
            config_text(camera.url, tmp_path / "state", top={"http": http}, masks={"corner": mask})
        )
        with Process(config) as daemon:
            with opened(browser) as page:
                page.goto(f"{daemon.pages()}/console/")
                page.get_by_text("Idle: one picture per GOP").wait_for()
            assert daemon.end() == 0


def test_sixteen_cameras_move_in_one_page_and_the_api_answers_beside_them(browser, tmp_path, clips):
    with Camera(clips["h264"], fps=5) as camera:
        made = json.loads(config_text(camera.url, tmp_path / "state"))
        made["cameras"] = {f"camera-{n}": {"url": camera.url} for n in range(TILES)}
        made["http"] |= {"console": True}
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps(made))
        with Process(config) as daemon:
            with opened(browser) as page:
                page.goto(f"{daemon.pages()}/console/")
                until(page, MOVING)
                answered = page.evaluate(
                    """async () => {
                        const ask = () => fetch('/api/v1/cameras').then((answer) => answer.status);
                        return Promise.all(Array.from({length: 12}, ask));
                    }"""
                )
                assert answered == [200] * 12
                loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
                assert not [one for one in loaded if "live.mp4" in one or "live.mjpeg" in one]
            assert daemon.end() == 0
