"""Signed links: one event, without a login, useless when forged, expired or revoked, and harmless to look at."""

from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry

from surveil.alerts.arming import ArmingChannel
from surveil.alerts.courier import Courier
from surveil.alerts.links import page_link
from surveil.alerts.settings import OutboxSettings
from surveil.alerts.signed import LinkFault, Links, Signer, make_signer
from surveil.alerts.sinks.base import BaseSink
from surveil.app.couriers import make_links
from surveil.console.access import Role
from surveil.listening import HttpSettings
from surveil.metrics import Metrics
from tests.alerts.helpers import T0, alert

EVENT = alert(0).event_id
SIGNER = Signer(bytes(32))
TOKEN = SIGNER.token(EVENT, int(T0) + 60)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def press(site, path, action, **headers):
    return site.ask("POST", path, urlencode({"action": action}), {**FORM, **headers})


@pytest.fixture
def page(site):
    """The path of the page of an event with a picture; there are users, so nothing is open."""
    site.auth.users.add("ada", "correct horse 7", Role.ADMIN, None, 0)
    site.happens(
        0, evidence={"snapshot": site.store("gate/a.jpg", b"jpeg")}, text="<script>alert(1)</script>"
    )
    return f"/l/{site.signer.token(EVENT, int(T0) + 60)}"


def test_a_token_names_its_event_until_it_expires():
    assert SIGNER.event(TOKEN, T0) == EVENT
    assert SIGNER.event(TOKEN, T0 + 60) is LinkFault.EXPIRED


@pytest.mark.parametrize("days", [1, 30])
def test_a_link_is_good_for_as_many_days_as_told(tmp_path, days):
    made = make_links(HttpSettings(console=True, public_url="https://nvr.example", link_days=days), tmp_path)
    token = made.link(alert(0)).rpartition("/")[2]
    begun = alert(0).t_wall
    assert made.signer.event(token, begun + days * 86_400 - 1) == EVENT
    assert made.signer.event(token, begun + days * 86_400) is LinkFault.EXPIRED


@pytest.mark.parametrize(
    "token",
    ["", ".", "a", "a.b", TOKEN[:-1], TOKEN + "A", TOKEN + "=", f"{TOKEN}.x", TOKEN.replace(".", ".."),
     "é.é", "A" * 999, TOKEN.swapcase(), TOKEN.partition(".")[0] + ".", Signer(b"x" * 32).token(EVENT, int(T0) + 60)],
)  # fmt: skip
def test_a_forged_token_names_nothing(token):
    assert SIGNER.event(token, T0) is LinkFault.FORGED


def test_every_character_of_a_token_counts():
    for at in range(len(TOKEN)):
        for other in "AB":
            if TOKEN[at] not in {other, "."}:
                assert SIGNER.event(TOKEN[:at] + other + TOKEN[at + 1 :], T0) is LinkFault.FORGED


def test_the_key_is_for_its_owner_alone_and_stays(tmp_path):
    first = make_signer(tmp_path)
    assert make_signer(tmp_path) == first
    assert (tmp_path / "console" / "link.key").stat().st_mode & 0o777 == 0o600


def test_the_page_shows_the_event_and_its_picture_without_a_login(site, page):
    answer = site.ask("GET", page)
    assert answer.status == 200
    assert b"<script>" not in answer.body
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert site.ask("GET", f"{page}/picture.jpg").body == b"jpeg"
    assert site.ask("GET", f"{page}/clip.mp4").status == 404
    assert "误报" in site.ask("GET", page, headers={"Accept-Language": "zh-CN"}).body.decode()
    assert site.get(f"/events/{EVENT}").status == 401


def test_looking_changes_nothing_and_a_button_does(site, page):
    site.ask("GET", page, action="false")
    record = site.parts().history.event(EVENT)
    assert (record.judgement.verdict, record.judgement.acknowledged_at) == (None, None)
    answer = press(site, page, "false")
    assert (answer.status, answer.headers["location"]) == (303, f"{page}?done=1")
    press(site, page, "acknowledge")
    record = site.parts().history.event(EVENT)
    assert (record.judgement.verdict, record.judgement.judge, record.judgement.acknowledged_at) == (
        "false",
        "link",
        T0,
    )


def test_a_rule_is_disarmed_for_an_hour(site, page):
    press(site, page, "disarm")
    board = ArmingChannel(site.database)
    assert board.read()["gate", "intrusion"].until == T0 + 3600
    board.close()


@pytest.mark.parametrize("action", ["", "delete", "true\x00", "x" * 999])
def test_there_are_no_other_buttons(site, page, action):
    assert press(site, page, action).status == 422


def test_another_site_presses_no_button(site, page):
    assert press(site, page, "disarm", **{"Sec-Fetch-Site": "cross-site"}).status == 403


def test_an_expired_a_revoked_and_a_forged_link_lead_nowhere(site, page):
    assert site.ask("GET", page + "A").status == 404
    site.auth.users.revoke_link(EVENT, T0)
    assert (site.ask("GET", page).status, press(site, page, "true").status) == (410, 410)
    site.clock.advance(61)
    assert "expired" in site.ask("GET", page).body.decode()
    assert site.ask("GET", f"{page}/picture.jpg").status == 410


def test_what_is_done_by_a_link_is_in_the_audit_log(site, page):
    site.ask("GET", page)
    press(site, page, "acknowledge")
    told = [(one.user, one.action, one.subject) for _, one in site.auth.audit.page(None, 9)]
    assert told == [("link", "link_action", f"/events/{EVENT}"), ("link", "link_page", f"/events/{EVENT}")]


class Taking(BaseSink):
    """Takes everything."""

    def __init__(self):
        self.taken = []

    def deliver(self, delivery):
        self.taken.append(delivery.alert)


def test_every_delivery_carries_the_link_and_the_outbox_does_not(site):
    sink = Taking()
    links = Links(SIGNER, "https://cams.example", 7)
    courier = Courier(
        "ops",
        sink,
        site.outbox,
        site.clock,
        OutboxSettings(),
        metrics=Metrics(CollectorRegistry()),
        links=links,
    )
    site.outbox.set_sinks(["ops"])
    site.happens(0)
    assert courier._try_once()
    token = page_link(sink.taken[0]).removeprefix("https://cams.example/l/")
    assert SIGNER.event(token, T0 + 6 * 86_400) == EVENT
    assert SIGNER.event(token, T0 + 8 * 86_400) is LinkFault.EXPIRED
    assert page_link(site.parts().history.event(EVENT).start) == ""
