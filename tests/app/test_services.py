"""The daemon's table: forwards at the start, backwards at the end, within one time limit for all."""

import pytest

from surveil.app.services import Service, Services, at_once
from surveil.clock import ManualClock


class Recorded:
    """Services that note what happens to them; one takes `takes_s` to stop."""

    def __init__(self):
        self.clock = ManualClock()
        self.calls = []

    def service(self, name, *, takes_s=0.0, ended=True, **more):
        def stop(patience_s):
            self.calls.append((f"stop {name}", patience_s))
            self.clock.advance(takes_s)
            return ended

        return Service(name, lambda: self.calls.append(f"start {name}"), stop, **more)


@pytest.fixture
def recorded():
    return Recorded()


def test_the_table_is_walked_forwards_and_backwards(recorded):
    services = Services([recorded.service("web"), recorded.service("cameras")], recorded.clock)
    services.start()
    assert services.stop()
    names = [call if isinstance(call, str) else call[0] for call in recorded.calls]
    assert names == ["start web", "start cameras", "stop cameras", "stop web"]


def test_all_share_one_limit_and_each_has_its_patience_when_it_is_used_up(recorded):
    table = [
        recorded.service("web"),
        recorded.service("commit", patience_s=1.5),
        recorded.service("models", takes_s=7.0),
        recorded.service("cameras", takes_s=2.0),
    ]
    Services(table, recorded.clock).stop()
    assert recorded.calls == [
        ("stop cameras", 9.0),
        ("stop models", 7.0),
        ("stop commit", 1.5),
        ("stop web", 0.5),
    ]


def test_one_that_does_not_end_keeps_none_from_being_stopped(recorded):
    table = [recorded.service("web"), recorded.service("cameras", ended=False)]
    assert not Services(table, recorded.clock).stop()
    assert [name for name, _ in recorded.calls] == ["stop cameras", "stop web"]


def test_a_line_may_have_nothing_to_start_or_nothing_to_wait_for(recorded):
    closed = []
    table = [Service("socket", stop=at_once(lambda: closed.append("socket"))), Service("models")]
    services = Services(table, recorded.clock)
    services.start()
    assert services.stop()
    assert closed == ["socket"]
