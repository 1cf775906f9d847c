"""Streams that come in pieces (HLS), and cameras that send a picture now and then."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import av
import pytest

from surveil.capture.network import Patience
from surveil.capture.timing import Pace
from tests.capture.watch import Watch
from tests.rig.clips import make_clip


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def pieces(tmp_path):
    """Four pieces of a second on a live playlist, of which the last shows a moving square and the others none."""
    clip = make_clip(tmp_path / "clip.mp4", gop=15, seconds=4.0)
    with av.open(str(clip)) as source:
        video = source.streams.video[0]
        options = {"hls_time": "1", "hls_list_size": "0"}
        with av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options=options) as out:
            stream = out.add_stream_from_template(video)
            for packet in source.demux(video):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    playlist = tmp_path / "live.m3u8"
    playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/live.m3u8?token=1"
        server.shutdown()
        thread.join()


@pytest.mark.rig
def test_hls_begins_with_the_newest_piece_and_plays_it_at_its_own_speed(pieces) -> None:
    with Watch(pieces) as watch:
        watch.until_frames(14)
    assert watch.losses == []
    spans = watch.frames[13].arrived - watch.frames[0].arrived, watch.frames[13].t - watch.frames[0].t
    assert min(spans) > 0.8
    assert len(watch.frames) <= 15


def test_pictures_of_a_piece_are_as_far_apart_as_their_stamps() -> None:
    pace, now, shown = Pace(), 100.0, []
    for piece in range(3):
        now = max(now, 100.0 + 4 * piece)
        for i in range(40):
            now += pace.wait_s(4 * piece + i / 10, now)
            shown.append(now)
    assert shown == pytest.approx([100 + i / 10 for i in range(120)])


def test_a_piece_that_is_late_moves_those_after_it() -> None:
    pace = Pace()
    assert [pace.wait_s(i / 10, 50.0 + i / 10) for i in range(3)] == pytest.approx([0, 0, 0])
    assert pace.wait_s(0.3, 52.0) == 0.0
    assert pace.wait_s(0.4, 52.0) == pytest.approx(0.1)


def test_a_picture_in_ten_seconds_is_no_stall_from_the_beginning_on() -> None:
    patience = Patience()
    for _ in range(20):
        assert all(patience.more() for _ in range(5))
        patience.came()


def test_a_stream_without_pauses_is_stalled_at_the_first() -> None:
    patience = Patience()
    for _ in range(4):
        patience.came()
    assert not patience.more()


def test_a_stream_that_stalls_for_longer_and_longer_is_stalled_at_last() -> None:
    """Before, each pause allowed one three times as long: minutes passed until the loss was told."""
    patience, pauses = Patience(), []
    while len(pauses) < 10 and all(patience.more() for _ in range(3 * (pauses or [1])[-1])):
        pauses.append(3 * (pauses or [1])[-1])
        patience.came()
    assert pauses == [3, 9]


def test_a_slow_stream_that_ends_is_stalled_at_last() -> None:
    patience = Patience()
    for _ in range(10):
        assert patience.more()
        patience.came()
    assert [patience.more() for _ in range(5)] == [True, True, True, False, False]
