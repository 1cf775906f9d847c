"""What is drawn: checked, kept apart from the file, applied, and safe against two editors."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest

from surveil.config import load
from surveil.config.draft import draft_file
from surveil.console.drafts import Drafts
from surveil.console.drawnon import DrawnOn
from surveil.errors import ConfigError, StateError
from tests.commands import refused, surveil
from tests.console.site import CONFIG, Site
from tests.optional import package
from tests.users import NOBODY, no_root

SQUARE = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
BOW = [[0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]]
RULE = {"type": "intrusion", "zone": "pond"}


def drawn(site, etag=None, camera="gate", **body):
    headers = {"If-Match": etag or site.get(f"/cameras/{camera}/shapes").json["etag"]}
    return site.change("PUT", f"/cameras/{camera}/shapes", body, headers)


def test_a_zone_with_its_rule_is_kept_apart_from_the_file_and_applied(site):
    before = site.config_file.read_bytes()
    answer = drawn(site, zones={"pond": SQUARE}, rules=[RULE])
    assert (answer.status, answer.json["applied"]) == (200, True)
    assert list(site.daemon.config.cameras["gate"].zones) == ["pond"]
    assert site.config_file.read_bytes() == before
    told = site.get("/cameras/gate/shapes").json
    assert (told["zones"], told["rules"], told["draft"]) == ({"pond": SQUARE}, [RULE], True)
    assert told["origins"] == {"zones": "console", "lines": "file", "masks": "file", "rules": "console"}
    assert load(site.config_file, {}).drawn == ("cameras.gate.zones", "cameras.gate.rules")
    assert draft_file(site.folder).stat().st_mode & 0o777 == 0o640


def test_a_draft_that_says_what_the_file_says_is_none(site):
    told = site.get("/cameras/yard/shapes").json
    body = {key: told[key] for key in ("zones", "lines", "masks", "rules")}
    assert drawn(site, camera="yard", **body).status == 200
    assert load(site.config_file, {}).drawn == ()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"zones": {"pond": BOW}}, "cameras.gate.zones.pond"),
        ({"zones": {"pond": SQUARE[:2]}}, "cameras.gate.zones.pond"),
        ({"zones": {"a b": SQUARE}}, "cameras.gate.zones.a b"),
        ({"rules": [RULE]}, "cameras.gate.rules[0].zone"),
        ({"rules": [{"type": "unicorn"}]}, "cameras.gate.rules[0].type"),
        ({"lines": {"door": [[0.1, 0.1], [9, 9]]}}, "cameras.gate.lines.door[1][0]"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_nothing_is_kept(site, body, path):
    answer = drawn(site, **body)
    assert (answer.status, answer.code) == (422, "configuration")
    assert path in [field["path"] for field in answer.json["error"]["fields"]]
    assert not draft_file(site.folder).exists()


@pytest.mark.parametrize("body", [{"url": "rtsp://evil"}, {"zones": []}, {"rules": {}}, {"zones": 7}])
def test_only_shapes_and_rules_can_be_drawn(site, body):
    assert drawn(site, **body).status == 422


def test_shapes_that_were_drawn_on_a_picture_of_another_size_may_be_in_the_wrong_place(site):
    def may_be():
        return site.get("/cameras/gate/shapes").json["view_changed"]

    drawn(site, zones={"pond": SQUARE})
    assert not may_be()
    site.daemon.size = (1280, 720)
    assert may_be()
    site.daemon.size = (0, 0)
    assert not may_be(), "of no picture nothing is known"
    site.daemon.size = (1280, 720)
    drawn(site, zones={"pond": SQUARE})
    assert not may_be(), "whoever saves has looked"


@pytest.mark.parametrize("path", ["/cameras/gate/shapes", "/cameras/gate/restore", "/cameras/gate"])
def test_shapes_of_the_file_were_drawn_on_no_picture_that_is_known(site, path):
    etag = drawn(site, zones={"pond": SQUARE}).json["etag"]
    site.daemon.size = (1280, 720)
    method = "POST" if path.endswith("restore") else "DELETE"
    assert site.change(method, path, headers={"If-Match": etag}).status == 200
    if path == "/cameras/gate":
        site.change("POST", "/cameras/gate/restore")
    assert not site.get("/cameras/gate/shapes").json["view_changed"]


def test_sizes_that_are_noted_at_the_same_time_are_all_kept(tmp_path):
    sizes, cameras = DrawnOn(tmp_path), [f"camera-{n}" for n in range(24)]
    with ThreadPoolExecutor(len(cameras)) as pool:
        list(pool.map(lambda camera: sizes.note(camera, (640, 360), cameras), cameras))
    assert [camera for camera in cameras if not sizes.is_other(camera, (1, 1))] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"gate": 1}', '{"gate": ["a", 2]}', '{"gate": [1, 2, 3]}'])
def test_a_damaged_note_of_sizes_is_in_nobodys_way(site, text):
    (site.folder / "console").mkdir(exist_ok=True)
    (site.folder / "console" / "drawn_on.json").write_text(text)
    assert not site.get("/cameras/gate/shapes").json["view_changed"]
    assert drawn(site, zones={"pond": SQUARE}).status == 200


def test_of_two_editors_the_second_is_told(site):
    etag = site.get("/cameras/gate/shapes").json["etag"]
    assert drawn(site, etag, zones={"pond": SQUARE}).status == 200
    answer = drawn(site, etag, zones={"lawn": SQUARE})
    assert (answer.status, answer.code) == (412, "conflict")
    assert list(site.daemon.config.cameras["gate"].zones) == ["pond"]


def test_what_was_written_into_the_file_meanwhile_is_not_overwritten_before_it_is_read_again(site):
    told = site.get("/cameras/yard/shapes").json
    setup = site.get("/cameras/yard/setup").json["etag"]
    site.config_file.write_text(site.config_file.read_text().replace("[0.1, 0.1], [0.9", "[0.0, 0.1], [0.9"))
    body = {key: told[key] for key in ("zones", "lines", "masks", "rules")}
    answer = drawn(site, told["etag"], camera="yard", **body)
    assert (answer.status, answer.code) == (412, "conflict")
    assert site.change("PUT", "/cameras/yard", {"title": "x"}, {"If-Match": setup}).status == 412
    assert site.get("/cameras/yard/shapes").json["zones"]["lawn"][0] == [0.0, 0.1]
    assert load(site.config_file, {}).drawn == ()


class Interrupted:
    """A daemon of which somebody else changes the draft at the n-th look at its configuration."""

    def __init__(self, daemon, n, change):
        self._daemon, self._left, self._change = daemon, n, change

    @property
    def config(self):
        self._left -= 1
        if self._left == 0:
            self._change()
        return self._daemon.config


@pytest.mark.parametrize("n", range(1, 8))
def test_what_is_read_while_somebody_saves_does_not_have_the_name_of_what_was_saved(site, n):
    theirs = Drafts(site.daemon)

    def save():
        shown = theirs.shapes("gate")
        theirs.change("gate", {**shown.sections, "zones": {"pond": SQUARE}}, shown.etag)

    read = Drafts(Interrupted(site.daemon, n, save)).shapes("gate")
    now = theirs.shapes("gate")
    assert read.sections == now.sections or read.etag != now.etag


def test_without_an_etag_nothing_is_overwritten(site):
    assert site.change("PUT", "/cameras/gate/shapes", {"zones": {"pond": SQUARE}}).status == 412


def test_a_draft_can_be_dropped(site):
    etag = drawn(site, zones={"pond": SQUARE}).json["etag"]
    assert site.change("DELETE", "/cameras/gate/shapes", headers={"If-Match": etag}).status == 200
    assert not site.daemon.config.cameras["gate"].zones
    assert load(site.config_file, {}).drawn == ()


def test_what_was_drawn_on_a_camera_that_is_gone_is_left_out(site):
    drawn(site, zones={"pond": SQUARE})
    text = site.config_file.read_text()
    site.config_file.write_text(text[: text.index("  gate:")])
    config = load(site.config_file, {})
    assert (list(config.cameras), config.drawn) == (["yard"], ())


def test_a_draft_that_no_longer_fits_the_file_is_named_with_its_own_file(site):
    drawn(site, zones={"pond": SQUARE}, rules=[RULE])
    file = draft_file(site.folder)
    file.write_text(file.read_text().replace("zone: pond", "zone: lake"))
    with pytest.raises(ConfigError) as error:
        load(site.config_file, {})
    assert str(error.value).startswith(f"{file}:")


@pytest.mark.parametrize(
    "text", ["cameras: [", "\x00", "cameras: {gate: {zones: 1}}", "cameras: 7", "- 1", ""]
)
def test_a_damaged_draft_is_told_and_never_a_bug(site, text):
    drawn(site, zones={"pond": SQUARE})
    draft_file(site.folder).write_text(text)
    with suppress(ConfigError):  # any other exception than this fails
        assert not load(site.config_file, {}).drawn
    assert site.get("/cameras/gate/shapes").status in {200, 422}
    assert draft_file(site.folder).read_text() == text


def test_without_the_console_a_draft_is_not_looked_at(site):
    drawn(site, zones={"pond": SQUARE})
    site.config_file.write_text(site.config_file.read_text().replace("console: true", "console: false"))
    assert load(site.config_file, {}).drawn == ()


def test_a_state_directory_that_cannot_be_written_is_told_and_nothing_changes(tmp_path):
    with Site(tmp_path) as site:
        (site.folder / "console" / ".draft.yaml.tmp").mkdir(parents=True, exist_ok=True)  # in the way
        answer = drawn(site, zones={"pond": SQUARE})
        assert (answer.status, answer.code) == (503, "state")
        assert not site.daemon.config.cameras["gate"].zones


def test_a_draft_that_cannot_be_removed_after_it_was_adopted_is_told_with_the_remedy():
    package("ruamel.yaml")
    # A folder of their own: the tests' own folders are closed to others from the top.
    with TemporaryDirectory() as name, Site(Path(name)) as site:
        drawn(site, zones={"pond": SQUARE}, rules=[RULE])
        draft = draft_file(site.folder)
        draft.chmod(0o644)
        draft.parent.chmod(0o555)
        Path(name).chmod(0o777)
        site.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(site.config_file, NOBODY, os.getegid())
        with no_root():
            said = refused(StateError, "config", "adopt", "-c", site.config_file)
        draft.parent.chmod(0o755)
        assert str(draft) in said
        assert "run this again as its owner" in said
        assert "pond" in site.config_file.read_text()


def test_what_is_set_while_the_draft_is_adopted_is_not_lost(site):
    package("ruamel.yaml")
    drawn(site, zones={"pond": SQUARE})
    draft, written = draft_file(site.folder), site.config_file.with_name(".config.yaml.new.yaml")
    later, ended = draft.read_text().replace("pond", "lake"), Event()

    def save():
        # Between the reading of the draft and its removal, the new file is checked under another name.
        while not written.exists() and not ended.is_set():
            pass
        draft.write_text(later)

    with ThreadPoolExecutor(1) as pool:
        saved = pool.submit(save)
        said = refused(StateError, "config", "adopt", "-c", site.config_file)
        ended.set()
        saved.result()
    assert "run this again" in said
    assert list(load(site.config_file, {}).cameras["gate"].zones) == ["lake"]
    surveil("config", "adopt", "-c", site.config_file)
    assert (list(load(site.config_file, {}).cameras["gate"].zones), draft.exists()) == (["lake"], False)


def test_adopting_keeps_the_comments_of_the_file():
    package("ruamel.yaml")
    from surveil.cli.adopt import merged

    text = "version: 1\n# the gate\ncameras:\n  gate: # north\n    url: rtsp://192.0.2.2/1 # main\nstate_dir: /x\n"
    told = merged(text, {"gate": {"zones": {"pond": SQUARE}}})
    for comment in ("# the gate", "# north", "# main"):
        assert comment in told
    assert "pond" in told


@pytest.mark.parametrize(
    "body",
    [
        {"zones": {"pond": {"points": SQUARE, "title": "${file:secret.txt}"}}},
        {"zones": {"pond": SQUARE}, "rules": [RULE | {"name": "a ${env:HOME}"}]},
        {"zones": {"pond": {"points": SQUARE, "title": "$${x}"}}},
    ],
)
def test_what_is_drawn_refers_to_no_secret(site, body):
    """A viewer would see it as the title of a zone."""
    (site.config_file.parent / "secret.txt").write_text("Mail-Secret-1")
    answer = drawn(site, **body)
    assert answer.status == 422
    assert "refers to a secret of this machine" in answer.json["error"]["message"]
    assert not draft_file(site.folder).exists()


def test_references_of_the_file_are_kept_where_something_else_is_drawn(tmp_path):
    (tmp_path / "name.txt").write_text("somebody")
    named = "rules: [{{type: presence, name: '${{file:name.txt}}'}}]"
    with Site(tmp_path, CONFIG.replace("rules: [{{type: presence}}]", named)) as site:
        rules = site.get("/cameras/gate/shapes").json["rules"]
        assert rules == [{"type": "presence", "name": "${file:name.txt}"}]
        assert drawn(site, zones={"pond": SQUARE}, rules=[*rules, RULE]).status == 200
        assert "somebody" in {rule.name for rule in site.daemon.config.cameras["gate"].rules}
