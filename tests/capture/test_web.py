"""Cameras over HTTP: pictures however they are wrapped, snapshots, logins; and nothing from any other server."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from surveil.capture.jpegs import JpegCutter
from surveil.capture.opening import make_source
from surveil.capture.settings import StreamSettings
from surveil.capture.source import NOTHING
from surveil.capture.weblogin import WebLogin
from surveil.errors import SourceError
from tests.rig.clips import walking_square
from tests.rig.web_server import WebRequest, WebServer

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]
JPEGS = [cv2.imencode(".jpg", walking_square(i, 64, 48))[1].tobytes() for i in range(4)]
QUICK = {"open_timeout_s": 0.5, "read_timeout_s": 0.3}


def pictures_of(url: str, count: int = 3, **settings: object) -> int:
    """Read so many pictures."""
    source, seen = make_source(StreamSettings(url=url, **(QUICK | settings))), 0
    try:
        source.open()
        while seen < count and (arrival := source.read()) is not None:
            seen += len(source.decode(arrival).shots) if arrival is not NOTHING else 0
    finally:
        source.close()
    return seen


def error_of(url: str, **settings: object) -> SourceError:
    with pytest.raises(SourceError) as caught:
        pictures_of(url, 1000, **settings)
    return caught.value


# Wrappings.


def part(boundary: str = "frame", kind: str = "image/jpeg", length: bool = True, end: str = "\r\n"):
    def made(jpeg: bytes) -> bytes:
        lines = [f"--{boundary}", *([f"Content-Type: {kind}"] if kind else [])]
        lines += [f"Content-Length: {len(jpeg)}"] if length else []
        return end.join([*lines, "", ""]).encode() + jpeg + b"\r\n"

    return made


MULTIPART = "multipart/x-mixed-replace; boundary=frame"
WRAPPED = {
    "plain": (MULTIPART, part()),
    "no length": (MULTIPART, part(length=False)),
    "no part type": (MULTIPART, part(kind="")),
    "image/jpg": (MULTIPART, part(kind="image/jpg")),
    "type with size": (MULTIPART, part(kind="image/jpeg;size=1234")),
    "other boundary": (MULTIPART, part("other")),
    "no boundary named": ("multipart/x-mixed-replace", part()),
    "dashes in the name": ("multipart/x-mixed-replace; boundary=--frame", part()),
    "first boundary missing": (
        MULTIPART,
        lambda jpeg: part()(jpeg).removeprefix(b"--frame\r\n") + b"--frame\r\n",
    ),
    "line feeds": (MULTIPART, part(end="\n")),
    "wrong length": (MULTIPART, lambda jpeg: part()(jpeg).replace(b"Length: ", b"Length: 9")),
    "text between": (
        MULTIPART,
        lambda jpeg: b"--frame\r\nContent-Type: text/plain\r\n\r\nhello\r\n" + part()(jpeg),
    ),
    "empty parts": (MULTIPART, lambda jpeg: part()(b"") + part()(jpeg)),
    "html": ("text/html", part()),
    "octets": ("application/octet-stream", part()),
    "bare": ("video/x-motion-jpeg", bytes),
    "no type": ("", bytes),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_pictures_are_found_in_any_wrapping(name: str) -> None:
    kind, wrap = WRAPPED[name]

    def answer(request: WebRequest) -> None:
        request.begin(200, **({"Content_Type": kind} if kind else {}))
        for jpeg in JPEGS:
            request.send(wrap(jpeg))
        request.stop.wait(10)

    with WebServer(answer) as server:
        assert pictures_of(server.at("/video"), 4) == 4
        assert server.asked == ["/video"]


@pytest.mark.parametrize("size", [1, 2, 7, 1000, 100_000])
def test_jpegs_are_cut_wherever_the_network_cuts(size: int) -> None:
    thumbnail = JPEGS[1]
    with_thumbnail = JPEGS[0][:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail + JPEGS[0][2:]
    wanted = [*JPEGS, with_thumbnail]
    stream = b"\r\n--b\r\nX: \xff\xd8 no\r\n\r\n".join([b"", *wanted, b""])
    cutter = JpegCutter()
    assert [jpeg for i in range(0, len(stream), size) for jpeg in cutter.feed(stream[i : i + size])] == wanted


def test_a_picture_without_an_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not end"):
        JpegCutter().feed(b"\xff\xd8\xff\xda\0\2" + bytes(33 << 20))


# Snapshots.


@pytest.mark.parametrize("with_length", [True, False])
def test_a_snapshot_is_asked_for_again_and_again(with_length: bool) -> None:
    def answer(request: WebRequest) -> None:
        jpeg = JPEGS[len(server.asked) % len(JPEGS)]
        if with_length:
            request.answer(200, jpeg, Content_Type="image/jpeg")
        else:
            request.begin(200, Content_Type="image/jpeg")
            request.send(jpeg)

    with WebServer(answer) as server:
        assert pictures_of(server.at("/snap.jpg?x=1"), 5, fps=100) == 5
        assert server.asked[:5] == ["/snap.jpg?x=1"] * 5


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", "text/html", ""])
def test_a_snapshot_of_another_type_is_one_all_the_same(kind: str) -> None:
    typed = {"Content_Type": kind} if kind else {}
    with WebServer(lambda request: request.answer(200, JPEGS[0], **typed)) as server:
        assert pictures_of(server.at("/snap"), 4, fps=100) == 4


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", JPEGS[0][:-200], b"\x1f\x8b" + bytes(100)])
@pytest.mark.parametrize("good", [0, 2])
def test_a_snapshot_without_a_picture_is_told(body: bytes, good: int) -> None:
    def answer(request: WebRequest) -> None:
        sent = JPEGS[0] if len(server.asked) <= good else body
        request.answer(200, sent, Content_Type="image/jpeg")

    with WebServer(answer) as server:
        error = error_of(server.at("/snap.jpg"), fps=100)
        assert (error.cause, "no JPEG" in str(error)) == ("no_video", True), str(error)
        assert len(server.asked) == good + 3


def test_one_broken_snapshot_among_good_ones_loses_nothing() -> None:
    def answer(request: WebRequest) -> None:
        cut = -200 if len(server.asked) % 3 == 0 else None
        request.answer(200, JPEGS[0][:cut], Content_Type="image/jpeg")

    with WebServer(answer) as server:
        assert pictures_of(server.at("/snap.jpg"), 6, fps=100) == 6


@pytest.mark.parametrize("size", [(640, 1), (15, 400), (513, 16)])
def test_a_picture_that_no_camera_sends_is_told(size) -> None:
    """Before, a line of pixels went to the analysis, which failed, and with it the daemon and all its cameras."""
    with WebServer(shots(size)) as server:
        error = error_of(server.at("/shot"))
    assert error.cause == "unsupported"
    assert f"a picture of {size[0]}x{size[1]} cannot be analysed" in str(error)


def test_the_most_oblong_picture_is_taken() -> None:
    with WebServer(shots((512, 16))) as server:
        assert pictures_of(server.at("/shot")) == 3


def shots(size):
    """Answer with a black snapshot of a width and height."""
    jpeg = cv2.imencode(".jpg", np.zeros(size[::-1], np.uint8))[1].tobytes()
    return lambda request: request.answer(200, jpeg, Content_Type="image/jpeg")


def test_a_snapshot_that_ends_is_told_as_what_it_is() -> None:
    def answer(request: WebRequest) -> None:
        if len(server.asked) < 3:
            request.answer(200, JPEGS[0], Content_Type="image/jpeg")
        else:
            request.answer(503)

    with WebServer(answer) as server:
        assert error_of(server.at("/snap.jpg"), fps=100).cause == "busy"


# What a server may do wrong.


@pytest.mark.parametrize(
    ("status", "headers", "cause", "words"),
    [
        (401, {"WWW_Authenticate": 'Basic realm="x"'}, "unauthorized", "requires a login"),
        (403, {}, "forbidden", "right to view"),
        (404, {}, "not_found", "no such stream"),
        (503, {}, "busy", "too many clients"),
        (500, {}, "other", "restart it"),
        (200, {"Content_Type": "text/html"}, "no_video", "web page"),
    ],
)
def test_a_status_is_told_in_words(status, headers, cause, words) -> None:
    with WebServer(lambda request: request.answer(status, b"<html>no</html>", **headers)) as server:
        error = error_of(server.at("/video"))
    assert (error.cause, words in str(error)) == (cause, True), str(error)


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_server_that_trickles_holds_nothing_up(where: str) -> None:
    def answer(request: WebRequest) -> None:
        if where == "body":
            request.begin(200, Content_Type=MULTIPART)
            request.send(part()(JPEGS[0]))
        else:
            request.send(b"HTTP/1.1 200 OK\r\nX: ")
        while not request.stop.wait(0.02) and not request.wfile.closed:
            request.send(b"x")

    with WebServer(answer) as server:
        assert error_of(server.at("/video")).cause in ("timeout", "stalled")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_camera_that_sends_a_picture_now_and_then_is_not_stalled(chunked: bool) -> None:
    def answer(request: WebRequest) -> None:
        request.begin(200, Content_Type=MULTIPART, **({"Transfer_Encoding": "chunked"} if chunked else {}))
        for jpeg in JPEGS:
            data = part()(jpeg)
            request.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
            if request.stop.wait(0.7):  # several times the pause at which a quick camera is stalled
                return

    with WebServer(answer) as server:
        assert pictures_of(server.at("/video"), 4, read_timeout_s=0.2) == 4
        assert server.asked == ["/video"]


def test_a_camera_that_falls_silent_after_quick_pictures_is_stalled() -> None:
    def answer(request: WebRequest) -> None:
        request.begin(200, Content_Type=MULTIPART)
        for _ in range(8):
            request.send(part()(JPEGS[0]))
        request.stop.wait(30)

    with WebServer(answer) as server:
        assert error_of(server.at("/video")).cause == "stalled"


@pytest.mark.parametrize("body", [b"\xff\xd8\xff", JPEGS[0][:-200], b""])
def test_a_stream_that_is_cut_off_is_an_error(body: bytes) -> None:
    with WebServer(lambda request: request.answer(200, body, Content_Type=MULTIPART)) as server:
        assert error_of(server.at("/video")).cause in ("ended", "damaged")


# Logins.


def lock(challenge: str):
    """A server that wants a login, and lets everybody in who answers."""

    def answer(request: WebRequest) -> None:
        if "Authorization" in request.headers:
            request.begin(200, Content_Type=MULTIPART)
            request.send(part()(JPEGS[0]) * 3)
            request.stop.wait(10)
        else:
            request.answer(401, WWW_Authenticate=challenge)

    return answer


@pytest.mark.parametrize(
    ("challenge", "begins"),
    [
        ('Basic realm="x"', "Basic am9lOnBAc3M="),
        ('Digest realm="x", nonce="n"', 'Digest username="joe"'),
        ('Digest realm="x", nonce="n", algorithm=SHA-256, qop="auth"', 'Digest username="joe"'),
    ],
)
def test_a_login_is_made_once_and_only_when_asked_for(challenge: str, begins: str) -> None:
    with WebServer(lock(challenge)) as server:
        assert pictures_of(server.at("/video", "joe:p%40ss")) == 3
        assert [login.startswith(begins) for login in server.logins] == [True]
        assert len(server.asked) == 2


DIGEST = 'Digest realm="x", nonce="{}", qop="auth"'


@pytest.mark.parametrize(
    ("challenges", "tries"),
    [
        (['Digest realm="x", nonce="n"'], 1),
        ([DIGEST], 1),
        ([DIGEST + ", algorithm=SHA-256", DIGEST, 'Basic realm="x"'], 1),
        ([DIGEST + ", stale=false"], 1),
        ([DIGEST + ", stale=TRUE"], 2),
        (['Basic realm="x"'], 1),
    ],
    ids=["one nonce", "ever new nonces", "several ways", "not stale", "always stale", "basic"],
)
def test_a_wrong_password_is_tried_once(challenges: list[str], tries: int) -> None:
    def refuse(request: WebRequest) -> None:
        request.send_response(401)
        for challenge in challenges:
            request.send_header("WWW-Authenticate", challenge.format(len(server.asked)))
        request.send_header("Content-Length", "0")
        request.end_headers()

    with WebServer(refuse) as server:
        error = error_of(server.at("/video", "joe:wrong"))
        assert (error.cause, len(server.logins)) == ("unauthorized", tries)
        assert "wrong" not in str(error)


@pytest.mark.parametrize("stale", [", stale=true", ""])
def test_a_nonce_that_has_expired_is_replaced(stale: str) -> None:
    """Each lasts for two requests."""

    def answer(request: WebRequest) -> None:
        given = re.search(r'nonce="(\d+)"', request.headers.get("Authorization", ""))
        if given and len(server.asked) - int(given[1]) <= 2:
            request.answer(200, JPEGS[0], Content_Type="image/jpeg")
        else:
            challenge = DIGEST.format(len(server.asked)) + (stale if given else "")
            request.answer(401, WWW_Authenticate=challenge)

    with WebServer(answer) as server:
        assert pictures_of(server.at("/snap.jpg", "joe:p"), 7, fps=100) == 7


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_a_digest_is_that_of_the_standard(monkeypatch, algorithm: str, wanted: str) -> None:
    """The example of RFC 7616, section 3.9.1."""
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    monkeypatch.setattr("secrets.token_hex", lambda _size: cnonce)
    login = WebLogin("Mufasa", "Circle of Life")
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    asked = (
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, nonce="{nonce}"'
    )
    assert login.take([asked])
    header = login.header("GET", "/dir/index.html") or ""
    assert re.search(r'response="(\w+)"', header)[1] == wanted
    assert not login.take([asked])


# Elsewhere.

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n{}#EXTINF:1,\n{}\n"
KEY = '#EXT-X-KEY:METHOD=AES-128,URI="{}/key"\n'


@pytest.mark.parametrize("end", ["#EXT-X-ENDLIST\n", ""])
@pytest.mark.parametrize("sent", ["redirect", "segment", "key", "variant", "map", "segment redirect"])
def test_a_camera_sends_the_daemon_nowhere_else(sent: str, end: str) -> None:
    with WebServer(lambda request: request.answer(200, b"inner")) as inner:
        other = inner.at("")
        lists = {
            "segment": PLAYLIST.format("", f"{other}/a.ts") + end,
            "key": PLAYLIST.format(KEY.format(other), "a.ts") + end,
            "variant": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{other}/b.m3u8\n",
            "map": PLAYLIST.format(f'#EXT-X-MAP:URI="{other}/init.mp4"\n', "a.mp4") + end,
            "segment redirect": PLAYLIST.format("", "moved.ts") + end,
        }

        def answer(request: WebRequest) -> None:
            if sent == "redirect" or "moved" in request.path:
                request.answer(302, Location=f"{other}/metadata")
            elif request.path.endswith("m3u8"):
                request.answer(200, lists[sent].encode(), Content_Type="application/vnd.apple.mpegurl")
            else:
                request.answer(200, b"G" * 1880, Content_Type="video/mp2t")

        with WebServer(answer) as server:
            error = error_of(server.at("/live.m3u8", "joe:secret-word"))
        assert inner.asked == []
    assert error.cause == "redirected", str(error)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize(
    "there",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:0/",
        "//evil.example/x",
        "http://[bad/x",
        "data:,x",
    ],
)
def test_no_other_protocol_is_followed(there: str) -> None:
    with WebServer(lambda request: request.answer(302, Location=there)) as server:
        assert error_of(server.at("/video")).cause == "redirected"


SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5000 RTP/AVP 26\r\n"


@pytest.mark.parametrize("body", [b"ffconcat version 1.0\nfile '/etc/passwd'\n", SDP], ids=["concat", "sdp"])
@pytest.mark.parametrize("kind", ["text/plain", "application/sdp"])
def test_no_format_that_opens_other_things_is_read(body: bytes, kind: str) -> None:
    with WebServer(lambda request: request.answer(200, body, Content_Type=kind)) as server:
        assert error_of(server.at("/x")).cause in ("unsupported", "damaged")


def test_a_camera_may_move_within_itself() -> None:
    def answer(request: WebRequest) -> None:
        if request.path == "/old":
            request.answer(302, Location="new?x=1")
        else:
            request.begin(200, Content_Type=MULTIPART)
            request.send(part()(JPEGS[0]) * 3)
            request.stop.wait(10)

    with WebServer(answer) as server:
        assert pictures_of(server.at("/old")) == 3
        assert server.asked == ["/old", "/new?x=1"]
    with WebServer(lambda request: request.answer(302, Location="/again")) as server:
        assert error_of(server.at("/old")).cause == "redirected"
        assert len(server.asked) <= 10
