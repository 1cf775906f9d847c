"""What is asked of the main thread while it is busy is done when it is free."""

import signal

import pytest

from surveil.app.signals import ProcessRequest, Requests


@pytest.fixture
def requests():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    made = Requests()
    made.listen()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_reload_is_not_lost_when_leases_change_after_it(requests):
    for _ in range(2):
        requests.ask_to_follow()
        signal.raise_signal(signal.SIGHUP)
        requests.ask_to_follow()
    assert requests.next(0.01) is ProcessRequest.RELOAD
    assert requests.next(0.01) is None


def test_changed_leases_alone_are_followed_once(requests):
    requests.ask_to_follow()
    requests.ask_to_follow()
    assert requests.next(0.01) is ProcessRequest.FOLLOW
    assert requests.next(0.01) is None


def test_the_end_goes_first(requests):
    requests.ask_to_follow()
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGTERM)
    assert requests.next(0.01) is ProcessRequest.END
