"""Training by clicks in Chromium: two classes, the last picture of each by hand, to the shadow and into use."""

from pathlib import Path

import pytest

import surveil.console
from surveil.features.classify.store import ClassifierStore
from surveil.versions import VersionRole
from tests.console.browser import opened
from tests.console.site import Site
from tests.console.test_browser import problems, until
from tests.console.test_training import LABELS, add, picture
from tests.train.pictures import draw

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]
STATIC = Path(surveil.console.__file__).parent / "static"
EACH = 12


@pytest.fixture
def site(tmp_path):
    """A console with events of two kinds; all but the last of each are judged."""
    with Site(tmp_path, front=STATIC) as made:
        for n in range(2 * EACH):
            event = picture(made, n, draw(LABELS[n % 2], n))
            if n < 2 * (EACH - 1):
                add(made, LABELS[n % 2], event=event)
        yield made


def test_pictures_are_clicked_into_classes_trained_on_and_used(browser, site):
    host, port = site.address
    with opened(browser) as page:
        page.goto(f"http://{host}:{port}/console/#/training")
        page.get_by_role("link", name="shapes").click()
        for newest, label in ((1, "disc"), (0, "cross")):
            page.get_by_role("group", name="Class").first.get_by_role(
                "button", name=label, exact=True
            ).click()
            page.locator(".crops button.crop").nth(1 - newest).click()
            until(page, f"document.querySelector('main').innerText.includes('Added to class {label}.')")
        until(page, f"document.querySelector('main').innerText.includes('{2 * EACH} pictures')")
        assert problems(page) == []
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_text("Training has finished.").wait_for()
        page.get_by_role("heading", name="Test result").wait_for()
        assert problems(page) == []
        page.get_by_role("button", name="Deploy to shadow mode").click()
        page.get_by_text("Version 0001 in shadow mode").wait_for()
        assert ClassifierStore(site.folder, "shapes").path(VersionRole.SHADOW)
        page.get_by_role("button", name="Deploy", exact=False).last.click()
        page.get_by_text("Version 0001 in use").wait_for()


@pytest.mark.parametrize(("language", "scheme", "width"), [("zh", "dark", 390), ("en", "light", 1440)])
def test_the_pages_of_training_can_be_read_by_everybody(browser, site, language, scheme, width):
    host, port = site.address
    with opened(browser, language=language, width=width, color_scheme=scheme) as page:
        for name in ("training", "training/shapes", "training/new"):
            page.goto(f"http://{host}:{port}/console/#/{name}")
            page.locator("h1").wait_for()
            until(page, "!document.querySelector('main').innerText.includes('…')")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is cut off"
            assert problems(page) == [], name
