"""One intruder, one message: events at one site within a minute are one notification, and nothing is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveil.alerts import admin
from surveil.alerts.delivery import Context, Delivery, InstallationStatus
from surveil.alerts.evidence import Evidence
from surveil.alerts.homeassistant import event_type
from surveil.alerts.incidents import Incidents, IncidentSettings, is_listed
from surveil.alerts.outbox import Outbox
from surveil.alerts.rows import Entry
from surveil.alerts.settings import EvidenceSettings
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.alertmanager import AlertmanagerSettings
from surveil.alerts.sinks.apprise import AppriseSettings
from surveil.alerts.sinks.grafana import GrafanaSettings
from surveil.alerts.writer import AlertWriter, WriteJob
from surveil.config import load
from surveil.errors import StateError

from .helpers import T0, Receiver, alert, make_writer
from .servers import Grafana
from .test_mail import MailServer, mail

pytestmark = pytest.mark.rig

SITES = {"gate": "house", "yard": "house", "barn": "farm"}


def incidents(**settings: object) -> Incidents:
    return Incidents(IncidentSettings(**settings), SITES)


def said(alerts) -> list[tuple[str, str, str, object]]:
    return [(a.camera, a.phase, a.reason, a.sinks) for a in alerts]


def test_events_of_a_site_within_a_minute_are_one_notification_that_is_updated():
    joining = incidents()
    (lead,) = joining.admit([alert(0)], T0)
    assert (lead.sinks, lead.reason) == (None, "")
    door, update = joining.admit([alert(20, camera="yard", rule="door", text="door open")], T0 + 20)
    assert (door.sinks, door.details["incident"]) == ((), lead.event_id)
    assert (update.event_id, update.reason, update.sinks) == (lead.event_id, "update", None)
    assert update.text == "person in yard; also yard: door open"
    assert [e["rule"] for e in update.details["events"]] == ["intrusion", "door"]
    assert joining.admit([alert(0, "end", t_wall=T0 + 30)], T0 + 30) == [], "another is open"
    (listed,) = joining.admit([alert(20, "end", camera="yard", t_wall=T0 + 50)], T0 + 50)
    assert listed.sinks == ()
    assert joining.admit([], T0 + 59) == [], "others may join"
    (end,) = joining.admit([], T0 + 61)
    assert (end.event_id, end.phase, end.t_wall, end.details["duration_s"]) == (
        lead.event_id,
        "end",
        T0 + 50,
        50.0,
    )
    assert "also yard: door open" in end.text
    assert joining.admit([alert(70)], T0 + 70)[0].details["incident"] == alert(70).event_id


@pytest.mark.parametrize(
    "other",
    [
        {"camera": "barn"},
        {"camera": "street"},
        {"t_wall": T0 + 61},
        {"t_wall": T0 - 1},
        {"type": "camera_lost", "rule": "camera_lost"},
        {"type": "storage", "camera": "system"},
    ],
)
def test_what_is_elsewhere_later_or_no_intruder_is_a_notification_of_its_own(other):
    joining = incidents()
    joining.admit([alert(0)], T0)
    (made,) = joining.admit([alert(20, **other)], T0 + 20)
    assert made.sinks is None
    assert not is_listed(made)


@pytest.mark.parametrize("earlier_s", [0.2, 3.0])
def test_a_picture_that_waited_to_be_decoded_joins_though_it_is_older_than_the_lead(earlier_s):
    joining = incidents()
    joining.admit([alert(0)], T0)
    listed, update = joining.admit([alert(1, camera="yard", t_wall=T0 - earlier_s)], T0 + 1)
    assert (is_listed(listed), update.reason) == (True, "update")


def test_it_is_off_by_one_setting():
    joining = incidents(enabled=False)
    alerts = [alert(0), alert(1, camera="yard"), alert(0, "end"), alert(1, "end", camera="yard")]
    assert joining.admit(alerts, T0) == alerts


def test_a_minute_counts_from_the_first_event_so_that_a_busy_site_is_heard_of():
    joining = incidents()
    made = [a for n in range(0, 600, 10) for a in joining.admit([alert(n)], T0 + n)]
    assert [a.t for a in made if not is_listed(a) and a.reason != "update"] == [
        float(n) for n in range(0, 600, 70)
    ]


def test_an_event_for_a_sink_that_the_first_does_not_go_to_is_not_hidden():
    joining = incidents()
    joining.admit([alert(0, sinks=("mail",))], T0)
    (made,) = joining.admit([alert(1, sinks=("mail", "hook"))], T0 + 1)
    assert made.sinks == ("mail", "hook")
    first, update = joining.admit([alert(2, sinks=("hook",))], T0 + 2)
    assert (first.sinks, update.sinks) == ((), ("mail", "hook"))


def test_a_crossing_that_nothing_joins_has_no_end():
    lone = incidents()
    lone.admit([alert(0, reason="instant")], T0)
    assert lone.admit([], T0 + 100) == []


def test_a_crossing_that_leads_ends_when_the_others_have():
    joining = incidents()
    joining.admit([alert(0, reason="instant")], T0)
    joining.admit([alert(5, camera="yard")], T0 + 5)
    listed, end = joining.admit([alert(5, "end", camera="yard", t_wall=T0 + 100)], T0 + 100)
    assert said([listed, end]) == [("yard", "end", "", ()), ("gate", "end", "gone", None)]
    assert end.event_id == alert(0).event_id


def test_nothing_is_held_back_when_the_daemon_ends():
    joining = incidents()
    joining.admit([alert(0), alert(1), alert(0, "end")], T0 + 1)
    joining.closing = True
    (end,) = joining.admit([], T0 + 2)
    assert (end.event_id, end.phase) == (alert(0).event_id, "end")


def test_a_clock_that_is_set_back_holds_up_no_end():
    joining = incidents()
    joining.admit([alert(0), alert(0, "end")], T0)
    assert len(joining.admit([], T0 - 3600)) == 1


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from(["start", "end"]), st.sampled_from(list(SITES)), st.integers(0, 40)
    ),
    max_size=30,
)


@given(STEPS, st.booleans())
def test_no_event_is_lost_and_every_end_comes_once_and_last(steps, instant):
    joining, now, begun, ended, made = incidents(), T0, {}, set(), []
    for n, phase, camera, wait in steps:
        now += wait
        if phase == "start" and n not in begun:
            begun[n] = camera
            reason = "instant" if instant and n % 2 else ""
            made += joining.admit([alert(n, camera=camera, t_wall=now, reason=reason)], now)
        elif phase == "end" and n in begun and n not in ended and not (instant and n % 2):
            ended.add(n)
            made += joining.admit([alert(n, "end", camera=begun[n], t_wall=now)], now)
    made += joining.admit([], now + 120)
    joining.closing = True
    made += joining.admit([], now + 121)
    for n in begun:
        event = alert(n).event_id
        own = [a for a in made if a.event_id == event]
        assert [a.phase for a in own if a.reason != "update"][:1] == ["start"]
        assert sum(a.phase == "start" and a.reason != "update" for a in own) == 1
        assert sum(a.phase == "end" for a in own) <= 1
        assert all(a.phase == "start" for a in own[:-1])
        lead = own[0].details["incident"]
        assert lead == event or event in json.dumps([a.details for a in made if a.event_id == lead])
    assert len({a.id for a in made}) == len(made)


# In the outbox.


@pytest.fixture
def writer(tmp_path, clock):
    clock.set_wall(T0)
    outbox = Outbox.open(tmp_path / "surveil.db", ["hook", "mail"], clock)
    evidence = Evidence(tmp_path, EvidenceSettings())
    made = make_writer(outbox, tmp_path, evidence, clock=clock, incidents=incidents())
    yield made, outbox
    outbox.close()


def write(writer: AlertWriter, *alerts) -> None:
    for one in alerts:
        outcome = (
            {Entry(one.camera, one.rule, o): 1 for o in ("raised", "opened")} if one.phase == "start" else {}
        )
        writer.write([WriteJob([one], counts=outcome)])


def test_the_books_balance_and_each_sink_hears_of_one_event(writer, tmp_path, clock):
    write_to, outbox = writer
    write(
        write_to, alert(0), alert(1, camera="yard"), alert(2), alert(1, "end", camera="yard"), alert(0, "end")
    )
    assert [a.event_id for a in outbox.open_events()] == [alert(2).event_id, alert(0).event_id]
    clock.advance(61)
    write(write_to, alert(2, "end"))
    heard = []
    while delivery := outbox.queue.next("hook"):
        heard.append(
            (delivery.alert.event_id == alert(0).event_id, delivery.alert.phase, delivery.alert.reason)
        )
        outbox.queue.delivered("hook", delivery.seq)
    assert heard == [
        (True, "start", ""), (True, "start", "update"), (True, "start", "update"), (True, "end", ""),
    ]  # fmt: skip
    assert outbox.open_events() == []
    assert len(admin.list_alerts(tmp_path / "surveil.db")) == 8, "the listed ones are stored"
    assert admin.check(tmp_path / "surveil.db").problems == ()
    ledger = outbox.ledger.totals()
    assert (
        ledger[Entry("gate", "intrusion", "committed")] == ledger[Entry("gate", "intrusion", "opened")] == 2
    )


def test_a_zone_is_occupied_for_a_sink_that_has_the_incident(writer):
    write_to, outbox = writer
    write(write_to, alert(0), alert(1, camera="yard"))
    assert outbox.queue.open_at("hook") == []
    outbox.queue.delivered("hook", outbox.queue.next("hook").seq)
    outbox.queue.delivered("hook", outbox.queue.next("hook").seq)
    assert {a.camera for a in outbox.queue.open_at("hook")} == {"gate", "yard"}
    assert outbox.queue.open_at("mail") == []


def test_what_a_crash_left_open_ends_once(writer, tmp_path):
    write_to, outbox = writer
    write(write_to, alert(0, reason="instant"), alert(1, camera="yard"))
    ends = outbox.end_open_events(T0 + 5)
    assert {a.event_id: a.sinks for a in ends} == {alert(0).event_id: None, alert(1).event_id: ()}
    assert outbox.open_events() == []
    assert admin.check(tmp_path / "surveil.db").problems == ()


def test_a_commit_that_fails_joins_nothing(writer, monkeypatch):
    write_to, outbox = writer
    write(write_to, alert(0))
    with monkeypatch.context() as patch:

        def refuse(*_args: object) -> None:
            raise StateError("full")

        patch.setattr(outbox.committer, "commit", refuse)
        with pytest.raises(StateError):
            write(write_to, alert(1))
    write(write_to, alert(1))
    assert outbox.queue.counts()["hook"]["pending"] == 2


# In the sinks.


def stages():
    joining = incidents()
    (lead,) = joining.admit([alert(0)], T0)
    listed, update = joining.admit([alert(20, camera="yard", text="at the door")], T0 + 20)
    joining.admit([alert(0, "end"), alert(20, "end", camera="yard")], T0 + 30)
    (end,) = joining.admit([], T0 + 100)
    return lead, listed, update, end


@pytest.mark.rig
def test_mail_and_messages_say_it_at_the_start_and_list_all_at_the_end(apprise_threads):
    lead, _, update, end = stages()
    with MailServer() as server, Receiver() as receiver:
        for sink in (
            mail(server),
            make_sink(AppriseSettings(url=f"json://127.0.0.1:{receiver.port}/"), Context()),
        ):
            for one in (lead, update, end):
                sink.deliver(Delivery(one))
    assert len(server.mails) == len(receiver.got) == 2
    assert "also yard: at the door" in server.mails[1][1]
    assert "also yard: at the door" in receiver.got[1].json["message"]


@pytest.mark.rig
def test_grafana_s_annotation_is_changed():
    lead, _, update, end = stages()
    grafana = Grafana()
    with Receiver(answer=grafana) as api:
        sink = make_sink(GrafanaSettings(url=api.url.removesuffix("/hook"), token="t0ken"), Context())
        for one in (lead, update, end):
            sink.deliver(Delivery(one))
    (annotation,) = grafana.annotations
    assert "also yard: at the door" in annotation["text"]
    assert "timeEnd" in annotation


@pytest.mark.rig
def test_alertmanager_has_one_alert_whose_summary_changes(clock):
    lead, listed, update, _ = stages()
    with Receiver() as api:
        sink = make_sink(AlertmanagerSettings(url=api.url.removesuffix("/hook")), Context(clock=clock))
        sink.deliver(Delivery(lead))
        sink.deliver(Delivery(update))
        sink.maintain(InstallationStatus(open=(update, listed)))
        sink.maintain(InstallationStatus(open=(listed,)))
    sent = [entry for got in api.got for entry in json.loads(got.body)]
    assert len({json.dumps(entry["labels"], sort_keys=True) for entry in sent}) == 1
    assert sent[-1]["annotations"]["summary"] == "person in yard; also yard: at the door"


def test_home_assistant_can_tell_an_update_from_another_event():
    lead, _, update, end = stages()
    assert [event_type(a) for a in (lead, update, end)] == ["intrusion", "intrusion_update", "intrusion_end"]


def test_the_file_says_which_cameras_watch_one_place(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "version: 1\ndefaults: {site: house}\nincidents: {within_s: 30}\n"
        "cameras: {a: {url: rtsp://h/a}, b: {url: rtsp://h/b, site: ''}}\n"
    )
    config = load(path)
    assert [config.cameras[name].site for name in "ab"] == ["house", ""]
    assert (config.incidents.enabled, config.incidents.within_s) == (True, 30.0)
