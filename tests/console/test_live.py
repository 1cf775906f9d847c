"""The live stream of a page over HTTP: cameras are sent what a test wants, and nothing waits for a clock."""

import gc
import io
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection

import av
import cv2
import numpy as np
import pytest

from surveil.alerts.privacy import make_hide
from surveil.console.live import hub
from surveil.console.live.feed import Secrecy
from surveil.console.live.reasons import WORDS, WhyPictures
from surveil.console.refusal import Refusal
from surveil.engine import Step
from surveil.types import Observation, Track
from tests.alerts.helpers import T0, alert
from tests.console.live import LiveSite, Page, Shower, captured, frame, send, show
from tests.console.packets import stored
from tests.integration.world import wait_for
from tests.rig.clips import make_clip


@pytest.fixture
def site(tmp_path):
    with LiveSite(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def packets(tmp_path_factory):
    """Two seconds that begin at 0, with a key frame every ten pictures."""
    return stored(make_clip(tmp_path_factory.mktemp("clip") / "a.ts", seconds=2.0, gop=10), arrived=0.0)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = make_clip(tmp_path_factory.mktemp("clip") / "b.ts", size=(480, 270), seconds=1.0, gop=10)
    return stored(path, arrived=2.0)


@pytest.fixture(scope="module")
def hevc(tmp_path_factory):
    return stored(
        make_clip(tmp_path_factory.mktemp("clip") / "c.ts", "hevc", seconds=1.0, gop=10), arrived=2.0
    )


def video(page, count):
    """The next pieces of video of a page, as a file."""
    found = []
    while count:
        header, payload = page.next("media") if found else page.next("init")
        found.append(payload)
        count -= header["type"] == "media"
    return b"".join(found)


def decoded(data):
    with av.open(io.BytesIO(data), format="mp4") as container:
        return list(container.decode(video=0))


def test_a_page_gets_the_group_that_goes_on_and_then_each_picture_with_the_time_of_its_capture(site, packets):
    feed = show(site)
    send(feed, packets[:13])
    site.clock.advance(100.0)
    with Page(site.address, cameras="yard") as page:
        hello, _ = page.next("hello")
        assert hello["cameras"]["yard"]["mode"] == "mp4"
        assert hello["cameras"]["yard"]["mime"].startswith('video/mp4; codecs="avc1.42')
        init, data = page.next("init")
        assert init["mime"] == hello["cameras"]["yard"]["mime"]
        send(feed, packets[13:16])
        pictures = [page.next("media") for _ in range(6)]
        assert [header["key"] for header, _ in pictures] == [True] + [False] * 5
        captures = [captured(packet.arrived) for packet in packets[10:16]]
        assert [header["at"] for header, _ in pictures] == pytest.approx(captures, abs=0.001)
        frames = decoded(data + b"".join(payload for _, payload in pictures))
        shown = [frame.time + pictures[0][0]["base"] for frame in frames]
        assert shown == pytest.approx(captures, abs=0.01)


def test_nothing_is_remuxed_woken_or_counted_without_a_viewer(site, packets):
    feed = show(site)
    with Page(site.address, cameras="yard") as page:
        page.next("hello")
        assert site.metric("surveil_live_viewers", camera="yard") == 1
    wait_for(lambda: site.metric("surveil_live_viewers", camera="yard") == 0)
    woken = []
    assert feed.tap.wake is not feed._news
    feed.tap.wake = lambda: woken.append(1)
    feed.tap.stop_waking()
    send(feed, packets)
    assert not woken


def test_all_viewers_get_the_same_bytes(site, packets):
    feed = show(site)
    send(feed, packets[:1])
    with ExitStack() as stack:
        pages = [stack.enter_context(Page(site.address, cameras="yard")) for _ in range(5)]
        first = [video(page, 1) for page in pages]
        send(feed, packets[1:10])
        rest = [b"".join(page.next("media")[1] for _ in range(9)) for page in pages]
    assert len(set(first)) == len(set(rest)) == 1


def test_a_change_of_size_while_viewed_sends_another_header(site, packets, large):
    feed = show(site)
    send(feed, packets[:10])
    with Page(site.address, cameras="yard") as page:
        assert decoded(video(page, 10))[0].width == 320
        feed.tap.restart()
        send(feed, large)
        assert decoded(video(page, 10))[0].width == 480


def test_a_camera_that_comes_back_goes_on_in_the_same_stream(site, packets):
    feed = show(site)
    send(feed, packets[:12])
    with Page(site.address, cameras="yard") as page:
        video(page, 2)
        feed.tap.restart()
        send(feed, packets[15:])
        header, _ = page.next("media")
        assert header["key"]
        assert header["at"] == pytest.approx(captured(packets[20].arrived), abs=0.001)
    assert [one["type"] for one in page.seen].count("init") == 1


def test_a_camera_that_changes_its_codec_while_viewed_is_shown_in_pictures_and_back_again(
    site, packets, hevc
):
    feed = show(site)
    send(feed, packets[:10])
    with Page(site.address, cameras="yard") as page:
        video(page, 10)
        feed.tap.restart()
        send(feed, hevc)
        hello, _ = page.next("hello", lambda one: one["cameras"]["yard"]["mode"] == "jpeg")
        assert hello["cameras"]["yard"]["why"] == WhyPictures.H265
        Shower(feed)()
        page.next("jpeg")
        feed.tap.restart()
        send(feed, packets[10:])
        page.next("hello", lambda one: one["cameras"]["yard"]["mode"] == "mp4")
        assert decoded(video(page, 10))


@pytest.mark.parametrize(
    ("query", "options", "why"),
    [
        ({"video": "jpeg"}, {}, WhyPictures.ASKED),
        ({"jpeg": "yard,gate"}, {}, WhyPictures.ASKED),
        ({}, {"is_webcam": True}, WhyPictures.RAW),
        ({}, {"secrecy": Secrecy(hide=lambda picture: picture)}, WhyPictures.HIDDEN),
    ],
)
def test_pictures_are_sent_instead_of_video_and_the_reason_is_said(site, packets, query, options, why):
    feed = show(site, **options)
    send(feed, packets[:10])
    with Page(site.address, cameras="yard", **query) as page:
        hello, _ = page.next("hello")
        assert hello["cameras"]["yard"] == {"mode": "jpeg", "mime": "", "why": why}
        Shower(feed)()
        header, data = page.next("jpeg")
        assert header["at"] == pytest.approx(captured(1.0), abs=0.001)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (48, 64, 3)
    assert not {"init", "media"} & {one["type"] for one in page.seen}


def test_every_reason_has_words():
    assert set(WORDS) == set(WhyPictures)


LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def masked():
    return Secrecy(hide=make_hide([LEFT], None), hide_moved=np.zeros_like)


def test_no_picture_shows_what_is_hidden_and_one_that_moved_shows_nothing(site):
    feed = show(site, secrecy=masked())
    shown = Shower(feed)
    with Page(site.address, cameras="yard") as page:
        page.next("hello")
        shown(size=(640, 480))
        picture = cv2.imdecode(np.frombuffer(page.next("jpeg")[1], np.uint8), cv2.IMREAD_COLOR)
        assert picture[:, :310].max() < 30
        assert picture[:, 340:].min() > 170
        shown(size=(640, 480), moved=True)
        picture = cv2.imdecode(np.frombuffer(page.next("jpeg")[1], np.uint8), cv2.IMREAD_COLOR)
        assert picture.max() < 30


def test_video_ends_when_a_reload_hides_something(site, packets):
    feed = show(site)
    send(feed, packets[:10])
    with Page(site.address, cameras="yard") as page:
        video(page, 10)
        show(site, secrecy=masked())
        page.next("hello", lambda one: one["cameras"]["yard"]["why"] == WhyPictures.HIDDEN)
        page.seen.clear()
        send(feed, packets[10:])
        Shower(feed)(size=(640, 480))
        page.next("jpeg")
    assert not {"init", "media"} & {one["type"] for one in page.seen}


def test_reloads_without_a_viewer_keep_only_what_the_last_one_says(site):
    settings = [masked() for _ in range(50)]
    there = [weakref.ref(one.hide) for one in settings]
    show(site)
    while settings:
        show(site, secrecy=settings.pop(0))
    gc.collect()
    assert [one() is not None for one in there] == [False] * 49 + [True]
    with Page(site.address, cameras="yard") as page:
        page.next("hello", lambda one: one["cameras"]["yard"]["why"] == WhyPictures.HIDDEN)


def test_cameras_that_come_and_go_without_a_viewer_leave_nothing(site):
    feeds = []
    for _ in range(50):
        feeds.append(weakref.ref(show(site)))
        show(site, secrecy=masked())
        site.live.drop("yard")
    gc.collect()
    assert [one for one in feeds if one() is not None] == []


def test_a_picture_from_before_a_reload_is_not_shown_after_it(site):
    feed = show(site)
    with Page(site.address, cameras="yard", video="jpeg") as page:
        page.next("hello")
        Shower(feed)(size=(640, 480))
        page.next("jpeg")
        assert feed.jpeg is not None
        show(site, secrecy=masked())
        page.next("hello", lambda one: one["cameras"]["yard"]["why"] == WhyPictures.HIDDEN)
        with Page(site.address, cameras="yard") as other:
            other.next("hello")
            show(site, is_webcam=True)
            other.next("hello", lambda one: one["cameras"]["yard"]["why"] == WhyPictures.RAW)
        assert "jpeg" not in {one["type"] for one in other.seen}


def test_a_camera_that_goes_while_viewed_leaves_the_page_with_the_others(site, packets):
    yard, gate = show(site), show(site, "gate")
    send(yard, packets[:10])
    send(gate, packets[:10])
    with Page(site.address) as page:
        page.next("media", lambda one: one["camera"] == "yard")
        page.next("media", lambda one: one["camera"] == "gate")
        site.live.drop("yard")
        send(gate, packets[10:])
        page.next("media", lambda one: one["camera"] == "gate" and one["key"])


def test_tracks_are_sent_in_fractions_with_the_time_of_their_frame(site):
    show(site)
    seen = frame(arrived=7.0, size=(200, 100))
    box = (20.0, 10.0, 100.0, 100.0)
    sure = Track(id=5, label="person", box=box, score=0.9, t_first=0.0, t_last=0.0)
    step = Step(tracks=(sure,), doubtful=(replace(sure, id=0, label="dog"),))
    with Page(site.address, cameras="yard") as page:
        page.next("hello")
        site.live.analysed("yard", Observation(seen, 200, 100), step)
        told, _ = page.next("tracks")
    assert (told["at"], told["width"], told["height"]) == (captured(7.0), 200, 100)
    assert told["tracks"] == [
        {"id": 5, "label": "person", "score": 0.9, "box": [0.1, 0.1, 0.5, 1.0], "believed": True},
        {"id": 0, "label": "dog", "score": 0.9, "box": [0.1, 0.1, 0.5, 1.0], "believed": False},
    ]


def test_events_that_go_on_and_those_that_begin_are_told_as_the_api_has_them(site):
    show(site, "gate")
    old = site.happens(1)
    with Page(site.address, cameras="gate") as page:
        told, _ = page.next("event")
        assert (told["phase"], told["event"]) == ("start", site.get(f"/events/{old}").json)
        new = site.happens(2)
        site.live.committed([alert(2)])
        told, _ = page.next("event")
        assert (told["phase"], told["event"]["id"]) == ("start", new)
        site.live.tell_event("gate", old, "update")
        assert page.next("event")[0]["phase"] == "update"


def test_a_verdict_is_told_to_open_pages_and_never_makes_an_event_that_is_over_go_on(site):
    show(site, "gate")
    old, new = site.happens(1), site.happens(2)
    site.outbox.committer.commit([alert(1, "end")])
    with Page(site.address, cameras="gate") as page:
        assert page.next("event")[0]["event"]["id"] == new
        site.change("POST", f"/events/{new}/acknowledge")
        told, _ = page.next("event")
        assert (told["phase"], told["event"]["acknowledged"]) == ("update", True)
        site.change("PUT", f"/events/{old}/verdict", {"verdict": "unsure", "note": "fog"})
        told, _ = page.next("event")
        assert (told["phase"], told["event"]["id"], told["event"]["note"]) == ("end", old, "fog")


@pytest.mark.parametrize(
    ("action", "said"), [("false", ("false", False)), ("acknowledge", (None, True))], ids=str
)
def test_what_is_said_by_a_link_is_told_to_open_pages(site, action, said):
    show(site, "gate")
    event = site.happens(1)
    link = f"/l/{site.signer.token(event, int(T0) + 60)}"
    with Page(site.address, cameras="gate") as page:
        page.next("event")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert site.ask("POST", link, f"action={action}", form).status == 303
        told, _ = page.next("event")
        assert (told["phase"], told["event"]["id"]) == ("update", event)
        assert (told["event"]["verdict"], told["event"]["acknowledged"]) == said


def test_events_of_other_cameras_are_not_told(site):
    show(site)
    show(site, "gate")
    with Page(site.address, cameras="yard") as yard, Page(site.address, cameras="gate") as gate:
        yard.next("hello")
        gate.next("hello")
        site.happens(1)
        site.live.committed([alert(1)])
        gate.next("event")
        site.live.analysed("yard", Observation(frame(), 64, 48), Step())
        yard.next("tracks")
    assert "event" not in {one["type"] for one in yard.seen}


def test_states_are_told_at_once_and_when_they_change(site):
    show(site)
    with Page(site.address, cameras="yard") as page:
        told, _ = page.next("state")
        assert (told["camera"], told["state"], told["since"]) == ("yard", "streaming", T0)
        assert told["decode"] == {"mode": "on_demand", "why": "proven"}
        site.daemon.states["yard"] = ("lost", "refused")
        told, _ = page.next("state")
        assert (told["state"], told["cause"]) == ("lost", "refused")


# Single cameras, for players and tablets.


def test_a_player_gets_a_file_that_plays_and_ends_at_a_change_of_size(site, packets, large):
    feed = show(site)
    send(feed, packets)
    answer = HTTPConnection(*site.address, timeout=20)
    answer.request("GET", "/api/v1/cameras/yard/live.mp4")
    response = answer.getresponse()
    assert (response.status, response.getheader("content-type")) == (200, "video/mp4")
    feed.tap.restart()
    send(feed, large)
    frames = decoded(response.read())
    answer.close()
    assert len(frames) == 10  # those since the last key frame
    assert {frame.width for frame in frames} == {320}


def test_a_player_is_refused_what_it_could_not_play_with_the_reason(site, hevc):
    send(show(site), hevc)
    refused = site.get("/cameras/yard/live.mp4")
    assert (refused.status, refused.code) == (409, "no_video")
    assert "H.265" in refused.json["error"]["message"]
    show(site, "gate", masked())
    assert "hidden" in site.get("/cameras/gate/live.mp4").json["error"]["message"]


def while_shown(feed, ask, **changes):
    """Ask for something, and show frames until it has its answer."""
    shower = Shower(feed)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        wait_for(lambda: feed.look.wanted or answer.done())
        while not answer.done():
            shower(**changes)
            wait_for(lambda: answer.done() or feed.look.wanted)
        return answer.result()


def test_a_snapshot_is_a_picture_of_now_without_what_is_hidden(site):
    feed = show(site, secrecy=masked())
    answer = while_shown(feed, lambda: site.get("/cameras/yard/snapshot.jpg"), size=(640, 480))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "no-store"
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture[:, :310].max() < 30 < picture[:, 340:].min()
    wait_for(lambda: not feed.look.wanted)


def test_a_large_picture_is_sent_smaller(site):
    answer = while_shown(show(site), lambda: site.get("/cameras/yard/snapshot.jpg"), size=(2560, 1440))
    assert cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR).shape == (720, 1280, 3)


def test_a_camera_without_a_picture_is_no_error_of_surveil(site, monkeypatch):
    show(site)
    monkeypatch.setattr("surveil.console.api.live._SNAPSHOT_S", 0.05)
    answer = site.get("/cameras/yard/snapshot.jpg")
    assert (answer.status, answer.code) == (503, "no_picture")


def test_a_tablet_gets_one_picture_after_another(site):
    feed = show(site)
    connection = HTTPConnection(*site.address, timeout=20)
    connection.request("GET", "/api/v1/cameras/yard/live.mjpeg?fps=5")
    response = connection.getresponse()
    kind = response.getheader("content-type")
    assert kind == "multipart/x-mixed-replace; boundary=surveil-picture"
    shower = Shower(feed)
    for _ in range(2):
        wait_for(lambda: feed.look.wanted)
        shower()
        assert response.readline() == b"--surveil-picture\r\n"
        headers = dict(line.split(b": ") for line in iter(response.readline, b"\r\n"))
        data = response.read(int(headers[b"content-length"]))
        assert data.startswith(b"\xff\xd8")
        assert data.endswith(b"\xff\xd9")
        assert response.readline() == b"\r\n"
    response.close()
    connection.close()


# Bad input and bad viewers.


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/live?cameras=nobody", 404),
        ("/live?cameras=yard,nobody", 404),
        ("/live?video=hls", 422),
        ("/live?camera=yard", 422),
        ("/live?cameras=" + "x" * 5000, 422),
        ("/cameras/nobody/snapshot.jpg", 404),
        ("/cameras/nobody/live.mp4", 404),
        ("/cameras/gate/live.mjpeg", 409),
        ("/cameras/yard/live.mjpeg?fps=0", 422),
        ("/cameras/yard/live.mjpeg?fps=nan", 422),
        ("/cameras/yard/live.mjpeg?fps=1e9", 422),
    ],
)
def test_bad_requests_are_refused_in_the_form_of_the_api(site, path, status):
    show(site)
    answer = site.get(path)
    assert answer.status == status
    assert answer.json["error"]["message"]


def test_one_viewer_more_than_there_may_be_is_told_so(site, packets):
    feed = show(site)
    send(feed, packets[:1])
    with ExitStack() as stack:
        pages = [stack.enter_context(Page(site.address, cameras="yard")) for _ in range(hub.MOST_VIEWERS)]
        for page in pages:
            page.next("media")
        refused = site.get("/live?cameras=yard")
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (
            503,
            "too_many_viewers",
            "10",
        )
        send(feed, packets[1:2])
        for page in pages:
            page.next("media")
        assert site.get("/cameras").status == 200


def test_a_viewer_that_does_not_read_costs_nobody_anything_and_is_counted(site, packets):
    feed = show(site)
    send(feed, packets[:1])
    big = [replace(one, data=one.data + b"\0\0\1\x06" + b"\x55" * 300_000) for one in packets[1:10]]
    with Page(site.address, cameras="yard") as deaf, Page(site.address, cameras="yard") as good:
        deaf.next("media")
        good.next("media")
        for second in range(20):
            key = replace(packets[10], arrived=float(second))
            send(feed, [key, *big])
            for _ in range(10):
                good.next("media")
            site.clock.advance(1.0)
        assert site.metric("surveil_live_dropped_total", camera="yard") > 50
        told, _ = deaf.next("dropped")
        assert told["n"] > 0
        assert deaf.next("media")[0]["key"]
        assert "dropped" not in {one["type"] for one in good.seen}


def test_a_capture_is_never_kept_waiting_by_an_event_loop_that_stands_still(site, packets):
    feed = show(site)
    send(feed, packets[:1])
    with Page(site.address, cameras="yard") as page:
        video(page, 1)
        stands, goes_on = threading.Event(), threading.Event()
        site.live._post(lambda: (stands.set(), goes_on.wait(20)))
        assert stands.wait(20)
        send(feed, packets[1:])
        goes_on.set()
        for _ in packets[1:]:
            page.next("media")


def test_a_viewer_whose_rights_end_is_ended(site, packets, monkeypatch):
    monkeypatch.setattr("surveil.console.live.responses._RIGHTS_S", 0.01)
    send(show(site), packets[:1])
    with Page(site.address, cameras="yard") as page:
        page.next("media")
        site.gate.refusal = Refusal(401, "login", "the session has ended")
        assert page.is_over()


def test_the_end_of_the_daemon_does_not_wait_for_viewers(site, packets):
    send(show(site), packets[:1])
    with Page(site.address, cameras="yard") as page:
        page.next("media")
        site.live.close()
        assert page.is_over()
        assert site.get("/live?cameras=yard").status == 503


def test_a_viewer_that_hears_nothing_hears_a_ping(site, monkeypatch):
    monkeypatch.setattr("surveil.console.live.responses._PING_S", 0.0)
    show(site)
    with Page(site.address, cameras="yard") as page:
        assert page.next("ping")[0]["at"] == T0
