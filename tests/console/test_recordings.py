"""Recordings in the console: ranges and holes, files with Range, who may look, and that it is noted."""

import av
import pytest

from tests.console.browser import opened
from tests.console.site import CONFIG, Site, ended
from tests.console.test_static import STATIC
from tests.integration.world import wait_for
from tests.recording.world import world
from tests.rig.clips import make_clip

pytestmark = [pytest.mark.slow, pytest.mark.rig]
BEGAN = 1_700_000_000.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "a.ts", seconds=4.0, gop=30)


@pytest.fixture
def recorded(tmp_path, clip):
    """A console beside which 70 s were recorded, a hole of 30 s, and 20 s more that are still being written."""
    (tmp_path / "state").mkdir()
    with world(tmp_path / "state", clip) as here:
        here.send(70)
        here.tap.restart()
        here.clock.advance(30)
        here.send(20)
        with Site(tmp_path, front=STATIC) as site:
            yield site


def asked(site, camera="yard", since=BEGAN, until=BEGAN + 300):
    return site.get(f"/cameras/{camera}/recordings", **{"from": since, "to": until})


def played(tmp_path, data):
    (tmp_path / "played.mp4").write_bytes(data)
    with av.open(str(tmp_path / "played.mp4")) as container:
        return sum(1 for _ in container.decode(video=0))


def test_ranges_and_holes_are_listed_and_files_play(recorded, tmp_path):
    found = asked(recorded).json
    assert [round(one["start"] - BEGAN) for one in found["segments"]] == [0, 60, 100]
    assert [one["is_open"] for one in found["segments"]] == [False, False, True]
    [hole] = found["missing"]
    assert (round(hole["start"] - BEGAN), round(hole["end"] - BEGAN), hole["reason"]) == (
        70,
        100,
        "camera_lost",
    )
    whole = recorded.ask("GET", found["segments"][0]["url"])
    assert (whole.status, whole.headers["content-type"]) == (200, "video/mp4")
    assert played(tmp_path, whole.body) == 60 * 15
    so_far = recorded.ask("GET", found["segments"][2]["url"])
    assert 15 * 15 <= played(tmp_path, so_far.body) <= 20 * 15


def test_parts_of_a_file_are_given_by_range(recorded):
    url = asked(recorded).json["segments"][0]["url"]
    whole = recorded.ask("GET", url).body
    part = recorded.ask("GET", url, headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.body) == (206, whole[1000:2000])
    named = recorded.ask("GET", url, download=1).headers["content-disposition"]
    assert named == 'attachment; filename="yard-2023-11-14T221320.000Z.mp4"'


def test_each_look_is_noted_and_a_list_is_none(recorded):
    url = asked(recorded).json["segments"][0]["url"]
    recorded.ask("GET", url)
    recorded.ask("GET", url, headers={"Range": "bytes=1000-1999"})
    entries = recorded.get("/audit").json["entries"]
    assert [(one["action"], one["subject"]) for one in entries] == [
        ("recording", url.removeprefix("/api/v1"))
    ]


@pytest.mark.parametrize("row", ["0", "99999", "x", "-1", "9" * 30])
def test_what_is_not_there_is_not_found(recorded, row):
    assert recorded.get(f"/cameras/yard/recordings/{row}.mp4").status == 404


def test_a_recording_of_another_camera_is_not_found_under_this_one(recorded):
    url = asked(recorded).json["segments"][0]["url"]
    assert recorded.ask("GET", url.replace("/yard/", "/gate/")).status == 404


def test_a_span_that_makes_no_sense_is_refused(recorded):
    assert asked(recorded, since=BEGAN + 1, until=BEGAN).status == 422
    assert asked(recorded, until=BEGAN + 3e6).status == 422


def test_where_nothing_is_recorded_the_list_is_empty(site):
    assert asked(site).json == {"segments": [], "missing": []}
    assert site.get("/cameras/yard/recordings/1.mp4").status == 404


def test_what_was_recorded_before_a_camera_hides_something_is_not_shown(tmp_path, clip):
    (tmp_path / "state").mkdir()
    with world(tmp_path / "state", clip) as here:
        here.send(5)
        [only] = here.end()
    masked = CONFIG.replace(
        "    title: The yard\n",
        "    title: The yard\n    masks: {{w: {{points: [[0, 0], [1, 0], [1, 1]]}}}}\n",
    )
    with Site(tmp_path, masked) as site:
        assert [one["url"] for one in asked(site).json["segments"]] == [None]
        refused = site.get(f"/cameras/yard/recordings/{only.id}.mp4")
        assert (refused.status, refused.code) == (409, "hidden")


def test_the_page_of_an_event_plays_what_was_recorded_around_it(browser, recorded):
    """It begins at the event, goes where the line is moved to, and from one file into the next."""
    event = recorded.happens(0, camera="yard", t_wall=BEGAN + 30)
    recorded.outbox.committer.commit([ended(0, camera="yard", t_wall=BEGAN + 50)])
    host, port = recorded.address
    video = "document.querySelector('.recording video')"
    with opened(browser) as page:
        page.goto(f"http://{host}:{port}/console/#/event/{event}")
        line = page.get_by_label("Time in the recording")
        line.wait_for()
        wait(page, f"{video}.currentTime === 30 && {video}.videoWidth === 320")
        assert page.locator(".recording li").inner_text().endswith("No video: connection lost")
        move(line, BEGAN + 59)
        wait(page, f"Math.abs({video}.currentTime - 59) < .1 && {video}.readyState > 1")
        page.evaluate(f"{video}.play()")
        wait(page, f"{video}.src.includes('/2.mp4') && {video}.currentTime > .2")
        move(line, BEGAN + 85)
        wait(page, f"{video}.src.includes('/3.mp4') && {video}.videoWidth === 320")


def move(line, at):
    line.evaluate(
        "(one, at) => { one.value = at; one.dispatchEvent(new Event('input', { bubbles: true })); }", at
    )


def wait(page, expression):

    wait_for(lambda: page.evaluate(expression), 30)
