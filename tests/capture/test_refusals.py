"""What a camera answers when it refuses is told in words that say what to do."""

from __future__ import annotations

import random

import pytest

from surveil.capture.backoff import Backoff
from surveil.capture.network import NetworkSource
from surveil.capture.settings import StreamSettings
from surveil.errors import Cause, SourceError
from tests.capture.watch import Watch
from tests.rig.fixtures import PASSWORD
from tests.rig.refusing_camera import RefusingCamera
from tests.rig.rtsp_camera import Camera

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]
SHA256 = 'WWW-Authenticate: Digest realm="x", nonce="1", algorithm="SHA-256"\r\n'
MD5 = 'WWW-Authenticate: Digest realm="x", nonce="1"\r\n'
SESSION = MD5.replace("\r", ", algorithm=MD5-sess\r")


def refusal_of(url: str, **settings: object) -> SourceError:
    source = NetworkSource(StreamSettings(url=url, open_timeout_s=1.0, **settings))
    with pytest.raises(SourceError) as caught:
        source.open()
    source.close()
    return caught.value


@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (403, "forbidden", "the right to view"),
        (404, "not_found", "no such stream"),
        (453, "busy", "close other clients"),
        (503, "busy", "too many clients"),
        (461, "unsupported", "transport: udp"),
        (500, "other", "restart it"),
        (455, "other", "status 455"),
        (400, "other", "does not understand the request (400)"),
    ],
)
def test_a_status_is_told_in_words(method: str, status: int, cause: str, words: str) -> None:
    with RefusingCamera(method, status) as camera:
        error = refusal_of(camera.url, transport="tcp")
    assert (error.cause, words in str(error)) == (cause, True), str(error)


@pytest.mark.parametrize(
    ("login", "headers", "cause", "words"),
    [
        ("", MD5, "unauthorized", "requires a login"),
        ("joe:wrong", MD5, "unauthorized", "user name or password refused: correct the login"),
        ("joe:right", SHA256, "unsupported", "SHA-256"),
        ("joe:right", MD5 + SHA256, "unsupported", "SHA-256"),
        ("joe:right", "WWW-Authenticate: Bearer\r\n", "unsupported", "Bearer"),
        ("joe:wrong", SESSION, "unauthorized", "user name or password refused: correct the login"),
        ("joe:right", MD5.replace("\r", ", algorithm=md5\r"), "unsupported", "md5"),
    ],
)
def test_a_login_that_cannot_be_made_is_no_wrong_password(
    login: str, headers: str, cause: str, words: str
) -> None:
    with RefusingCamera("DESCRIBE", 401, headers) as camera:
        error = refusal_of(camera.with_login(login) if login else camera.url)
    assert (error.cause, words in str(error)) == (cause, True), str(error)
    assert "right" not in str(error)


def test_a_camera_that_sends_over_udp_only_is_read_so(clips) -> None:
    with Camera(clips["h264"], transports="udp") as camera, Watch(camera.url) as watch:
        watch.until_frames(3)
        assert watch.losses == []
        assert camera("stats")["modes"] == ["udp"]
    with Camera(clips["h264"], transports="udp") as camera:
        assert "set `transport: udp`" in str(refusal_of(camera.url, transport="tcp"))


# How often a login is tried.


def tries_within(seconds: float, backoff: Backoff, cause: Cause) -> int:
    elapsed, tries = 0.0, 1
    while (elapsed := elapsed + backoff.delay_s(0.0, cause)) < seconds:
        tries += 1
    return tries


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_password_does_not_lock_the_account(seed: int) -> None:
    """Seven tries in 45 s did."""
    detect, record = Backoff(random.Random(seed)), Backoff(random.Random(seed), patient=True)
    assert tries_within(45, Backoff(random.Random(seed)), Cause.UNAUTHORIZED) == 1
    for _half_hour in range(3):
        assert (
            tries_within(1800, detect, Cause.UNAUTHORIZED) + tries_within(1800, record, Cause.UNAUTHORIZED)
            <= 5
        )
    assert tries_within(45, Backoff(random.Random(seed)), Cause.REFUSED) >= 6


def test_a_login_that_has_worked_is_tried_once_more_soon() -> None:
    backoff = Backoff(random.Random(1))
    assert backoff.delay_s(20.0, Cause.ENDED) <= 0.5
    assert backoff.delay_s(0.0, Cause.UNAUTHORIZED) <= 6.0
    assert backoff.delay_s(0.0, Cause.UNAUTHORIZED) >= 100.0
    assert backoff.delay_s(0.0, Cause.REFUSED) <= 1.0
    assert backoff.delay_s(0.0, Cause.UNAUTHORIZED) >= 800.0


@pytest.mark.parametrize(("host", "cause"), [("127.0.0.1", None), ("localhost", "redirected")])
def test_a_redirect_to_another_host_is_not_followed(clips, host: str, cause: str | None) -> None:
    with Camera(clips["h264"]) as camera:
        there = camera.url.replace("127.0.0.1", host)
        with RefusingCamera("DESCRIBE", 302, f"Location: {there}\r\n") as first:
            if cause is None:
                with Watch(first.url) as watch:
                    watch.until_frames(1)
            else:
                assert refusal_of(first.url).cause == cause


def test_one_wrong_password_is_one_try_at_the_camera() -> None:
    with RefusingCamera("DESCRIBE", 401, MD5) as camera, Watch(camera.with_login("joe:wrong")) as watch:
        watch.until_lost("unauthorized")
        assert len(camera.logins) == 1
        assert watch.loop._backoff._refusals == 1
    assert PASSWORD not in watch.loop.status.error
