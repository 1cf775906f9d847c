"""Packets from the capture to a viewer: nobody waits, nothing piles up, and what is dropped is counted."""

import asyncio
import json
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from surveil.console.live.tap import PacketTap
from surveil.console.live.viewer import LATE_S, Video, Viewer, ViewerKind
from surveil.console.live.wire import message
from tests.console.packets import stored
from tests.rig.clips import make_clip


def _apart(coroutine):
    """Run it on a thread of its own: a browser of other tests leaves a running loop on this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="module")
def packets(tmp_path_factory):
    """Two seconds with a key frame every ten pictures."""
    return stored(make_clip(tmp_path_factory.mktemp("clip") / "a.ts", seconds=2.0, gop=10))


def test_a_reader_begins_at_the_last_key_frame_and_reads_each_packet_once(packets):
    tap = PacketTap()
    for packet in packets[:14]:
        tap.append(packet)
    reader = tap.reader()
    assert list(reader.take()) == packets[10:14]
    assert not list(reader.take())
    for packet in packets[14:]:
        tap.append(packet)
    assert list(reader.take()) == packets[14:]


def test_a_reader_learns_of_a_new_connection(packets):
    tap = PacketTap()
    reader = tap.reader()
    tap.append(packets[0])
    tap.restart()
    tap.append(packets[10])
    assert list(reader.take()) == [packets[0], None, packets[10]]


def test_nobody_is_woken_after_the_reader_has_gone(packets):
    tap, woken = PacketTap(), []
    tap.wake = lambda: woken.append(1)
    tap.append(packets[0])
    tap.stop_waking()
    tap.append(packets[1])
    assert len(woken) == 1


def test_a_group_without_end_is_not_kept(packets):
    tap = PacketTap()
    large = replace(packets[1], data=bytes(1 << 20))
    for _ in range(40):
        tap.append(large)
    assert sum(len(packet.data) for packet in tap.reader().take()) <= 10 << 20


def test_a_reader_on_another_thread_misses_nothing(packets):
    tap = PacketTap()
    reader, found = tap.reader(), []
    numbered = [replace(packets[i % 20], arrived=float(i)) for i in range(5000)]
    writing = threading.Thread(target=lambda: [tap.append(packet) for packet in numbered])
    writing.start()
    while writing.is_alive():
        found += reader.take()
    found += reader.take()
    assert [packet.arrived for packet in found] == [packet.arrived for packet in numbered]


def picture(n, *, key=False, size=100):
    return Video(message({"type": "media", "n": n}, bytes(size)), key=key)


HEADER = Video(message({"type": "init", "n": "header"}), is_header=True)


def read(data):
    """The headers of a chunk's messages."""
    found = []
    while data:
        head, payload = struct.unpack(">II", data[:8])
        found.append(json.loads(data[8 : 8 + head]))
        data = data[8 + head + payload :]
    return found


def sent(viewer):
    """What the viewer is sent until there is nothing more."""
    found = []
    while chunk := viewer.chunk():
        found += read(chunk)
    return found


def play(viewer, *videos, now=0.0, camera="yard"):
    return sum(viewer.play(camera, video, now) for video in videos)


def test_a_viewer_that_keeps_up_gets_everything_in_order():
    viewer = Viewer()
    assert not play(viewer, HEADER, picture(0, key=True), picture(1), picture(2))
    assert [one["n"] for one in sent(viewer)] == ["header", 0, 1, 2]


def test_video_begins_with_a_key_frame_and_that_is_no_loss():
    viewer = Viewer()
    assert not play(viewer, HEADER, picture(0), picture(1), picture(2, key=True))
    assert [one["n"] for one in sent(viewer)] == ["header", 2]


def test_a_viewer_that_is_late_goes_on_at_the_next_key_frame_and_is_told_what_it_missed():
    viewer = Viewer()
    play(viewer, HEADER, picture(0, key=True), picture(1))
    dropped = play(viewer, picture(2), picture(3), now=LATE_S + 0.1)
    dropped += play(viewer, picture(4, key=True), picture(5), now=LATE_S + 0.2)
    assert dropped == 4
    told, *rest = sent(viewer)
    assert (told["type"], told["camera"], told["n"]) == ("dropped", "yard", 4)
    assert [one["n"] for one in rest] == ["header", 4, 5]


def test_a_header_that_came_while_pictures_were_dropped_is_not_lost():
    viewer = Viewer()
    play(viewer, HEADER, picture(0, key=True))
    play(viewer, picture(1), now=LATE_S + 0.1)
    other = Video(message({"type": "init", "n": "other"}), is_header=True)
    play(viewer, other, picture(2, key=True), now=LATE_S + 0.2)
    assert [one["n"] for one in sent(viewer)] == [2, "other", 2]


def test_what_waits_is_bounded_in_bytes_too():
    viewer = Viewer()
    dropped = play(viewer, HEADER, picture(0, key=True), *(picture(n, size=1 << 20) for n in range(40)))
    assert dropped >= 27
    assert sum(len(chunk) for chunk in iter(viewer.chunk, b"")) < 14 << 20


def test_a_viewer_that_never_reads_holds_no_more_however_long_it_lasts():
    viewer, dropped = Viewer(), 0
    play(viewer, HEADER)
    for second in range(100):
        dropped += play(viewer, picture(0, key=True), *(picture(n) for n in range(14)), now=float(second))
    assert len(sent(viewer)) <= 15 * (LATE_S + 2)
    assert dropped >= 15 * 90


def test_tracks_and_pictures_replace_those_that_wait_and_events_do_not():
    viewer = Viewer()
    for n in range(3):
        viewer.show("tracks", "yard", message({"type": "tracks", "n": n}))
        viewer.show("jpeg", "yard", message({"type": "jpeg", "n": n}))
        viewer.note(message({"type": "event", "n": n}))
    found = [(one["type"], one["n"]) for one in sent(viewer)]
    assert found == [("event", 0), ("event", 1), ("event", 2), ("tracks", 2), ("jpeg", 2)]


def test_a_viewer_that_leaves_events_unread_for_ever_is_ended():
    viewer = Viewer()
    for n in range(3000):
        viewer.note(message({"type": "event", "n": n}))
    assert viewer.ended


def test_a_chunk_is_bounded_and_no_camera_keeps_the_others_from_their_turn():
    viewer = Viewer()
    for camera in ("a", "b"):
        play(
            viewer,
            HEADER,
            picture(camera, key=True),
            *(picture(camera, size=200_000) for _ in range(6)),
            camera=camera,
        )
    first, second = viewer.chunk(), viewer.chunk()
    assert max(len(first), len(second)) < 600_000
    cameras = [{one["n"] for one in read(chunk)} - {"header"} for chunk in (first, second)]
    assert cameras == [{"a"}, {"b"}]


def test_a_player_gets_one_header_and_ends_at_the_next():
    viewer = Viewer(ViewerKind.PLAYER)
    play(viewer, Video(message({}, b"HEAD"), is_header=True), Video(message({}, b"DATA"), key=True))
    assert viewer.chunk() == b"HEADDATA"
    play(viewer, Video(message({}, b"HEAD"), is_header=True), Video(message({}, b"MORE"), key=True))
    assert viewer.chunk() == b""
    assert viewer.ended


def test_a_tablet_gets_parts():
    viewer = Viewer(ViewerKind.TABLET)
    viewer.note(message({"type": "hello"}))
    viewer.show("jpeg", "yard", message({"type": "jpeg"}, b"\xff\xd8picture"))
    head, _, rest = viewer.chunk().partition(b"\r\n\r\n")
    assert head.endswith(b"content-length: 9")
    assert rest == b"\xff\xd8picture\r\n"


def test_who_waits_for_news_gets_them_and_is_not_kept_by_their_absence():
    async def run():
        viewer = Viewer()
        assert await viewer.next(0.001) == b""
        waiting = asyncio.ensure_future(viewer.next(60))
        await asyncio.sleep(0)
        viewer.note(message({"type": "ping"}))
        assert read(await waiting) == [{"type": "ping"}]
        waiting = asyncio.ensure_future(viewer.next(60))
        await asyncio.sleep(0)
        viewer.end()
        assert await waiting == b""

    _apart(run())
