"""Who may do what: every route by every role, sessions, tokens, proxies, and forged requests."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from surveil.console.access import Role, Scope
from surveil.console.auth.database import ConsoleDb
from surveil.console.auth.passwords import Passwords, ScryptCost
from surveil.console.auth.sessions import COOKIE, IDLE_S, LONGEST_S
from surveil.console.auth.users import Users
from surveil.console.endpoint import Endpoint
from surveil.console.routes import API, TABLE
from surveil.console.running import CameraElsewhere
from surveil.damage import Damaged
from surveil.damage import found as damage
from tests.commands import surveil
from tests.console.site import CONFIG, Site

PASSWORD = "correct horse 7"
ONES = [f"{one.method} {one.path}" for one in TABLE]
BEHIND = CONFIG.replace(
    'listen: "127.0.0.1:0"',
    'listen: "127.0.0.1:0", proxy: {{addresses: [127.0.0.1], secret: "0123456789abcdef", roles: {{guards: operator, '
    "chiefs: admin}}}}",
)
SECRET = {"X-Surveil-Proxy": "0123456789abcdef"}


@pytest.fixture
def guarded(tmp_path):
    """A console with a user of each role; `ada` sees one camera."""
    with Site(tmp_path) as site:
        for role in Role:
            site.auth.users.add(role, PASSWORD, role, None, site.clock.wall())
        site.auth.users.add("ada", PASSWORD, Role.VIEWER, ["yard"], site.clock.wall())
        yield site


@pytest.fixture
def proxied(tmp_path):
    with Site(tmp_path, BEHIND) as site:
        yield site


def log_in(site, user, password=PASSWORD, **headers):
    return site.ask("POST", "/api/v1/login", {"user": user, "password": password}, headers)


def cookie(answer):
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def address_of(one):
    return API + re.sub(r"\{[^}]*\}", "x", one.path)


def test_every_route_says_who_may_call_it():
    """A line of the table without a role does not even construct; before a login there are two."""
    assert all(isinstance(one, Endpoint) and isinstance(one.scope, Scope) for one in TABLE)
    assert {one.path for one in TABLE if one.role is None} == {"/login", "/first-visit"}
    assert len({(one.method, one.path) for one in TABLE}) == len(TABLE)
    assert all(
        one.role is not None for one in TABLE if one.changes and one.path not in {"/login", "/first-visit"}
    )


@pytest.mark.parametrize("one", TABLE, ids=ONES)
def test_nobody_gets_in_without_a_login(guarded, one):
    if one.role is None:
        return
    answer = guarded.ask(one.method, address_of(one))
    assert (answer.status, answer.code) == (401, "login")


@pytest.mark.parametrize("role", list(Role))
def test_every_route_lets_in_just_the_roles_that_it_names(guarded, role):
    session = cookie(log_in(guarded, role))
    csrf = guarded.ask("GET", "/api/v1/me", headers=session).json["csrf"]
    for one in TABLE:
        if one.role is None or one.path == "/logout":
            continue
        status = guarded.status_of(one.method, address_of(one), {**session, "X-CSRF-Token": csrf})
        assert (status not in {401, 403}) == role.includes(one.role), (one.method, one.path)
        assert status < 500


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_opens_what_its_scopes_name_and_nothing_else(guarded, scope):
    token = guarded.auth.users.make_token("admin", "t", [scope], 1, guarded.clock.wall())
    for one in TABLE:
        if one.role is None or one.path == "/logout":
            continue
        status = guarded.status_of(one.method, address_of(one), {"Authorization": f"Bearer {token}"})
        assert (status not in {401, 403}) == (one.scope is scope), one.path


def test_a_user_of_some_cameras_learns_nothing_of_the_others(guarded):
    guarded.happens(0, camera="yard")
    event = guarded.happens(1, camera="gate", evidence={"snapshot": guarded.store("gate/a.jpg", b"x")})
    guarded.daemon.others = (CameraElsewhere(name="dock", title="", node="west", pages=""),)
    session = cookie(log_in(guarded, "ada"))

    def get(path):
        return guarded.ask("GET", f"/api/v1{path}", headers=session)

    assert [one["id"] for one in get("/cameras").json["cameras"]] == ["yard"]
    assert get("/cameras").json["elsewhere"] == []
    assert [one["camera"] for one in get("/events").json["events"]] == ["yard"]
    for path in (
        f"/events/{event}",
        f"/events/{event}/picture.jpg",
        "/events?camera=gate",
        "/events?camera=none",
    ):
        assert get(path).status == 404
    assert get("/me").json["cameras"] == ["yard"]


def test_the_cookie_of_a_session_is_bound_to_the_host_and_hidden_from_scripts(guarded):
    said = log_in(guarded, "viewer").headers["set-cookie"]
    assert said.startswith("__Host-surveil=")
    for part in ("httponly", "secure", "samesite=lax", "path=/"):
        assert part in said.lower()
    assert "domain" not in said.lower()


def test_the_database_has_neither_passwords_nor_secrets_of_sessions_and_tokens(guarded):
    secret = cookie(log_in(guarded, "viewer"))["Cookie"].partition("=")[2]
    token = guarded.auth.users.make_token("viewer", "t", None, 1, guarded.clock.wall())
    stored = b"".join(path.read_bytes() for path in guarded.folder.glob("console.db*"))
    for hidden in (PASSWORD, secret, token):
        assert hidden.encode() not in stored
    assert (guarded.folder / "console.db").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("after_s", [IDLE_S + 1, LONGEST_S + 1])
def test_a_session_ends_when_it_idles_or_is_old(guarded, after_s):
    session = cookie(log_in(guarded, "viewer"))
    while after_s > 0:
        step = min(after_s, IDLE_S - 60 if after_s > IDLE_S + 1 else IDLE_S + 1)
        guarded.clock.advance(step)
        after_s -= step
        answer = guarded.ask("GET", "/api/v1/me", headers=session)
        if after_s > 0:
            assert answer.status == 200
    assert answer.status == 401


@pytest.mark.parametrize("how", ["logout", "password", "removal"])
def test_a_session_ends_with_a_logout_a_new_password_and_the_user(guarded, how):
    session = cookie(log_in(guarded, "viewer"))
    if how == "logout":
        csrf = guarded.ask("GET", "/api/v1/me", headers=session).json["csrf"]
        assert guarded.ask("POST", "/api/v1/logout", headers={**session, "X-CSRF-Token": csrf}).status == 204
    elif how == "password":
        guarded.auth.users.add("viewer", "another horse 8", Role.VIEWER, None, 0)
    else:
        assert guarded.auth.users.remove("viewer")
    assert guarded.ask("GET", "/api/v1/me", headers=session).status == 401


def test_a_token_ends_by_its_time_and_with_its_user(guarded):
    users, now = guarded.auth.users, guarded.clock.wall()
    short, other = (
        users.make_token("viewer", "a", None, 1, now),
        users.make_token("viewer", "b", None, 9, now),
    )

    def status(token):
        return guarded.ask("GET", "/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status

    assert (status(short), status(other)) == (200, 200)
    guarded.clock.advance(86_401)
    assert (status(short), status(other)) == (401, 200)
    users.remove("viewer")
    assert status(other) == 401


@pytest.mark.parametrize(
    "value", [f"{COOKIE}=forged", f"{COOKIE}=", f"{COOKIE}={'a' * 5000}", "surveil=x", f"{COOKIE}=\xff"]
)
def test_a_forged_session_is_none(guarded, value):
    assert guarded.ask("GET", "/api/v1/me", headers={"Cookie": value}).status == 401


@pytest.mark.parametrize(
    "value", ["Bearer svt_forged", "Bearer svt_", "bearer svt_x", f"Bearer svt_{'a' * 5000}"]
)
def test_a_forged_token_is_none(guarded, value):
    answer = guarded.ask("GET", "/api/v1/me", headers={"Authorization": value})
    assert (answer.status, answer.code) == (401, "token")


def test_a_password_is_asked_for_ever_more_slowly(guarded):
    for _ in range(5):
        assert log_in(guarded, "admin", "wrong").status == 401
    answer = log_in(guarded, "admin")
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "limited", "1")
    guarded.clock.advance(1)
    assert log_in(guarded, "admin", "wrong").status == 401
    assert log_in(guarded, "admin").headers["retry-after"] == "2"
    guarded.clock.advance(2)
    assert log_in(guarded, "admin").status == 200
    assert log_in(guarded, "viewer").status == 200


def test_an_address_that_tries_many_accounts_is_slowed_down(guarded):
    for n in range(20):
        assert log_in(guarded, f"user-{n}", "wrong").status == 401
    assert log_in(guarded, "viewer").status == 429


def test_a_wrong_name_is_told_as_a_wrong_password_is(guarded):
    assert log_in(guarded, "nobody").body == log_in(guarded, "admin", "wrong").body


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_another_site_cannot_make_a_browser_change_anything(site, path, headers):
    answer = site.change("POST", path, {"user": "a", "password": "b"}, headers)
    assert (answer.status, answer.code) == (403, "cross_site")


def test_a_change_needs_the_token_of_the_session(site):
    answer = site.ask("POST", "/api/v1/logout")
    assert (answer.status, answer.code) == (403, "csrf")
    assert site.change("POST", "/logout").status == 204
    assert site.ask("POST", "/api/v1/logout", headers={"X-CSRF-Token": "\xff"}).status == 403


# Behind a proxy.


@pytest.mark.parametrize(
    ("headers", "status", "told"),
    [
        ({"Remote-User": "eve", "Remote-Groups": "chiefs"}, 401, "login"),
        ({"Remote-User": "eve", "Remote-Groups": "chiefs", "X-Surveil-Proxy": "wrong"}, 401, "login"),
        ({**SECRET, "Remote-User": "bob", "Remote-Groups": "staff, guards"}, 200, "operator"),
        ({**SECRET, "Remote-User": "bob", "Remote-Groups": "guards,chiefs"}, 200, "admin"),
        ({**SECRET, "Remote-User": "bob", "Remote-Groups": "staff"}, 403, "forbidden"),
        ({**SECRET, "Remote-User": "", "Remote-Groups": "chiefs"}, 401, "login"),
        ({**SECRET}, 401, "login"),
    ],
)
def test_a_proxy_is_believed_by_its_secret_and_never_by_a_bare_header(proxied, headers, status, told):
    answer = proxied.ask("GET", "/api/v1/me", headers=headers)
    assert answer.status == status
    assert (answer.json["role"] if status == 200 else answer.code) == told


def test_a_proxy_may_have_headers_of_its_own(tmp_path):
    named = 'secret: "0123456789abcdef", user_header: X-User, groups_header: X-Groups, secret_header: X-Proof'
    with Site(tmp_path, BEHIND.replace('secret: "0123456789abcdef"', named)) as site:
        told = {"X-Proof": "0123456789abcdef", "X-User": "bob", "X-Groups": "chiefs"}
        assert site.ask("GET", "/api/v1/me", headers=told).json["role"] == "admin"
        told = {**SECRET, "Remote-User": "bob", "Remote-Groups": "chiefs"}
        assert site.ask("GET", "/api/v1/me", headers=told).status == 401


def test_a_user_of_our_own_keeps_the_role_behind_a_proxy(proxied):
    proxied.auth.users.add("ada", PASSWORD, Role.VIEWER, ["yard"], 0)
    told = proxied.ask(
        "GET", "/api/v1/me", headers={**SECRET, "Remote-User": "ada", "Remote-Groups": "chiefs"}
    ).json
    assert (told["role"], told["cameras"]) == ("viewer", ["yard"])


def test_a_change_behind_a_proxy_needs_the_token_too(proxied):
    headers = {**SECRET, "Remote-User": "bob", "Remote-Groups": "chiefs"}
    assert proxied.ask("POST", "/api/v1/logout", headers=headers).status == 403
    csrf = proxied.ask("GET", "/api/v1/me", headers=headers).json["csrf"]
    assert proxied.ask("POST", "/api/v1/logout", headers={**headers, "X-CSRF-Token": csrf}).status == 204


def test_attempts_are_counted_by_the_address_that_a_trusted_proxy_names(proxied):
    proxied.auth.users.add("admin", PASSWORD, Role.ADMIN, None, 0)
    for n in range(20):
        log_in(proxied, f"user-{n}", "wrong", **SECRET, **{"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
    assert log_in(proxied, "admin", **SECRET, **{"X-Forwarded-For": "198.51.100.7"}).status == 429
    assert log_in(proxied, "admin", **SECRET, **{"X-Forwarded-For": "198.51.100.8"}).status == 200
    # From whom it is not believed, it names nobody.
    assert log_in(proxied, "admin", **{"X-Forwarded-For": "198.51.100.7"}).status == 200


def test_with_a_host_name_of_its_own_a_console_on_loopback_is_not_open(tmp_path):
    with Site(tmp_path, CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", hosts: [cams.example]')) as site:
        answer = site.get("/me")
        assert (answer.status, answer.code) == (401, "first_visit")


# The first visit.


def test_the_first_visitor_from_elsewhere_needs_the_code_of_the_log(tmp_path):
    config = BEHIND.replace("proxy:", "hosts: [cams.example], proxy:")
    with capture_logs() as lines, Site(tmp_path, config) as site:
        code = site.auth.first_visit.code
        assert [line["code"] for line in lines if "code" in line] == [code]

        def visit(code):
            body = {"code": code, "user": "ada", "password": PASSWORD}
            return site.ask("POST", "/api/v1/first-visit", body)

        assert visit("0" * 16).code == "code"
        answer = visit(code.upper())
        assert answer.status == 200
        assert site.ask("GET", "/api/v1/me", headers=cookie(answer)).json["role"] == "admin"
        assert visit(code).status == 409


@pytest.mark.parametrize("password", ["short", "a" * 20, "ada ada 1234", "x" * 2000])
def test_a_weak_password_is_refused(tmp_path, password):
    with Site(tmp_path, BEHIND) as site:
        body = {"code": site.auth.first_visit.code, "user": "ada", "password": password}
        answer = site.ask("POST", "/api/v1/first-visit", body)
        assert answer.status == 422
        assert password.encode() not in answer.body
        assert not site.auth.users.any()


def test_of_two_first_visits_at_once_one_is_the_first(tmp_path):
    """A password takes its time to be hashed, in which another visitor may come."""
    users = Users(ConsoleDb(tmp_path), Passwords(ScryptCost(log_n=14)))
    both = threading.Barrier(2)

    def visit(name):
        both.wait()
        return users.add_first(name, PASSWORD, 0.0)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(visit, ["ada", "bob"])) == [False, True]
    assert len(users.all()) == 1


def test_a_first_visit_is_in_the_audit_log_as_it_ended(tmp_path):
    with Site(tmp_path, BEHIND) as site:
        body = {"code": site.auth.first_visit.code, "user": "ada", "password": PASSWORD}
        for changes in ({"code": "0" * 16}, {"password": "short"}, {}):
            session = site.ask("POST", "/api/v1/first-visit", {**body, **changes})
        site.clock.advance(60)
        entries = site.ask("GET", "/api/v1/audit", headers=cookie(session)).json["entries"]
    assert [(one["user"], one["action"], one["status"]) for one in reversed(entries)] == [
        ("unknown", "first_visit", 401), ("ada", "first_visit", 422), ("ada", "first_visit", 200),
    ]  # fmt: skip


# A damaged database.


def warnings_of_check(site):
    _, told = surveil("check", "--json", "-c", site.config_file)
    return " ".join(json.loads(told)["warnings"])


def test_a_console_whose_users_were_lost_is_closed_until_one_is_added(tmp_path):
    """What was set aside may be moved away, and the daemon started again: neither opens it."""
    before = damage.counts()[Damaged.CONSOLE]
    with Site(tmp_path) as site:
        site.auth.users.add("ada", PASSWORD, Role.ADMIN, None, site.clock.wall())
    (site.folder / "console.db").write_bytes(b"damaged" * 1000)
    with capture_logs() as lines, Site(tmp_path) as site:
        (moved,) = site.folder.glob("console.db.damaged-*")
        assert damage.counts()[Damaged.CONSOLE] == before + 1
        assert any(moved.name in line.get("what", "") and "users add" in line["what"] for line in lines)
        moved.unlink()
    with Site(tmp_path) as site:
        answer = site.get("/cameras")
        assert (answer.status, answer.code) == (401, "first_visit")
        assert "damaged" in answer.json["error"]["message"]
        assert "surveil users add" in warnings_of_check(site)
        site.auth.users.add("ada", PASSWORD, Role.ADMIN, None, site.clock.wall())
        assert site.get("/cameras").code == "login"
        assert "surveil users add" not in warnings_of_check(site)
        site.auth.users.remove("ada")
        assert site.get("/cameras").status == 200


# The audit log.


def test_looks_and_changes_are_in_the_audit_log_and_lists_are_not(guarded):
    event = guarded.happens(0, evidence={"snapshot": guarded.store("gate/a.jpg", b"x")})
    session = cookie(log_in(guarded, "viewer"))
    guarded.ask("GET", "/api/v1/events", headers=session)
    guarded.ask("GET", f"/api/v1/events/{event}/picture.jpg", headers=session)
    log_in(guarded, "viewer", "wrong")
    lines = guarded.ask("GET", "/api/v1/audit", headers=cookie(log_in(guarded, "admin"))).json["entries"]
    told = [(one["user"], one["action"], one["subject"], one["status"]) for one in reversed(lines)]
    assert told == [
        ("viewer", "login", "", 200),
        ("viewer", "picture", f"/events/{event}/picture.jpg", 200),
        ("viewer", "login", "", 401),
        ("admin", "login", "", 200),
    ]


@pytest.mark.parametrize("part", ["bytes=1-", "bytes=-1", "bytes=00-", "x"])
def test_no_look_is_hidden_from_the_audit_log_by_asking_for_a_part(guarded, part):
    event = guarded.happens(0, evidence={"snapshot": guarded.store("gate/a.jpg", b"0123")})
    session = cookie(log_in(guarded, "viewer"))
    before = len(guarded.auth.audit.page(None, 9))
    guarded.ask("GET", f"/api/v1/events/{event}/picture.jpg", headers={**session, "Range": part})
    guarded.ask("GET", "/api/v1/cameras/gate/snapshot.jpg", headers={**session, "Range": part})
    assert len(guarded.auth.audit.page(None, 9)) == before + 2


def test_the_parts_of_one_look_are_one_entry_of_the_audit_log(guarded):
    event = guarded.happens(0, evidence={"snapshot": guarded.store("gate/a.jpg", b"0123")})
    session = cookie(log_in(guarded, "viewer"))

    def entries(*parts):
        before = len(guarded.auth.audit.page(None, 9))
        for part in parts:
            guarded.ask("GET", f"/api/v1/events/{event}/picture.jpg", headers={**session, "Range": part})
        return len(guarded.auth.audit.page(None, 9)) - before

    assert entries("bytes=0-", "bytes=1-", "bytes=2-3") == 1
    assert entries("bytes=0-") == 1
    guarded.clock.advance(3600)
    assert entries("bytes=1-") == 1


def test_who_only_reaches_the_port_cannot_fill_the_disk_with_the_audit_log(guarded, monkeypatch):
    monkeypatch.setattr("surveil.console.auth.audit.STRANGERS", 20)

    def knock():
        guarded.auth.audit.note(
            user="", origin="nobody", address="192.0.2.9", action="switch", subject="/arming", status=401
        )

    for _ in range(25):
        knock()
    assert len(guarded.auth.audit.page(None, 99)) == 20
    assert guarded.ask("POST", "/api/v1/arming", {"armed": False}).status == 401
    assert log_in(guarded, "viewer").status == 200
    assert [entry.action for _, entry in guarded.auth.audit.page(None, 2)] == ["login", "switch"]
    guarded.clock.advance(3600)
    assert guarded.ask("POST", "/api/v1/arming", {"armed": False}).status == 401
    assert guarded.auth.audit.page(None, 1)[0][1].action == "switch"


def test_who_was_refused_is_in_the_audit_log(guarded):
    session = cookie(log_in(guarded, "viewer"))
    csrf = guarded.ask("GET", "/api/v1/me", headers=session).json["csrf"]
    for token, code in (("", "csrf"), (csrf, "forbidden")):
        headers = {**session, "X-CSRF-Token": token}
        assert guarded.ask("POST", "/api/v1/arming", {"armed": False}, headers).code == code
        _, entry = guarded.auth.audit.page(None, 1)[0]
        assert (entry.user, entry.origin, entry.action, entry.status) == ("viewer", "session", "switch", 403)


def test_the_audit_log_is_paged_and_forgets_by_its_own_retention(guarded):
    session = cookie(log_in(guarded, "admin"))
    for _ in range(4):
        log_in(guarded, "viewer")
    first = guarded.ask("GET", "/api/v1/audit", headers=session, limit=3).json
    second = guarded.ask("GET", "/api/v1/audit", headers=session, limit=3, before=first["next"]).json
    assert [one["n"] for one in first["entries"] + second["entries"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    guarded.clock.advance(366 * 86_400)
    session = cookie(log_in(guarded, "admin"))
    assert [one["n"] for one in guarded.ask("GET", "/api/v1/audit", headers=session).json["entries"]] == [6]


@pytest.mark.parametrize(("days", "kept"), [(1, 1), (30, 2)])
def test_the_audit_log_is_kept_for_as_long_as_told(tmp_path, days, kept):
    with Site(
        tmp_path, CONFIG.replace('listen: "127.0.0.1:0"', f'listen: "127.0.0.1:0", audit_days: {days}')
    ) as site:
        for _ in range(2):
            site.auth.audit.note(
                user="ada", origin="login", address="::1", action="look", subject="/events/x", status=200
            )
            site.clock.advance(2 * 24 * 3600.0)
        assert len(site.auth.audit.page(None, 9)) == kept
