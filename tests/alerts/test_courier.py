from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from surveil import logs
from surveil.alerts.admin import list_alerts
from surveil.alerts.courier import Courier
from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.outbox import Outbox
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.sinks.base import BaseSink
from surveil.clock import ManualClock, Stop, SystemClock
from surveil.errors import Rejected, RetryLater, StateError
from surveil.metrics import Metrics

from .helpers import alert
from .servers import tmpfs

HOUR = 3600.0


class Sink(BaseSink):
    """A sink whose `behave` decides; notes what it took."""

    def __init__(self, behave: Callable[[Delivery], None] = lambda _d: None) -> None:
        super().__init__(Context())
        self.behave = behave
        self.tried: list[str] = []
        self.took: list[str] = []
        self.closed = False

    def deliver(self, delivery: Delivery) -> None:
        name = f"{delivery.alert.t:g} {delivery.alert.phase}"
        self.tried.append(name)
        self.behave(delivery)
        self.took.append(name)

    def close(self) -> None:
        self.closed = True


def courier(sink: BaseSink, outbox: Outbox, clock: ManualClock, **more: object) -> Courier:
    return Courier("ops", sink, outbox, clock, OutboxSettings(), rng=random.Random(1), **more)


def drive(c: Courier, clock: ManualClock, seconds: float) -> None:
    """Let the courier work for so long; time passes only in back-off."""
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        if not c.run_once():
            clock.advance(min(c.waits_s() or seconds, end - clock.monotonic()) or 1e-6)


@pytest.mark.slow
def test_a_sink_that_is_down_for_a_day_gets_everything_in_order_after_few_attempts(outbox, clock):
    back = clock.monotonic() + 24 * HOUR

    def behave(_delivery: Delivery) -> None:
        if clock.monotonic() < back:
            raise RetryLater("connection refused")

    sink = Sink(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(n) for n in range(10_000)])
    drive(c, clock, 24 * HOUR + 400)
    assert sink.took == [f"{n} start" for n in range(10_000)]
    assert len(sink.tried) - len(sink.took) <= 500
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 10_000, "dead": 0}


def test_back_off_is_of_the_sink_and_new_alerts_do_not_end_it(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("down")

    sink = Sink(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0)])
    assert c.run_once()
    outbox.committer.commit([alert(1)])
    c.wake()
    assert not c.run_once()
    assert 0.75 <= c.waits_s() <= 1.0
    assert sink.tried == ["0 start"]


def test_back_off_doubles_to_its_longest_with_jitter(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("down")

    c = courier(Sink(behave), outbox, clock)
    outbox.committer.commit([alert(0)])
    waits = []
    for _ in range(12):
        c.run_once()
        waits.append(c.waits_s())
        clock.advance(c.waits_s())
    for wait, longest in zip(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300], strict=True):
        assert 0.75 * longest <= wait <= longest
    assert len({round(w, 6) for w in waits[-3:]}) == 3


def test_the_sinks_own_wish_for_a_pause_is_honoured(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("HTTP 429", after_s=120)

    c = courier(Sink(behave), outbox, clock)
    outbox.committer.commit([alert(0)])
    c.run_once()
    assert c.waits_s() == pytest.approx(120)


def test_an_alert_that_a_living_sink_cannot_digest_holds_up_only_its_own_event(outbox, clock):
    def behave(delivery: Delivery) -> None:
        if delivery.alert.t == 0:
            raise RetryLater("HTTP 500", suspect=True)

    sink = Sink(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0), alert(0, "end"), alert(1), alert(2)])
    drive(c, clock, HOUR)
    assert sink.took == ["1 start", "2 start"]
    assert outbox.queue.counts()["ops"]["pending"] == 2


def test_an_alert_is_tried_three_times_before_others_go_first(outbox, clock):
    def behave(delivery: Delivery) -> None:
        if delivery.alert.t == 0:
            raise RetryLater("HTTP 500", suspect=True)

    sink = Sink(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0), alert(1)])
    while not sink.took:
        c.run_once()
        clock.advance(c.waits_s())
    assert sink.tried == ["0 start"] * 3 + ["1 start"]


class Kept(Sink):
    """A sink that is maintained every five seconds; fails at it while `broken`."""

    maintain_every_s = 5.0
    broken = False
    maintained = 0

    def maintain(self, status: InstallationStatus) -> None:
        if self.broken:
            raise RetryLater("the broker closed the connection")
        self.maintained += 1


def test_a_blip_of_maintenance_an_hour_never_adds_up_to_a_long_pause(outbox, clock):
    sink = Kept()
    c = courier(sink, outbox, clock)
    for _ in range(12):
        for _ in range(720):
            c.run_once()
            clock.advance(5)
        sink.broken = True
        c.run_once()
        sink.broken = False
        assert 0 < c.waits_s() <= 1


def test_maintenance_that_succeeds_does_not_shorten_the_pauses_of_a_delivery_that_fails(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("not authorised", suspect=True)

    sink = Kept(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0)])
    for _ in range(9):
        c.run_once()
        clock.advance(c.waits_s())
    c.run_once()
    assert c.waits_s() > 200


def test_a_sink_that_answers_is_maintained_while_one_alert_waits_for_another_try(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("HTTP 500", suspect=True)

    sink = Kept(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0)])
    drive_every_second(c, clock, HOUR)
    assert sink.maintained >= HOUR / 5 - 20
    assert len(sink.tried) < 30


def test_a_sink_that_does_not_answer_is_left_alone_during_a_pause(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("connection refused")

    sink = Kept(behave)
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0)])
    drive_every_second(c, clock, HOUR)
    assert sink.maintained <= len(sink.tried) < 30


def drive_every_second(c: Courier, clock: ManualClock, seconds: float) -> None:
    for _ in range(int(seconds)):
        c.run_once()
        clock.advance(1)


def test_a_courier_that_pauses_sleeps_no_longer_than_to_the_next_maintenance(outbox):
    class Stepping(ManualClock):
        def sleep(self, seconds: float, stop: Stop) -> None:
            self.advance(seconds)
            if self.monotonic() > 1200:
                stop.set()

    def behave(_delivery: Delivery) -> None:
        raise RetryLater("HTTP 500", suspect=True)

    clock, sink = Stepping(), Kept(behave)
    outbox.committer.commit([alert(0)])
    courier(sink, outbox, clock).run(Stop())
    assert sink.maintained >= 200 / 5 - 3


def test_a_sink_that_stays_away_is_logged_again_with_the_next_try(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise RetryLater("connection refused")

    outbox.committer.commit([alert(0)])
    with capture_logs() as lines:
        drive(courier(Sink(behave), outbox, clock), clock, HOUR)
    told = [line for line in lines if line["event"] == "sink unavailable, alerts wait in the outbox"]
    assert 4 <= len(told) <= 7
    assert told[0]["failures"] == 1
    assert told[-1]["failures"] > 10
    assert told[-1]["why"] == "connection refused"
    assert 200 < told[-1]["next_try_in_s"] <= 300


def test_a_refused_alert_is_a_dead_letter_and_the_next_one_goes(outbox, clock):
    def behave(delivery: Delivery) -> None:
        if delivery.alert.t == 0:
            raise Rejected("HTTP 400")

    registry = CollectorRegistry()
    sink = Sink(behave)
    c = courier(sink, outbox, clock, metrics=Metrics(registry))
    outbox.committer.commit([alert(0), alert(1)])
    drive(c, clock, 1)
    assert sink.took == ["1 start"]
    assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 1, "dead": 1}
    results = {r: registry.get_sample_value("surveil_delivery_attempts_total", {"sink": "ops", "result": r})
               for r in ("delivered", "retry", "rejected", "error")}  # fmt: skip
    assert results == {"delivered": 1, "retry": 0, "rejected": 1, "error": 0}


@pytest.mark.parametrize("failure", [Rejected, RetryLater])
def test_what_a_sink_repeats_is_kept_without_secrets(outbox, tmp_path, clock, monkeypatch, failure):
    def behave(_delivery: Delivery) -> None:
        raise failure("the server says: no hunter22 here")

    monkeypatch.setattr(logs, "_secrets", logs._Secrets())
    logs.hide(["hunter22"])
    outbox.committer.commit([alert(0)])
    drive(courier(Sink(behave), outbox, clock), clock, 1)
    errors = [way.error for one in list_alerts(tmp_path / "outbox.db") for way in one.sinks]
    assert errors == ["the server says: no *** here"]


def test_a_bug_in_a_sink_is_counted_and_delays_only_that_sink(outbox, clock):
    def behave(_delivery: Delivery) -> None:
        raise KeyError("secret")

    registry = CollectorRegistry()
    c = courier(Sink(behave), outbox, clock, metrics=Metrics(registry))
    outbox.committer.commit([alert(0)])
    assert c.run_once()
    assert c.waits_s() > 0
    assert outbox.queue.counts()["ops"]["pending"] == 1
    sample = registry.get_sample_value("surveil_delivery_attempts_total", {"sink": "ops", "result": "error"})
    assert sample == 1


def test_a_sink_is_maintained_with_the_open_events_it_has_taken(outbox, clock):
    class Keeper(Sink):
        maintain_every_s = 60.0
        seen: list[list[float]]

        def maintain(self, status: InstallationStatus) -> None:
            self.seen.append([a.t for a in status.open])

    sink = Keeper()
    sink.seen = []
    c = courier(sink, outbox, clock)
    outbox.committer.commit([alert(0), alert(1), alert(1, "end")])
    drive(c, clock, 1)
    clock.advance(60)
    c.run_once()
    assert sink.seen == [[], [0.0]]


def test_at_the_end_a_courier_makes_one_more_pass_and_closes_its_sink(tmp_path):
    clock = SystemClock()
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    stop = Stop()
    sink = Sink()
    c = courier(sink, outbox, clock)  # type: ignore[arg-type]
    outbox.committer.commit([alert(0), alert(0, "end")])
    stop.set()
    thread = threading.Thread(target=c.run, args=(stop,))
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert sink.took == ["0 start", "0 end"]
    assert sink.closed
    outbox.close()


class FailingQueue:
    """The queue of an outbox whose disk is full for the first writes of one kind."""

    def __init__(self, outbox: Outbox, what: str, failures: int) -> None:
        self._queue, self._what, self.failures = outbox.queue, what, failures

    def __getattr__(self, name: str):
        whole = getattr(self._queue, name)
        return partial(self._fail, whole) if name == self._what else whole

    def _fail(self, write, *values: object) -> None:
        if self.failures:
            self.failures -= 1
            raise StateError("database or disk is full")
        write(*values)


class Failing:
    def __init__(self, outbox: Outbox, what: str, failures: int) -> None:
        self.queue, self.db = FailingQueue(outbox, what, failures), outbox.db


@pytest.mark.parametrize(("what", "then"), [("delivered", "delivered"), ("rejected", "dead")])
def test_what_a_full_disk_does_not_note_is_not_sent_again(outbox, clock, what, then):
    def behave(_delivery: Delivery) -> None:
        if then == "dead":
            raise Rejected("never")

    sink = Sink(behave)
    failing = Failing(outbox, what, 5)
    c = courier(sink, failing, clock)
    outbox.committer.commit([alert(0), alert(1)])
    pauses = []
    while failing.queue.failures:
        c._try_once()
        pauses.append(c.waits_s())
        clock.advance(c.waits_s())
    assert sink.tried == ["0 start"]
    assert all(
        0.75 * longest <= pause <= longest for pause, longest in zip(pauses, [1, 2, 4, 8, 16], strict=True)
    )
    drive(c, clock, 2)
    assert sink.tried == ["0 start", "1 start"]
    assert outbox.queue.counts()["ops"][then] == 2


@pytest.mark.rig
def test_a_full_disk_repeats_no_message(tmp_path):
    with tmpfs(tmp_path / "small", "size=2m"):
        clock = ManualClock()
        outbox = Outbox.open(tmp_path / "small" / "surveil.db", ["ops"], clock)
        outbox.committer.commit([alert(0)])
        hog = tmp_path / "small" / "hog"
        with suppress(OSError), hog.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        sink = Sink()
        c = courier(sink, outbox, clock)
        for _ in range(10):
            c._try_once()
            clock.advance(c.waits_s())
        assert sink.took == ["0 start"]
        hog.unlink()
        c._try_once()
        assert sink.took == ["0 start"]
        assert outbox.queue.counts()["ops"] == {"pending": 0, "delivered": 1, "dead": 0}
        outbox.close()


def test_a_running_courier_delivers_what_it_is_woken_for(tmp_path):
    clock = SystemClock()
    outbox = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    stop = Stop()
    done = threading.Event()
    c = courier(Sink(lambda _d: done.set()), outbox, clock)  # type: ignore[arg-type]
    thread = threading.Thread(target=c.run, args=(stop,))
    thread.start()
    outbox.committer.commit([alert(0)])
    c.wake()
    assert done.wait(5)
    stop.set()
    c.wake()
    thread.join(5)
    outbox.close()
