"""Rates that a probe tells, of packets that arrive at given moments: a busy machine cannot disturb them."""

from __future__ import annotations

import pytest

from surveil.app.probe.stream import Witness
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival
from surveil.capture.webcam import WebcamSource
from surveil.clock import ManualClock


def witness(arrivals, stamps):
    clock = ManualClock()
    made = Witness(source=WebcamSource(StreamSettings(url="/dev/video0")), clock=clock)
    for arrived, stamp in zip(arrivals, stamps, strict=True):
        made.on_packet(Arrival(1000, key=False, stamp=stamp, broken=False), arrived)
    return made


@pytest.mark.parametrize("fps", [0.5, 8.0, 15.0, 30.0])
def test_pictures_a_second_are_those_that_come(fps) -> None:
    times = [100 + n / fps for n in range(40)]
    assert witness(times, [t - 93 for t in times]).fps() == pytest.approx(fps)
    assert witness(times, [None] * 40).fps() == pytest.approx(fps)


def test_pictures_that_come_at_once_at_the_beginning_do_not_count() -> None:
    """A server sends what it has: ten pictures, then 15 a second."""
    times = [100.0 + n / 1000 for n in range(10)] + [100.0 + n / 15 for n in range(1, 40)]
    assert witness(times, [None] * 49).fps() == pytest.approx(15, rel=0.1)


def test_of_stamps_and_arrival_that_differ_a_little_the_stamps_are_right_and_else_arrival() -> None:
    """The network wavers by some per cent; a camera that stamps for 25 and sends 15 does not."""
    times = [100 + n / 15 for n in range(40)]
    assert witness([t * 1.05 - 5 for t in times], times).fps() == pytest.approx(15)
    assert witness(times, [n / 25 for n in range(40)]).fps() == pytest.approx(15)


@pytest.mark.parametrize("rate", [0.0, 0.4, 0.84, 1.0, 1.25])
def test_how_fast_the_stamps_run_is_told(rate) -> None:
    times = [100 + n / 15 for n in range(40)]
    assert witness(times, [t * rate for t in times]).stamp_rate() == pytest.approx(rate, abs=0.02)
