"""Cameras that are set up in the console: kept apart from the file and from their passwords, applied, and adopted."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from surveil.config import load
from surveil.config.draft import draft_file
from surveil.config.logins import folder_of
from surveil.errors import StateError
from tests.commands import refused, surveil
from tests.console.site import CONFIG, Site
from tests.optional import package
from tests.users import no_root

PASSWORD = "s3kret/ü@1:2"
CAMERA = {"id": "barn", "title": "The barn", "url": "rtsp://192.0.2.9/1", "user": "ada", "password": PASSWORD}
WHOLE = "rtsp://ada:s3kret%2F%C3%BC%401%3A2@192.0.2.9/1"


def added(site, **changes):
    return site.change("POST", "/cameras", CAMERA | changes)


def changed(site, camera="barn", method="PUT", body=None, etag=None):
    etag = etag or site.get(f"/cameras/{camera}/setup").json["etag"]
    return site.change(method, f"/cameras/{camera}", body, {"If-Match": etag})


def logins(site):
    return sorted(folder_of(site.folder).glob("*"))


def told(site):
    """Everything that is told or written, but the login's own file."""
    texts = [draft_file(site.folder).read_text()]
    for path in ("/cameras", "/cameras/barn/setup", "/cameras/barn/shapes", "/audit", "/me"):
        texts.append(site.get(path).body.decode())
    return "\n".join(texts)


def test_a_camera_is_added_and_applied_and_its_password_is_in_a_file_of_its_own(site):
    before = site.config_file.read_bytes()
    answer = added(site)
    assert (answer.status, answer.json["applied"]) == (200, True)
    assert site.daemon.config.cameras["barn"].url == WHOLE
    assert site.config_file.read_bytes() == before
    [file] = logins(site)
    assert (file.read_text(), file.stat().st_mode & 0o777) == (PASSWORD, 0o600)
    assert site.get("/cameras/barn/setup").json | {"etag": ""} == {
        "id": "barn", "title": "The barn", "enabled": True, "url": "rtsp://***@192.0.2.9/1", "record_url": "",
        "origin": "console", "etag": "",
    }  # fmt: skip
    for spelling in (PASSWORD, "s3kret"):
        assert spelling not in told(site) + answer.body.decode()


@pytest.mark.parametrize(
    "url", ["http://192.0.2.9/s.jpg?pwd=hunter22x", "rtsp://t0ken22x@192.0.2.9/1", "rtsp://192.0.2.9/user=ada_password=hunter22x"]
)  # fmt: skip
def test_an_address_with_a_secret_elsewhere_is_secret_as_a_whole(site, url):
    assert added(site, url=url, user="", password="").status == 200
    assert site.daemon.config.cameras["barn"].url == url
    assert "22x" not in told(site)
    assert [file.read_text() for file in logins(site)] == [url]


def test_of_two_streams_both_are_kept(site):
    assert added(site, record_url="rtsp://192.0.2.9/2").status == 200
    camera = site.daemon.config.cameras["barn"]
    assert (camera.url, camera.record_url) == (WHOLE, WHOLE[:-1] + "2")
    assert len(logins(site)) == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "without file://"), ("/etc/passwd", "no address of a camera"),
        ("clip.mp4", "no address of a camera"), ("concat:a|b", "no address of a camera"),
        ("rtsp://192.0.2.9/${file:/etc/passwd}", "secret of this machine"), ("rtsp://", "no host"),
        ("ftp://192.0.2.9/1", "unsupported scheme"), ("RTSP://192.0.2.9/1", "small letters"),
        ("rtsp://ada:x@192.0.2.9/1", "login already"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/cameras", "/probe"])
def test_an_address_that_is_no_cameras_is_refused(site, path, url, words):
    body = {key: CAMERA[key] for key in ("user", "password")} | {"url": url}
    answer = site.change("POST", path, body | ({"id": "barn"} if path == "/cameras" else {}))
    assert (answer.status, answer.json["error"]["fields"][0]["path"]) == (422, "url")
    assert words in answer.json["error"]["message"]
    assert not draft_file(site.folder).exists()
    assert not logins(site)


@pytest.mark.parametrize("name", ["yard", "gate"])
def test_a_name_that_is_taken_is_refused(site, name):
    answer = added(site, id=name)
    assert (answer.status, answer.code) == (409, "exists")
    assert not logins(site)


@pytest.mark.parametrize("name", ["a b", "../x", "", "a" * 64])
def test_a_name_that_cannot_be_is_refused_and_leaves_nothing(site, name):
    assert added(site, id=name).status == 422
    assert not logins(site)
    assert not draft_file(site.folder).exists()


def test_another_password_takes_the_place_of_the_first(site):
    added(site)
    body = {"url": "rtsp://192.0.2.9/1", "user": "ada", "password": "other-pass"}
    assert changed(site, body=body).status == 200
    assert [file.read_text() for file in logins(site)] == ["other-pass"]
    assert site.daemon.config.cameras["barn"].url == "rtsp://ada:other-pass@192.0.2.9/1"


def test_a_change_that_is_refused_leaves_the_password_in_use(site):
    added(site)
    assert (
        changed(site, body={"url": "rtsp://192.0.2.9/1", "user": "a", "password": "b"}, etag="old").status
        == 412
    )
    assert [file.read_text() for file in logins(site)] == [PASSWORD]
    assert site.daemon.reload() == ""
    assert site.daemon.config.cameras["barn"].url == WHOLE


def test_a_title_is_changed_and_the_address_stays(site):
    added(site)
    assert changed(site, body={"title": "Shed", "enabled": False}).status == 200
    camera = site.daemon.config.cameras["barn"]
    assert (camera.titles.camera, camera.enabled, camera.url) == ("Shed", False, WHOLE)


@pytest.mark.parametrize(
    "title", ["1e3", "0o17", "12E5", "-3", "0x1F", ".5", "1_000", "true", "~", "12:30", "2024-01-01", "<<", "a: b"]
)  # fmt: skip
def test_a_title_that_looks_like_something_else_is_a_title(site, title):
    added(site)
    assert changed(site, body={"title": title}).status == 200
    assert site.daemon.config.cameras["barn"].titles.camera == title


def test_a_title_refers_to_no_secret(site):
    answer = added(site, title="${file:/etc/hostname}")
    assert (answer.status, answer.json["error"]["remedy"]) == (422, "set it in the configuration file")
    assert not logins(site)
    assert "barn" not in site.daemon.config.cameras


def test_a_camera_of_the_file_is_changed_removed_and_restored(site):
    assert changed(site, "yard", body={"url": "rtsp://192.0.2.8/1"}).status == 200
    assert site.daemon.config.cameras["yard"].url == "rtsp://192.0.2.8/1"
    assert site.get("/cameras/yard/setup").json["origin"] == "changed"
    assert changed(site, "yard", "DELETE").status == 200
    assert list(site.daemon.config.cameras) == ["gate"]
    assert site.get("/cameras").json["removed"] == ["yard"]
    assert load(site.config_file, {}).drawn == ("cameras.yard",)
    assert site.change("POST", "/cameras/yard/restore").status == 200
    assert site.daemon.config.cameras["yard"].url == "rtsp://user:sekret-1@192.0.2.1/1"
    assert site.get("/cameras/yard/setup").json["origin"] == "file"


def test_one_address_takes_the_place_of_two_streams(tmp_path):
    streams = "streams: {{detect: rtsp://192.0.2.2/1, record: rtsp://192.0.2.2/2}}"
    with Site(tmp_path, CONFIG.replace("url: rtsp://192.0.2.2/1", streams)) as site:
        assert changed(site, "gate", body={"url": "rtsp://192.0.2.3/1"}).status == 200
        assert site.daemon.config.cameras["gate"].record is None


def test_a_camera_of_the_draft_is_removed_with_its_password_and_its_zones(site):
    added(site)
    etag = site.get("/cameras/barn/shapes").json["etag"]
    body = {"zones": {"pond": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8]]}}
    assert site.change("PUT", "/cameras/barn/shapes", body, {"If-Match": etag}).status == 200
    assert list(site.daemon.config.cameras["barn"].zones) == ["pond"]
    assert changed(site, method="DELETE").status == 200
    assert "barn" not in site.daemon.config.cameras
    assert not logins(site)
    assert site.change("POST", "/cameras/barn/restore").status == 404


def test_a_state_directory_that_cannot_be_written_is_told_and_nothing_is_left(site):
    (site.folder / "console" / ".draft.yaml.tmp").mkdir(parents=True, exist_ok=True)  # in the way
    answer = added(site)
    assert (answer.status, answer.code) == (503, "state")
    assert "barn" not in site.daemon.config.cameras
    assert not logins(site)


def test_check_says_what_is_of_the_console(site):
    added(site)
    changed(site, "gate", "DELETE")
    code, output = surveil("check", "-c", site.config_file)
    assert code == 0
    assert "cameras.barn.url: from the console" in output
    assert "cameras.gate: removed in the console" in output


def test_adopting_moves_cameras_and_passwords_into_the_file_and_its_folder(site):
    package("ruamel.yaml")
    added(site)
    changed(site, "gate", "DELETE")
    site.config_file.chmod(0o644)
    before = load(site.config_file, {})
    code, output = surveil("config", "adopt", "-c", site.config_file)
    assert code == 0
    assert not draft_file(site.folder).exists()
    assert not logins(site)
    [file] = (site.config_file.parent / "passwords").iterdir()
    assert (file.read_text(), file.stat().st_mode & 0o777) == (PASSWORD, 0o640)
    assert f"{file} has a password" in output
    text = site.config_file.read_text()
    assert f"${{file:passwords/{file.name}}}" in text
    assert PASSWORD not in text
    after = load(site.config_file, {})
    assert after.drawn == ()
    assert dict(after.cameras) == dict(before.cameras)


NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more rights than the daemon")


@pytest.fixture
def planted(site):
    """A draft with a login, in a state directory of another user, and a file that is root's alone."""
    added(site)
    treasure = site.config_file.parent / "treasure"
    treasure.mkdir(mode=0o700)
    [file] = logins(site)
    (treasure / file.name).write_text("root-only")
    (treasure / file.name).chmod(0o600)
    for path in (site.folder, *site.folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return treasure / file.name


@as_root
@pytest.mark.parametrize("how", ["file", "folder"])
def test_adopting_as_root_follows_no_link_that_a_daemon_may_have_left(site, planted, how):
    [file] = logins(site)
    file.unlink()
    if how == "file":
        file.symlink_to(planted)
    else:
        file.parent.rmdir()
        file.parent.symlink_to(planted.parent)
    assert "cannot be read" in refused(StateError, "config", "adopt", "-c", site.config_file)
    assert planted.read_text() == "root-only"
    assert not (site.config_file.parent / "passwords").exists()


@as_root
def test_adopting_as_root_takes_what_is_another_users(site, planted):
    assert surveil("config", "adopt", "-c", site.config_file)[0] == 0
    assert [file.read_text() for file in (site.config_file.parent / "passwords").iterdir()] == [PASSWORD]
    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert not draft_file(site.folder).exists()


def test_a_user_of_some_cameras_sets_up_no_others(site):
    from surveil.console.access import Role

    site.auth.users.add("ada", "correct horse 7", Role.ADMIN, ["yard"], 0)
    login = site.ask("POST", "/api/v1/login", {"user": "ada", "password": "correct horse 7"})
    session = {"Cookie": login.headers["set-cookie"].partition(";")[0]}
    session["X-CSRF-Token"] = site.ask("GET", "/api/v1/me", headers=session).json["csrf"]
    asks = [
        ("POST", "/cameras", CAMERA),
        ("POST", "/cameras/gate/restore", None),
        ("POST", "/probe", {"camera": "gate"}),
    ]
    for method, path, body in asks:
        assert site.ask(method, f"/api/v1{path}", body, session).status == 403


@pytest.mark.parametrize("text", ["cameras: [", "cameras: 7", "- 1"])
def test_a_damaged_draft_is_not_written_over_and_its_passwords_stay(site, text):
    added(site)
    draft_file(site.folder).write_text(text)
    answer = added(site, id="shed")
    assert (answer.status, answer.code) == (422, "configuration")
    assert "correct the draft of the console, or delete it" in answer.json["error"]["message"]
    assert draft_file(site.folder).read_text() == text
    assert len(logins(site)) == 1


def test_a_login_stays_where_only_the_end_of_saving_has_failed():
    with TemporaryDirectory() as name, Site(Path(name)) as site:
        added(site)
        for path in (Path(name), site.folder, *site.folder.rglob("*")) if os.geteuid() == 0 else ():
            os.chown(path, NOBODY, NOBODY)
        # What is renamed in it is there, and the folder cannot be opened to be synced.
        console = site.folder / "console"
        console.chmod(0o300)
        with no_root():
            answer = changed(site, body={"url": "rtsp://ada:another-7@192.0.2.9/1"})
        console.chmod(0o755)
        assert answer.status == 503
        assert load(site.config_file, {}).cameras["barn"].url == "rtsp://ada:another-7@192.0.2.9/1"
