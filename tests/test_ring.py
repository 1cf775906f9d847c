"""The ring never makes a camera wait, always gives the newest frame, and its books balance."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.clock import Stop
from surveil.lane import Drop, Lost
from surveil.ring import FrameRing
from surveil.types import Frame


def frame(camera="gate", seq=0, t=0.0, **kind):
    return Frame(camera=camera, seq=seq, t=t, t_wall=t, picture=None, **kind)


def balance(books):
    """Return the frames unaccounted for."""
    return books.received - books.processed - books.waiting - sum(books.dropped.values())


def ring_of(*cameras, fps=5.0, lossless=False):
    ring = FrameRing(lossless=lossless)
    for camera in cameras or ("gate",):
        ring.add(camera, None, fps)
    return ring


def test_the_newest_frame_replaces_the_one_that_waits():
    ring = ring_of()
    for seq, t in enumerate((0.0, 0.05, 0.1)):
        ring.put(frame(seq=seq, t=t))
    assert ring.take(Stop()).frame.seq == 2
    assert ring.books()["gate"].dropped[Drop.OVERWRITTEN] == 2


def test_asking_first_changes_nothing_but_that_frames_need_not_be_made():
    made, seen = [], {}
    for asks in (False, True):
        ring, stop, seen[asks] = ring_of(fps=5), Stop(), []
        for seq in range(30):
            if not asks or ring.wants("gate", seq / 15):
                made.append((asks, seq))
                ring.put(frame(seq=seq, t=seq / 15))
            if ring.books()["gate"].waiting:
                slot = ring.take(stop)
                seen[asks].append(slot.frame.seq)
                ring.give_back(slot)
        books = ring.books()["gate"]
        assert (books.received, books.dropped[Drop.DECIMATED], balance(books)) == (30, 20, 0)
    assert seen[True] == seen[False]
    assert len([asks for asks, _ in made if asks]) == 10


def test_while_a_frame_waits_every_newer_one_is_wanted():
    ring = ring_of(fps=5)
    ring.put(frame(seq=0, t=0.0))
    assert ring.wants("gate", 0.07)
    assert ring.wants("another camera", 0.0)


def test_frames_between_due_times_are_decimated():
    ring, stop, seen = ring_of(fps=5), Stop(), []
    for seq in range(30):
        ring.put(frame(seq=seq, t=seq / 15))
        if ring.books()["gate"].waiting:
            slot = ring.take(stop)
            seen.append(slot.frame.seq)
            ring.give_back(slot)
    assert seen == list(range(0, 30, 3))
    assert ring.books()["gate"].dropped[Drop.DECIMATED] == 20


def test_jitter_of_the_stream_does_not_lower_the_rate():
    ring, stop, seen = ring_of(fps=5), Stop(), 0
    for seq in range(150):
        ring.put(frame(seq=seq, t=seq / 15 + (0.004 if seq % 2 else -0.004)))
        if ring.books()["gate"].waiting:
            ring.give_back(ring.take(stop))
            seen += 1
    assert seen == 50


@pytest.mark.parametrize("fps", [6, 7, 8, 12, 25, 30])
def test_a_camera_whose_rate_is_no_multiple_is_analysed_as_often_as_asked(fps):
    ring, times = ring_of(fps=5), []
    for seq in range(60 * fps):
        ring.put(frame(seq=seq, t=seq / fps))
        if slot := ring.poll():
            times.append(slot.frame.t)
            ring.give_back(slot)
    assert len(times) == 60 * 5
    assert ring.books()["gate"].dropped[Drop.DECIMATED] == 60 * fps - 60 * 5
    # Every due time has its frame: one that comes early by up to a tenth of the interval, or the next.
    assert all(-0.02 - 1e-9 <= t - n / 5 < 1 / fps for n, t in enumerate(times))


def test_the_first_frame_after_a_loss_is_due_at_once():
    ring, stop = ring_of(fps=5), Stop()
    ring.put(frame(seq=0, t=0.0))
    ring.give_back(ring.take(stop))
    ring.lose(Lost(camera="gate", t=0.05, t_wall=0.05, cause="reset"))
    ring.give_back(ring.take(stop))
    assert ring.wants("gate", 0.1)
    ring.put(frame(seq=1, t=0.1))
    assert ring.take(stop).frame.seq == 1
    assert ring.books()["gate"].dropped[Drop.DECIMATED] == 0


def test_after_a_pause_the_due_times_begin_with_the_frame_that_ends_it():
    ring, seen = ring_of(fps=5), []
    for seq, t in enumerate((0.0, 3.07, 3.2, 3.27, 3.4, 3.47)):
        ring.put(frame(seq=seq, t=t))
        if slot := ring.poll():
            seen.append(slot.frame.t)
            ring.give_back(slot)
    assert seen == [0.0, 3.07, 3.27, 3.47]


def test_a_frame_that_comes_a_whole_interval_late_begins_the_due_times_again():
    ring, seen = ring_of(fps=4), []
    for seq, t in enumerate((0.0, 0.5, 0.625, 0.75)):
        ring.put(frame(seq=seq, t=t))
        if slot := ring.poll():
            seen.append(slot.frame.t)
            ring.give_back(slot)
    assert seen == [0.0, 0.5, 0.75]


def test_what_is_given_back_is_processed_and_what_is_given_up_is_lost_each_time():
    ring = FrameRing()
    ring.add("gate", "state", 5.0)
    for seq in range(4):
        ring.put(frame(seq=seq, t=seq * 1.0))
        slot = ring.poll()
        assert slot.state == "state"
        (ring.give_back if seq % 2 else ring.give_up)(slot)
        assert slot.item is None
    books = ring.books()["gate"]
    assert (books.processed, books.dropped[Drop.LOST], books.waiting) == (2, 2, 0)


def test_a_closed_ring_is_not_done_while_a_loss_waits():
    ring = ring_of()
    ring.put(frame(seq=0, t=0.0))
    slot = ring.poll()
    ring.lose(Lost(camera="gate", t=0.1, t_wall=0.1, cause="ended", final=True))
    ring.close()
    ring.give_back(slot)
    assert ring.take(Stop()).item.cause == "ended"
    assert ring.take(Stop()) is None


def test_a_camera_has_one_frame_in_flight():
    ring, stop = ring_of(), Stop()
    ring.put(frame(seq=0, t=0.0))
    slot = ring.take(stop)
    ring.put(frame(seq=1, t=1.0))
    stop.set()
    assert ring.take(stop) is None
    ring.give_back(slot)
    assert ring.take(Stop()).frame.seq == 1


def test_the_camera_served_least_recently_is_next():
    ring, stop, order = ring_of("a", "b", "c"), Stop(), []
    for turn in range(6):
        for camera in "abc":
            ring.put(frame(camera, t=turn * 1.0))
        slot = ring.take(stop)
        order.append(slot.camera)
        ring.give_back(slot)
    assert order == ["a", "b", "c"] * 2


def test_a_loss_goes_before_newer_frames_and_drops_what_waited():
    ring, stop = ring_of(), Stop()
    ring.put(frame(seq=0, t=0.0))
    ring.lose(Lost(camera="gate", t=0.1, t_wall=0.1, cause="stalled"))
    ring.put(frame(seq=1, t=0.2))
    slot = ring.take(stop)
    assert slot.item == Lost(camera="gate", t=0.1, t_wall=0.1, cause="stalled")
    ring.give_back(slot)
    assert ring.take(stop).frame.seq == 1
    assert ring.books()["gate"].dropped[Drop.LOST] == 1


def test_a_frame_that_is_given_up_is_lost_and_the_next_one_comes():
    ring = ring_of()
    ring.put(frame(seq=0, t=0.0))
    slot = ring.take(Stop())
    ring.put(frame(seq=1, t=1.0))
    ring.give_up(slot)
    books = ring.books()["gate"]
    assert (books.processed, books.dropped[Drop.LOST], books.waiting, balance(books)) == (0, 1, 1, 0)
    assert ring.take(Stop()).frame.seq == 1


def test_damaged_frames_are_dropped_unless_the_camera_is_degraded():
    ring = ring_of()
    ring.put(frame(seq=0, t=0.0, damaged=True))
    ring.put(frame(seq=1, t=1.0, damaged=True, degraded=True))
    assert ring.take(Stop()).frame.seq == 1
    assert ring.books()["gate"].dropped[Drop.DAMAGED] == 1


def test_lossless_put_waits_so_that_every_due_frame_is_seen():
    ring, seen = ring_of(lossless=True, fps=10), []

    def feed():
        for seq in range(50):
            ring.put(frame(seq=seq, t=seq / 10))
        ring.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    while slot := ring.take(Stop()):
        seen.append(slot.frame.seq)
        ring.give_back(slot)
    feeder.join()
    assert seen == list(range(50))


def test_a_closed_ring_serves_what_waits_and_then_nothing():
    ring = ring_of()
    ring.put(frame(seq=0, t=0.0))
    ring.close()
    ring.put(frame(seq=1, t=1.0))
    assert ring.take(Stop()).frame.seq == 0
    assert ring.take(Stop()) is None


def test_another_rate_and_state_are_taken_at_once_where_the_slot_is_home():
    ring = ring_of(fps=5)
    ring.put(frame(seq=0, t=0.0))
    ring.give_back(ring.poll())
    ring.retune("gate", 1.0, "new")
    ring.put(frame(seq=1, t=0.2))
    slot = ring.poll()
    assert (slot.state, slot.frame.seq) == ("new", 1)
    ring.give_back(slot)
    # From here on one a second.
    assert [ring.wants("gate", t) for t in (0.4, 0.8, 1.0, 1.2)] == [False, False, False, True]


def test_another_state_waits_for_the_slot_and_another_rate_alone_leaves_it():
    ring = FrameRing()
    ring.add("gate", "old", 5.0)
    ring.put(frame(seq=0, t=0.0))
    slot = ring.poll()
    ring.retune("gate", 10.0)
    ring.retune("gate", 10.0, "new")
    assert slot.state == "old"
    ring.give_back(slot)
    ring.put(frame(seq=1, t=1.0))
    assert ring.poll().state == "new"


def test_a_camera_that_is_removed_waits_for_its_slot_and_drops_what_waits():
    ring, seen = ring_of(), threading.Event()
    ring.put(frame(seq=0, t=0.0))
    slot = ring.poll()
    ring.put(frame(seq=1, t=1.0))

    def bring_it_home():
        seen.wait(5)
        ring.give_back(slot)

    worker = threading.Thread(target=bring_it_home)
    worker.start()
    seen.set()
    assert ring.remove("gate", patience_s=5.0)
    worker.join(5)
    assert (list(ring.cameras()), slot.is_orphan) == ([], False)


def test_a_slot_that_does_not_come_home_in_time_belongs_to_no_camera_any_more():
    ring = ring_of("gate", "yard")
    ring.put(frame(seq=0, t=0.0))
    slot = ring.poll()
    assert not ring.remove("gate", patience_s=0.0)
    assert slot.is_orphan
    ring.give_back(slot)
    ring.add("gate", None, 5.0)
    books = ring.books()["gate"]
    assert (books.received, books.processed, books.waiting) == (0, 0, 0)
    assert ring.poll() is None


def test_frames_and_losses_of_a_camera_that_is_not_there_are_passed_over():
    ring = ring_of("gate")
    ring.put(frame("yard", seq=0, t=0.0))
    ring.lose(Lost(camera="yard", t=0.1, t_wall=0.1, cause="reset"))
    assert ring.poll() is None
    assert {camera: books.received for camera, books in ring.books().items()} == {"gate": 0}


def test_a_lossless_end_comes_after_the_frame_that_waits():
    ring, ended = ring_of(lossless=True), Lost(camera="gate", t=1.0, t_wall=1.0, cause="ended", final=True)
    ring.put(frame(seq=0, t=0.0))
    feeder = threading.Thread(target=ring.lose, args=(ended,))
    feeder.start()
    first = ring.take(Stop())
    feeder.join(5)
    assert first.frame.seq == 0
    ring.give_back(first)
    assert ring.take(Stop()).item == ended
    assert ring.books()["gate"].dropped[Drop.LOST] == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "damaged", "take", "give", "lose"]), st.sampled_from("ab"), st.floats(0, 0.5)
    ),
    max_size=80,
)


@given(steps)
def test_the_books_balance_after_every_step(script):
    ring, t, held, seq = ring_of("a", "b"), 0.0, [], 0
    for action, camera, dt in script:
        t, seq = t + dt, seq + 1
        if action in ("put", "damaged"):
            ring.put(frame(camera, seq, t, damaged=action == "damaged"))
        elif action == "lose":
            ring.lose(Lost(camera=camera, t=t, t_wall=t, cause="reset"))
        elif action == "give" and held:
            ring.give_back(held.pop())
        elif action == "take" and (ready := ring.poll()):
            held.append(ready)
        assert [balance(books) for books in ring.books().values()] == [0, 0]


def test_a_frame_wakes_one_worker_and_its_slot_s_return_wakes_none():
    ring, waiting, looks, done = ring_of(), threading.Semaphore(0), [0, 0], threading.Event()

    def work(worker):
        def look():
            looks[worker] += 1
            waiting.release()

        while slot := ring.take(Stop(), look):
            ring.give_back(slot)
            done.set()

    workers = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
    for worker in workers:
        worker.start()
        assert waiting.acquire(timeout=5)
    ring.put(frame())
    assert done.wait(5)
    ring.close()
    for worker in workers:
        worker.join(5)
    # Each looked when it came and when the ring closed; one of them also for the frame and after it.
    assert sum(looks) <= 6


def test_every_waiting_worker_learns_of_the_end_though_the_last_frame_is_in_flight():
    ring = ring_of()
    ring.put(frame(seq=0, t=0.0))
    slot = ring.take(Stop())
    ring.put(frame(seq=1, t=1.0))
    ring.close()
    ends = []

    def work():
        while mine := ring.take(Stop()):
            ring.give_back(mine)
        ends.append(True)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    ring.give_back(slot)
    for worker in workers:
        worker.join(4)  # well under the interval at which waiters look up by themselves
    assert len(ends) == 3
