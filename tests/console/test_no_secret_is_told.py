"""Secrets of every shape, in the addresses of cameras that fail: nothing of them is told by the console of a daemon."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from surveil.config import load
from surveil.console.access import Role
from surveil.console.routes import API, TABLE
from surveil.errors import ConfigError
from tests.console.test_access import log_in
from tests.integration.world import Process, wait_for
from tests.test_planted_secrets import SHAPES, A, B, assert_silent

PLAIN_WORD = f"{A}{B}".lower()
"""A key that looks like a word of the path: that it is secret only the configuration knows."""


@pytest.fixture
def refused():
    """Addresses that no configuration takes; filled by `written`."""
    return []


@pytest.fixture
def written(tmp_path, refused):
    """Write a configuration of cameras with all shapes that a configuration takes."""
    path, cameras = tmp_path / "config.yaml", {}
    top = {
        "version": 1,
        "state_dir": str(tmp_path / "state"),
        "http": {"listen": "127.0.0.1:0", "console": True},
    }
    for n, (url, _) in enumerate(SHAPES):
        camera = {"url": url.replace("192.0.2.7:554", "127.0.0.1:9").replace("192.0.2.7", "127.0.0.1:9")}
        path.write_text(json.dumps({**top, "cameras": {"one": camera}}))
        try:
            load(path, {})
        except ConfigError:
            refused.append(camera["url"])
            continue
        cameras[f"camera{n}"] = camera
    cameras["word"] = {"url": "rtsp://127.0.0.1:9/live/${env:WORD}"}
    cameras["in_path"] = {"url": "http://127.0.0.1:9/${env:WORD}/video"}
    path.write_text(json.dumps({**top, "cameras": cameras, "log": {"format": "json", "level": "debug"}}))
    return path


def post(daemon, path, body):
    """Make a changing request; return the text of the answer."""
    csrf = json.loads(daemon.get(f"{API}/me")[1])["csrf"]
    headers = {"X-CSRF-Token": csrf, "Content-Type": "application/json"}
    url = f"{daemon.pages()}{API}{path}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(body).encode(), headers)
        ) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


@pytest.mark.rig
@pytest.mark.slow
def test_no_answer_of_the_api_and_no_file_of_the_console_has_a_secret(written, refused, tmp_path):
    with Process(written, WORD=PLAIN_WORD) as daemon:

        def cameras():
            found = json.loads(daemon.get(f"{API}/cameras")[1])["cameras"]
            return found if all(one["state"] == "lost" for one in found) else None

        names = [one["id"] for one in wait_for(cameras, 60)]
        assert len(names) > 40
        pages = {API + one.path for one in TABLE if not one.changes and "{" not in one.path} - {f"{API}/live"}
        of_cameras = [
            f"{API}/cameras/{name}/{page}" for name in names for page in ("shapes", "setup", "health")
        ]
        for page in [*pages, *of_cameras, "/readyz", "/status"]:
            status, text = daemon.get(page)
            assert status != 500, page
            assert_silent(text)
        assert len(refused) > 10
        for url in refused[::4]:
            assert_silent(post(daemon, "/cameras", {"id": "one-more", "url": url}))
            assert_silent(post(daemon, "/probe", {"url": url}))
        daemon.end()
    assert_silent(daemon.log.read_text())
    for path in (tmp_path / "state").rglob("*"):
        assert_silent(path.read_bytes().decode("latin-1") if path.is_file() else "")


def test_an_address_that_is_entered_is_in_a_file_of_its_own_and_nowhere_else(site):
    """Of every shape that is taken, and of every one that is refused."""
    taken = 0
    for n, (url, _) in enumerate(SHAPES):
        answer = site.change("POST", "/cameras", {"id": f"camera{n}", "url": url})
        assert answer.status in {200, 422}, answer.body
        taken += answer.status == 200
        assert_silent(answer.body.decode())
        if answer.status == 200:
            assert_silent(site.get(f"/cameras/camera{n}/setup").body.decode())
            # Each by itself: reading all of them for every change would take long.
            etag = site.get(f"/cameras/camera{n}/setup").json["etag"]
            assert_silent((site.folder / "console" / "draft.yaml").read_text())
            site.change("DELETE", f"/cameras/camera{n}", headers={"If-Match": etag})
    assert taken > 40


def test_a_draft_that_is_refused_is_told_without_the_secrets_of_the_file(site):
    mistake = {
        "zones": {"lawn": [["sekret-1", 0.1], [0.9, 0.1], [0.9, 0.9]]},
        "lines": {},
        "masks": [],
        "rules": [],
    }
    etag = site.get("/cameras/yard/shapes").json["etag"]
    answer = site.change("PUT", "/cameras/yard/shapes", mistake, {"If-Match": etag})
    assert answer.status == 422
    assert b"sekret-1" not in answer.body


def test_a_password_that_was_typed_as_a_name_is_not_kept(site):
    password = "correct horse 7"
    site.auth.users.add("ada", password, Role.ADMIN, None, 0)
    for name, given in ((password, ""), ("ada", "wrong"), ("ada", password)):
        log_in(site, name, given)
    told = [(one.user, one.status) for _, one in site.auth.audit.page(None, 9)]
    assert told == [("ada", 200), ("ada", 401), ("unknown", 401)]
    for path in site.folder.rglob("*"):
        assert password.encode() not in (path.read_bytes() if path.is_file() else b"")
