"""From the shipped configuration to an alert without a terminal: a real browser, daemon and camera."""

import json
import re
from pathlib import Path

import pytest

from surveil.config.draft import read_draft
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene
from tests.console.browser import opened
from tests.console.test_browser import problems, until
from tests.integration.world import PASSWORD, Process
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]
SHIPPED = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera with a login, and two people who walk through its picture again and again."""
    clip = tmp_path_factory.mktemp("clip") / "passing.mp4"
    write_clip(clip, DrawnScene.passing(seed=3, people=2, size=(640, 360)))
    with Camera(clip, user="user", password=PASSWORD) as made:
        yield made.plain_url


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """The daemon with the shipped file, at a port and in a folder of its own."""
    folder = tmp_path_factory.mktemp("first")
    config = folder / "config.yaml"
    text = SHIPPED.read_text()
    text = re.sub(r'^  listen: ".*"$', '  listen: "127.0.0.1:0"', text, flags=re.MULTILINE)
    text = re.sub(r"^state_dir: .*$", f"state_dir: {folder / 'state'}", text, flags=re.MULTILINE)
    config.write_text(text)
    with Process(config) as process:
        process.state = folder / "state"
        yield process
        assert process.end() == 0


@pytest.fixture(scope="module")
def console(daemon):
    return f"{daemon.pages()}/console/"


def test_without_a_camera_it_is_up_and_says_so(daemon):
    status, text = daemon.get("/readyz")
    assert (status, json.loads(text)["note"]) == (200, "no camera is configured: add one in the console")


@pytest.mark.parametrize(("language", "scheme", "width"), [("en", "dark", 390), ("zh", "light", 1440)])
def test_the_first_start_opens_the_wizard_which_everybody_can_read(browser, console, language, scheme, width):
    with opened(browser, language=language, width=width, color_scheme=scheme) as page:
        page.goto(console)
        page.locator("ol.steps").wait_for()
        assert page.locator("h1").inner_text() == {"en": "Add camera", "zh": "添加摄像机"}[language]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert problems(page) == []


def test_a_camera_is_probed_named_gets_a_zone_and_is_shown_live(browser, console, camera, daemon):
    with opened(browser) as page:
        page.goto(console)
        page.get_by_label("Address of the stream", exact=False).first.fill(camera)
        page.get_by_label("User").fill("user")
        page.get_by_label("Password").fill("wrong-one")
        assert page.get_by_label("Password").get_attribute("type") == "password"
        page.get_by_role("button", name="Probe", exact=True).click()
        page.get_by_text("wrong login").wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Probe", exact=True).click()
        page.get_by_text("The camera works.").wait_for()
        until(page, "document.querySelector('img.probed')?.naturalWidth === 640")
        assert problems(page) == []
        page.locator("input[name=id]").fill("porch")
        page.locator("input[name=title]").fill("The porch")
        page.get_by_role("button", name="Add camera and draw a zone").click()
        page.get_by_role("button", name="Add zone").click()
        box = page.get_by_role("application").bounding_box()
        for x, y in ((0.02, 0.4), (0.98, 0.4), (0.98, 0.97), (0.02, 0.97), (0.02, 0.4)):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.get_by_label("Add rule").select_option("intrusion")
        page.get_by_role("button", name="Save and apply").click()
        page.wait_for_url("**/#/live/porch")
        until(page, "document.querySelector('video')?.currentTime > 1")
        page.goto(f"{console}#/events")
        page.locator(".events li", has_text="person in zone1").first.wait_for()
    draft = read_draft(daemon.state / "console" / "draft.yaml")
    assert draft["porch"]["title"] == "The porch"
    assert PASSWORD not in json.dumps(draft) + daemon.log.read_text()


def test_a_camera_is_renamed_and_removed_by_its_settings(browser, console):
    with opened(browser, width=390) as page:
        page.goto(f"{console}#/camera/porch")
        page.locator("input[name=title]").fill("Back door")
        page.get_by_role("button", name="Save and apply").click()
        page.get_by_text("Saved, and in effect.").wait_for()
        page.get_by_role("heading", name="Settings of Back door").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert problems(page) == []
        page.get_by_role("button", name="Remove camera").click()
        page.get_by_role("button", name="Remove it").click()
        page.get_by_text("No camera is configured yet.").wait_for()
