"""Probes from the console: a real camera, a camera that is not there, and how many at a time."""

import socket

import cv2
import numpy as np
import pytest

from surveil.console.probes import AT_ONCE
from tests.integration.world import wait_for
from tests.rig.rtsp_camera import Camera
from tests.rig.web_server import WebServer

pytestmark = pytest.mark.rig


@pytest.fixture(scope="module")
def camera(clips):
    with Camera(clips["h264"]) as made:
        yield made


def probed(site, **body):
    started = site.change("POST", "/probe", body)
    assert started.status == 200, started.body
    path = f"/probe/{started.json['probe']}"
    wait_for(lambda: site.get(path).json["done"], 40)
    return path, site.get(path).json


def test_a_camera_is_probed_with_its_picture_and_nothing_is_stored(site, camera):
    before = sorted(site.folder.rglob("*"))
    path, found = probed(site, url=camera.url)
    assert found["detect"]["ok"]
    assert (found["detect"]["codec"], found["detect"]["width"]) == ("h264", 320)
    assert found["detect"]["gop_s"] > 0
    answer = site.get(f"{path}/picture.jpg")
    assert answer.headers["cache-control"] == "no-store"
    assert cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)
    assert sorted(site.folder.rglob("*")) == before
    assert "no_rules" not in [one["code"] for one in found["advice"]]


def test_what_was_hidden_in_the_console_is_hidden_at_another_address_too(site, camera):
    told = site.get("/cameras/gate/shapes").json
    half = {"points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]], "hide": "both"}
    body = {"masks": {"window": half}, "rules": told["rules"]}
    assert site.change("PUT", "/cameras/gate/shapes", body, {"If-Match": told["etag"]}).status == 200
    path, _ = probed(site, camera="gate", url=camera.url)
    picture = cv2.imdecode(np.frombuffer(site.get(f"{path}/picture.jpg").body, np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(picture[:, :150]) < 8 < np.ptp(picture[:, 170:])


def test_a_camera_that_is_not_there_is_told_with_its_cause_and_without_its_password(site):
    path, found = probed(site, url="rtsp://127.0.0.1:9/1", user="ada", password="sekret-99")
    assert (found["detect"]["ok"], found["detect"]["cause"], found["picture"]) == (False, "refused", False)
    assert "sekret-99" not in str(found)
    assert site.get(f"{path}/picture.jpg").status == 404


def test_what_was_not_probed_is_not_found(site):
    assert site.get("/probe/nothing").status == 404
    assert site.change("POST", "/probe", {}).status == 422
    assert site.change("POST", "/probe", {"camera": "none"}).status == 422


def test_a_few_are_probed_at_a_time(site):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/1"
        started = [site.change("POST", "/probe", {"url": url}) for _ in range(AT_ONCE + 1)]
        assert [answer.status for answer in started] == [200] * AT_ONCE + [429]
        for answer in started[:-1]:
            wait_for(lambda answer=answer: site.get(f"/probe/{answer.json['probe']}").json["done"], 40)
        assert site.change("POST", "/probe", {"url": url}).status == 200


def test_a_camera_that_sends_elsewhere_is_not_followed(site):
    """Nobody probes one host by another: not a neighbour, not the metadata service of a cloud."""
    with (
        WebServer(lambda request: request.answer(200, b"secret")) as other,
        WebServer(lambda request: request.answer(302, Location=other.at("/inside"))) as camera,
    ):
        _, found = probed(site, url=camera.at("/snapshot.jpg"))
        assert (found["detect"]["cause"], found["picture"]) == ("redirected", False)
        assert not other.asked
