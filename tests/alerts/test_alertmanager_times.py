"""Alertmanager and clocks that differ or step, and lists of which it takes a part."""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime
from email.utils import formatdate

import pytest
from structlog.testing import capture_logs

from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.clock import ManualClock, SystemClock
from surveil.errors import Rejected

from .helpers import T0, Got, Receiver, alert
from .servers import alertmanager, needs, wait_for

pytestmark = pytest.mark.rig


class Fake:
    """Alertmanager's API as far as times go: its clock, what it takes, and that it takes a list in part."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.taken: list[tuple[str, float, float]] = []
        """Rule, start and end."""
        self.refuse: set[str] = set()

    def __call__(self, got: Got) -> tuple[int, dict[str, str], bytes]:
        bad = False
        for entry in json.loads(got.body):
            rule = entry["labels"]["rule"]
            starts, ends = (datetime.fromisoformat(entry[k]).timestamp() for k in ("startsAt", "endsAt"))
            if ends < starts or rule in self.refuse:
                bad = True
            else:
                self.taken.append((rule, starts, ends))
        headers = {"Date": formatdate(self.now, usegmt=True)}
        return (400, headers, b'"start time must be before end time"') if bad else (200, headers, b"{}")

    def firing(self) -> set[str]:
        last = {rule: (starts, ends) for rule, starts, ends in self.taken}
        return {rule for rule, (_, ends) in last.items() if ends > self.now}


class OwnDate(Receiver):
    """A receiver whose `Date` is that of its answer: the server's own would come first."""

    def __enter__(self):
        made = super().__enter__()
        self.server.RequestHandlerClass.date_time_string = lambda _self, _at=None: formatdate(
            self.answer.now, usegmt=True
        )
        self.server.RequestHandlerClass.send_header = _without_second_date
        return made


def _without_second_date(handler, name, value):
    import http.server

    if name == "Date" and any(line.startswith(b"Date:") for line in getattr(handler, "_headers_buffer", [])):
        return
    http.server.BaseHTTPRequestHandler.send_header(handler, name, value)


@pytest.mark.parametrize("ours", [T0 - 600, T0 - 240, T0, T0 + 240, T0 + 600, 0.0])
def test_an_alert_fires_and_resolves_whatever_our_clock_says(ours):
    clock, fake = ManualClock(wall=ours), Fake(T0)
    with OwnDate(answer=fake) as api:
        url = api.url.removesuffix("/hook")
        sink = make_sink(AlertmanagerSettings(url=url, min_firing_s=0), Context(clock=clock))
        sink.deliver(Delivery(alert(0, t_wall=ours)))
        assert fake.firing() == {"intrusion"}
        assert fake.taken[-1][1] == pytest.approx(T0, abs=6)
        clock.advance(60)
        fake.now += 60
        sink.maintain(InstallationStatus(open=(alert(0, t_wall=ours),)))
        assert fake.taken[-1][2] == pytest.approx(T0 + 60 + 240, abs=6)
        sink.deliver(Delivery(alert(0, "end", t_wall=ours + 50, details={"duration_s": 50.0})))
    assert fake.firing() == set()
    assert fake.taken[-1][1] == pytest.approx(T0, abs=6)


def test_a_clock_that_is_far_off_is_logged_once_and_costs_one_request_more():
    clock, fake = ManualClock(wall=T0 - 240), Fake(T0)
    with OwnDate(answer=fake) as api, capture_logs() as lines:
        sink = make_sink(AlertmanagerSettings(url=api.url.removesuffix("/hook")), Context(clock=clock))
        for n in range(3):
            sink.deliver(Delivery(alert(n, t_wall=T0 - 240)))
        assert len(api.got) == 4
    assert [line["ahead_s"] for line in lines] == [240]


@pytest.mark.parametrize("back_s", [30.0, 240.0, 241.0, 7200.0])
@pytest.mark.parametrize("phase", ["start", "end"])
def test_an_event_from_before_the_clock_was_set_back_is_not_refused(back_s, phase):
    clock, fake = ManualClock(wall=T0 - back_s), Fake(T0 - back_s)
    with OwnDate(answer=fake) as api:
        sink = make_sink(
            AlertmanagerSettings(url=api.url.removesuffix("/hook"), min_firing_s=0), Context(clock=clock)
        )
        sink.deliver(Delivery(alert(0, phase, details={"duration_s": 10.0})))
        sink.maintain(InstallationStatus(open=(alert(0),)))
    assert all(starts <= ends for _, starts, ends in fake.taken)
    assert len(fake.taken) == 2


def test_one_alert_that_is_refused_does_not_hide_that_the_others_were_taken():
    clock, fake = ManualClock(wall=T0 + 5), Fake(T0 + 5)
    fake.refuse = {"bad"}
    alerts = tuple(alert(n, rule=rule) for n, rule in enumerate(("a", "bad", "b")))
    with OwnDate(answer=fake) as api, capture_logs() as lines:
        sink = make_sink(AlertmanagerSettings(url=api.url.removesuffix("/hook")), Context(clock=clock))
        sink.maintain(InstallationStatus(open=alerts))
        with pytest.raises(Rejected, match="HTTP 400: start time must be before end time"):
            sink.deliver(Delivery(alerts[1]))
    assert fake.firing() == {"a", "b"}
    (line,) = lines
    assert line["last"] == alerts[1].id
    assert line["why"].endswith("HTTP 400: start time must be before end time")


class Shifted(SystemClock):
    """The machine's clock, set wrong."""

    def __init__(self, by_s: float) -> None:
        super().__init__()
        self._by_s = by_s

    def wall(self) -> float:
        return super().wall() + self._by_s


@needs("prometheus-alertmanager")
@pytest.mark.server
def test_a_real_alertmanager_notifies_of_alerts_from_clocks_that_differ(tmp_path):
    with Receiver() as hook, alertmanager(tmp_path, hook.url) as url:
        for by_s in (-600.0, -240.0, 600.0):
            clock = Shifted(by_s)
            sink = make_sink(AlertmanagerSettings(url=url, min_firing_s=0), Context(clock=clock))
            now = clock.wall()
            sink.deliver(Delivery(alert(0, t_wall=now, camera=f"c{by_s:g}")))
            assert active(url, f"c{by_s:g}")
            end = alert(0, "end", t_wall=now, camera=f"c{by_s:g}", details={"duration_s": 0.0})
            sink.deliver(Delivery(end))
            wait_for(lambda name=f"c{by_s:g}": not active(url, name), "resolution")


def active(url: str, camera: str) -> bool:
    with urllib.request.urlopen(f"{url}/api/v2/alerts?filter=camera%3D%22{camera}%22", timeout=5) as answer:
        return bool(json.load(answer))
