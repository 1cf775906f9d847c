"""The console by TLS, from the first visit to a live picture: the real daemon, its certificate, a real Chromium."""

import json
import ssl
import urllib.error
import urllib.request

import pytest

from tests.alerts.servers import make_certificate
from tests.console.browser import opened
from tests.console.test_browser import problems, until
from tests.integration.world import Process, config_text, fetch, wait_for
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(300)]
PASSWORD = "correct horse 7"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory, pair, clips):
    """A daemon that has a name of its own, so that nobody gets in without a login."""
    folder = tmp_path_factory.mktemp("tls")
    with Camera(clips["h264"]) as camera:
        made = json.loads(config_text(camera.url, folder / "state"))
        made["http"] |= {
            "console": True, "certificate": str(pair[0]), "key": str(pair[1]), "hosts": ["cams.example"],
        }  # fmt: skip
        made["http"]["audit_sink"] = "audit"
        made["sinks"] = {"audit": {"type": "file", "path": "audit.jsonl"}}
        config = folder / "config.yaml"
        config.write_text(json.dumps(made))
        with Process(config) as process:
            yield process
            assert process.end() == 0
            told = [json.loads(line) for line in (folder / "state" / "audit.jsonl").read_text().splitlines()]
            assert {"first_visit", "live", "login", "logout"} <= {one["key"] for one in told}
            assert {one["rule"] for one in told} == {"audit"}
            assert PASSWORD not in str(told)


def test_pages_are_served_by_tls_alone_with_the_certificate(daemon, pair):
    trusting = ssl.create_default_context(cafile=pair[0])
    assert daemon.pages().startswith("https://127.0.0.1:")
    with urllib.request.urlopen(f"{daemon.pages()}/livez", context=trusting, timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{daemon.pages()}/livez", context=ssl.create_default_context(), timeout=10)
    with pytest.raises(OSError, match=r"reset|closed|refused|Remote|empty"):
        fetch(daemon.pages().replace("https:", "http:") + "/livez")


def test_the_first_visitor_gets_in_with_the_code_of_the_log_and_sees_live_pictures(browser, daemon):
    code = wait_for(lambda: [one["code"] for one in daemon.records() if "code" in one])[0]
    with opened(browser, refused=True, ignore_https_errors=True) as page:
        page.goto(f"{daemon.pages()}/console/")
        page.get_by_label("Code of the log").fill(code)
        page.get_by_label("User").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        assert problems(page) == []
        page.get_by_role("button", name="Add administrator").click()
        until(page, "document.querySelector('video')?.currentTime > 0.5")
        [cookie] = page.context.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-surveil", True, True)
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("button", name="Log in").wait_for()
        page.get_by_label("User").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_text("ada").wait_for()
