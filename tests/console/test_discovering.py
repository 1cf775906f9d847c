"""Cameras of the network for the wizard, from virtual devices on loopback."""

import pytest

from tests.console.browser import opened
from tests.discovery.virtual import PASSWORD, USER, Network, Profile, Virtual
from tests.integration.world import Process, config_text

pytestmark = pytest.mark.rig
LOGIN = {"user": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def network():
    odd = [Virtual(41), Virtual(42, login="digest", profiles=[Profile("only", (1280, 720), gop=60)])]
    with Network(odd) as network:
        yield network


def test_a_found_camera_is_as_the_wizard_takes_it(site, network):
    answer = site.change("POST", "/discovery", {**LOGIN, "host": network.service(0)})
    assert answer.status == 200
    [camera] = answer.json["cameras"]
    assert camera["id"] == "acme_c41"
    assert "serial SN0041" in camera["about"]
    assert (camera["url"], camera["record_url"]) == (
        "rtsp://127.0.7.41:554/sub",
        "rtsp://127.0.7.41:554/main",
    )
    assert answer.json["notes"] == []
    assert PASSWORD not in str(answer.json)
    added = site.change(
        "POST", "/cameras", {**LOGIN, **{k: camera[k] for k in ("id", "url", "record_url")}, "title": ""}
    )
    assert added.status == 200, added.json


def test_advice_and_what_went_wrong_are_told(site, network):
    [camera] = site.change("POST", "/discovery", {**LOGIN, "host": network.service(1)}).json["cameras"]
    assert "key-frame interval from 4.0 s to 1 s" in camera["advice"]
    assert camera["record_url"] == ""
    refused = site.change("POST", "/discovery", {"user": USER, "password": "no", "host": network.service(0)})
    assert refused.json == {
        "cameras": [],
        "notes": ["127.0.7.41: refuses the login: check user and password"],
    }


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_wizard_fills_in_what_was_found(browser, network, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(config_text("rtsp://127.0.0.1:9/x", tmp_path / "state", top={"http": {
        "listen": "127.0.0.1:0", "console": True}}))  # fmt: skip
    with Process(config) as daemon, opened(browser) as page:
        page.goto(f"{daemon.pages()}/console/#/setup")
        page.get_by_label("User").fill(USER)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_text("Find cameras on the network").click()
        page.locator("input[name=host]").fill(network.service(0))
        page.get_by_role("button", name="Search").click()
        page.get_by_text("1 camera found.").wait_for()
        page.get_by_role("button", name="Take acme_c41").click()
        assert page.locator("input[name=url]").input_value() == "rtsp://127.0.7.41:554/sub"
        assert page.locator("input[name=id]").input_value() == "acme_c41"
