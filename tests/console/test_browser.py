"""The console as people use it: Debian's Chromium, the real daemon, a real RTSP camera with people in its picture."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from surveil.demo.clip import write_clip
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.demo.scene import DrawnScene
from tests.console.browser import opened
from tests.integration.world import Process, config_text, wait_for
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]

PAGES = (
    "live", "live/yard", "events", "zones/yard", "cameras", "setup", "camera/yard", "health/yard", "normality",
    "normality/yard", "arming", "books", "nowhere",
)  # fmt: skip
SEEN = """() => {
    const video = document.querySelector('[aria-label=%s] video');
    return video && video.videoWidth === %d && video.currentTime > %f && !video.error;
}"""


@pytest.fixture(scope="module")
def gate(clips):
    """A camera that fails on command."""
    with Camera(clips["h264"]) as camera:
        yield camera


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="module")
def console(folder, gate):
    """The address of a console with two cameras; through the picture of the yard two people walk again and again."""
    write_clip(folder / "passing.mp4", DrawnScene.passing(seed=3, people=2, size=(640, 360)))
    with RtspServer(RtpClip(folder / "passing.mp4")) as camera:
        config = folder / "config.yaml"
        rules = [{"type": "intrusion", "zone": "yard", "after_s": 0.5}]
        made = json.loads(config_text(camera.url, folder / "state", rules=rules, title="Yard"))
        made["cameras"]["gate"] = {"url": gate.url, "title": "Gate"}
        made["http"] |= {
            "console": True,
            "public_url": "https://cams.example",
            "grafana_url": "https://charts.example/g",
        }
        made["sinks"] = {"file": {"type": "file", "path": str(folder / "alerts.jsonl")}}
        config.write_text(json.dumps(made))
        with Process(config) as daemon:
            yield f"{daemon.pages()}/console/"
            assert daemon.end() == 0


@pytest.fixture(scope="module")
def link(console, folder):
    """The link of the first alert, at this daemon's own address."""
    alerts = folder / "alerts.jsonl"
    wait_for(lambda: alerts.exists() and alerts.read_text().count("\n"), 60)
    told = json.loads(alerts.read_text().splitlines()[0])["details"]["link"]
    return told.replace("https://cams.example/", console.removesuffix("console/"))


def until(page, expression):
    """Wait for something in the page; Playwright's own way needs `eval`, which the page's policy forbids."""
    wait_for(lambda: page.evaluate(expression), 60)


@pytest.fixture(scope="module")
def page(browser, console):
    with opened(browser) as page:
        yield page


def test_the_first_page_shows_a_moving_picture_with_what_is_followed_in_it(page, console):
    page.goto(console)
    until(page, SEEN % ("Yard", 640, 1))
    at = page.evaluate("document.querySelector('[aria-label=Yard] video').currentTime")
    until(page, SEEN % ("Yard", 640, at + 1))
    page.wait_for_selector("[data-track] rect")
    until(
        page,
        "[...document.querySelectorAll('[data-track] text')].some((one) => one.textContent.includes('person'))",
    )
    page.wait_for_selector(".tile.alarm footer a")


def test_all_tiles_of_a_page_come_over_one_connection(page, console):
    page.goto(console)
    until(page, SEEN % ("Yard", 640, 0))
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert sum("/api/v1/cameras" in one for one in loaded) >= 1
    assert not [one for one in loaded if "live.mp4" in one or "live.mjpeg" in one]


def test_a_camera_that_the_browser_cannot_play_is_shown_in_pictures(browser, console):
    with opened(browser) as page:
        page.add_init_script("MediaSource.isTypeSupported = () => false")
        page.goto(console)
        until(
            page,
            """() => {
            const canvas = document.querySelector('[aria-label=Yard] canvas');
            return canvas && canvas.width === 640 && canvas.getContext('2d').getImageData(320, 180, 1, 1).data[3] > 0;
        }""",
        )
        assert "Still pictures" in page.get_by_label("Yard").locator("footer").inner_text()


def test_a_camera_that_is_lost_or_changes_while_it_is_viewed_comes_back_by_itself(page, console, gate, clips):
    page.goto(f"{console}#/live/gate")
    until(page, SEEN % ("Gate", 320, 0.5))
    gate("down")
    page.locator(".tile .badge.bad").wait_for()
    gate("up")
    page.locator(".tile .badge.good").wait_for()
    at = page.evaluate("document.querySelector('video').currentTime")
    until(
        page,
        SEEN % ("Gate", 320, 0.5)
        if at < 0.5
        else f"document.querySelector('video').currentTime > {at + 0.5}",
    )
    gate(f"switch {clips['large']}")
    until(page, SEEN % ("Gate", 640, 0.5))


def test_an_event_comes_into_the_list_by_itself_and_leads_to_its_pictures(page, console):
    page.goto(f"{console}#/events")
    event = page.locator(".events li").first
    event.wait_for()
    event.locator("a").click()
    page.wait_for_selector("figure img")
    until(
        page, "[...document.querySelectorAll('figure img')].every((one) => one.complete && one.naturalWidth)"
    )
    assert "person in yard" in page.locator("main").inner_text()
    charts = page.get_by_role("link", name="Charts in Grafana").get_attribute("href")
    assert re.match(
        r"https://charts\.example/g/d/surveil-camera\?var-camera=yard&.*from=\d{13}&to=\d{13}$", charts
    )


def test_the_list_of_events_is_of_the_camera_and_the_time_that_a_dashboard_links_to(page, console):
    page.goto(f"{console}#/events?camera=yard&from=1&to=2000000000")
    page.locator(".events li").first.wait_for()
    page.goto(f"{console}#/events?camera=yard&from=1&to=2")
    page.get_by_text("No events match.").wait_for()


def test_a_sink_is_sent_a_test_message(page, console, folder):
    page.goto(f"{console}#/books")
    page.get_by_role("button", name="Test message to file").click()
    page.get_by_text("file has taken a test message.").wait_for()
    rules = [json.loads(line)["rule"] for line in (folder / "alerts.jsonl").read_text().splitlines()]
    assert "test" in rules


def test_the_running_daemon_tells_of_picture_health_and_takes_a_new_view(page, console):
    page.goto(f"{console}#/health/yard")
    page.get_by_text("No fault", exact=True).wait_for()
    page.goto(f"{console}#/normality/yard")
    page.get_by_text("Switch it on in the configuration").wait_for()
    taken = page.evaluate(
        """async () => {
            const { csrf } = await (await fetch('/api/v1/me')).json();
            const asked = { method: 'POST', headers: { 'x-csrf-token': csrf } };
            return (await (await fetch('/api/v1/cameras/yard/accept-view', asked)).json()).taken;
        }"""
    )
    assert taken


def test_a_zone_drawn_with_the_mouse_alerts(page, console):
    page.goto(f"{console}#/zones/yard")
    page.get_by_role("button", name="Add zone").click()
    picture = page.get_by_role("application")
    box = picture.bounding_box()
    for x, y in ((0.02, 0.4), (0.98, 0.4), (0.98, 0.97), (0.02, 0.97), (0.02, 0.4)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    name = page.get_by_label("Name in the configuration")
    name.fill("drawn")
    name.press("Tab")
    page.get_by_label("Add rule").select_option("intrusion")
    page.get_by_role("button", name="Save and apply").click()
    page.get_by_role("button", name="Drop the draft").wait_for()
    assert page.locator(".list .badge").first.inner_text() == "Draft"
    page.goto(f"{console}#/events")
    page.locator(".events li", has_text="person in drawn").first.wait_for()


def test_a_zone_is_drawn_moved_and_deleted_by_keyboard_alone(page, console):
    """Also: an outline that crosses itself is refused, and a step is taken back."""
    page.goto(f"{console}#/zones/gate")
    press = page.keyboard.press
    page.get_by_role("button", name="Add zone").focus()
    press("Enter")
    page.wait_for_selector("svg.drawing:focus")
    corners = (
        (("ArrowLeft", 10), ("ArrowUp", 10)),
        (("ArrowRight", 20),),
        (("ArrowDown", 15),),
        (("ArrowLeft", 10),),
    )
    for moves in corners:
        for key, times in moves:
            for _ in range(times):
                press(f"Shift+{key}")
        press(" ")
    for _ in range(25):
        press("Shift+ArrowUp")
    press(" ")
    until(page, "document.querySelector('.split [role=status]').textContent.startsWith('Refused')")
    press("Enter")
    first = page.get_by_role("button", name="Point 1")
    first.focus()
    before = first.get_attribute("aria-label")
    press("Shift+ArrowLeft")
    until(page, f"document.activeElement.getAttribute('aria-label') !== {before!r}")
    press("Insert")
    page.get_by_role("button", name="Point 5").wait_for()
    press("Delete")
    page.get_by_role("button", name="Point 5").wait_for(state="detached")
    press("Control+z")
    page.get_by_role("button", name="Point 5").wait_for()
    page.get_by_role("button", name="Save and apply").focus()
    press("Enter")
    page.get_by_role("button", name="Drop the draft").wait_for()
    page.locator(".list button").first.focus()
    press("Enter")
    page.get_by_role("button", name="Remove zone1").focus()
    press("Enter")
    page.get_by_role("button", name="Save and apply").focus()
    press("Enter")
    until(
        page,
        "document.querySelectorAll('.list li').length === 0 && !document.querySelector('.main:not(:disabled)')",
    )


def test_a_verdict_is_one_key(page, console):
    page.goto(f"{console}#/events")
    page.locator(".events li a").first.focus()
    event = page.evaluate("document.activeElement.closest('li').dataset.event")
    page.keyboard.press("f")
    page.locator(f"[data-event={event!r}] .badge.false").wait_for()
    page.keyboard.press("a")
    page.locator(f"[data-event={event!r}]", has_text="Acknowledged").wait_for()


def test_rules_are_disarmed_and_armed(page, console):
    page.goto(f"{console}#/arming")
    rule = page.locator("[data-rule='yard/intrusion']").first
    page.get_by_label("For").select_option("1")
    page.get_by_role("button", name="Disarm: yard", exact=True).click()
    until(page, "document.querySelector('[data-rule]').textContent.includes('armed again at')")
    page.get_by_role("button", name="Arm: yard", exact=True).click()
    rule.locator(".badge.good").wait_for()


@pytest.mark.parametrize(("language", "button"), [("en", "False alarm"), ("zh", "误报")])
def test_the_link_of_an_alert_leads_to_a_page_that_judges_without_a_login(browser, link, language, button):
    with opened(browser, language=language, width=390) as page:
        page.goto(link)
        page.locator("img").first.wait_for()
        assert problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the picture is wider"
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_url("**done=1")
        assert page.locator("img").count() >= 1


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1440), ("zh", "dark", 390), ("en", "dark", 390), ("zh", "light", 1440)],
)
def test_every_page_can_be_read_by_everybody(browser, console, language, scheme, width):
    """In both languages, light and dark, on a screen and on a phone: nothing is cut off, and axe-core finds nothing."""
    word = {"en": "Events", "zh": "事件"}[language]
    with opened(browser, language=language, width=width, color_scheme=scheme) as page:
        for name in PAGES:
            page.goto(f"{console}#/{name}")
            page.locator("h1").wait_for()
            until(page, "!document.querySelector('main').innerText.includes('…')")
            assert word in page.locator("nav").inner_text()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is cut off"
            assert problems(page) == [], name


def problems(page):
    """What axe-core finds, with the element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [(one["id"], one["impact"], node["html"]) for one in found for node in one["nodes"]]
