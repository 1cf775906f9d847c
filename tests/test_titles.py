"""Display names: any script, in texts, pictures, mails and messages; ids stay where machines read."""

import json
import time
from dataclasses import replace

import pytest

from surveil.alerts.camerawatch import CameraWatch, CameraWatchSettings, StreamCondition
from surveil.alerts.delivery import Camera, InstallationStatus
from surveil.alerts.drawing import can_draw, caption
from surveil.alerts.homeassistant import discovery
from surveil.alerts.payload import DamagedAlertError, dump, load, to_dict
from surveil.alerts.sinks.email import _body
from surveil.config import load as load_config
from surveil.errors import ConfigError
from surveil.titles import Titles, local_and_utc, replace_last
from tests.alerts.helpers import alert

FILE = """\
version: 1
cameras:
  gate:
    title: 前门
    url: rtsp://192.0.2.7/s
    zones: {yard: {points: [[0, 0], [1, 0], [1, 1]], title: Двор}, lawn: [[0, 0], [1, 0], [1, 1]]}
    lines: {street: {points: [[0, 0.5], [1, 0.5]], title: Straße}}
    rules:
      - {type: intrusion, zone: yard, title: إنذار}
      - {type: line_crossing, line: street}
"""
TITLES = Titles(
    camera="前门", rules={"intrusion": "إنذار"}, zones={"yard": "Двор"}, lines={"street": "Straße"}
)
TITLED = replace(
    alert(0, camera="gate", zone="yard", text=TITLES.say("person in yard", "yard", "")),
    titles=TITLES.of("intrusion", "yard", ""),
)


@pytest.fixture
def zone(monkeypatch):
    """Set the local time zone."""

    def use(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield use
    monkeypatch.undo()
    time.tzset()


def test_titles_are_read_and_places_keep_their_points(tmp_path):
    (tmp_path / "c.yaml").write_text(FILE)
    camera = load_config(tmp_path / "c.yaml").cameras["gate"]
    assert camera.titles == TITLES
    assert camera.zones == {"yard": ((0, 0), (1, 0), (1, 1)), "lawn": ((0, 0), (1, 0), (1, 1))}
    assert camera.lines == {"street": ((0, 0.5), (1, 0.5))}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("title: 前门", 'title: "a\\nb"'),
        ("title: 前门", 'title: "\\u202eetag"'),
        ("title: 前门", "title: '   '"),
        ("title: Двор", 'title: "a\\x07"'),
    ],
)
def test_a_title_is_one_printable_line(tmp_path, wrong, said):
    (tmp_path / "c.yaml").write_text(FILE.replace(wrong, said))
    with pytest.raises(ConfigError, match=r"title: .*one line of printable characters"):
        load_config(tmp_path / "c.yaml")


def test_mistakes_of_a_titled_place_are_told_like_those_of_others(tmp_path):
    (tmp_path / "c.yaml").write_text(
        FILE.replace("[[0, 0], [1, 0], [1, 1]], title", "[[0, 0], [640, 0], [1, 1]], titel")
    )
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "c.yaml")
    told = str(error.value)
    assert "cameras.gate.zones.yard.points[1]" in told
    assert "titel" in told


@pytest.mark.parametrize(
    ("text", "name", "title", "said"),
    [
        ("person in yard", "yard", "前门", "person in 前门"),
        ("person in person", "person", "Hof", "person in Hof"),
        ("person in yard at 12 km/h", "yard", "Hof", "person in Hof at 12 km/h"),
        ("person in back-yard", "yard", "Hof", "person in back-yard"),
        ("person in yard", "", "Hof", "person in yard"),
        ("person in yard", "yard", "", "person in yard"),
        ("person in yard", "yard", r"\1 {x}", r"person in \1 {x}"),
    ],
)
def test_a_text_names_the_place_by_its_title(text, name, title, said):
    assert replace_last(text, name, title) == said


def test_an_alert_keeps_its_ids_and_its_titles_on_the_disk():
    assert load(dump(TITLED)) == TITLED
    told = to_dict(TITLED)
    assert (told["camera"], told["rule"], told["zone"], told["text"]) == (
        "gate",
        "intrusion",
        "yard",
        "person in Двор",
    )
    assert told["titles"] == {"camera": "前门", "rule": "إنذار", "zone": "Двор"}
    assert "titles" not in to_dict(alert(0))
    with pytest.raises(DamagedAlertError):
        load(dump(TITLED).replace('"titles":{"camera":"前门"', '"titles":{"camera":1'))


def test_a_picture_shows_titles_that_its_font_has_and_ids_instead_of_others(zone):
    zone("UTC")
    assert [can_draw(text) for text in ("Größe 前门", "Двор くるま 한국", "שלום إنذار", "why?")] == [True] * 4
    assert [can_draw(text) for text in ("द्वार", "\N{GRINNING FACE}", "ประตู")] == [False] * 3
    assert caption(TITLED)[0] == "前门 · إنذار · Двор · person in Двор"
    foreign = Titles(camera="द्वार", zones={"yard": "ประตู"})
    other = replace(
        TITLED, text=foreign.say("person in yard", "yard", ""), titles=foreign.of("intrusion", "yard", "")
    )
    assert caption(other)[0] == "gate · intrusion · yard · person in yard"


def test_a_mail_has_titles_with_ids_and_local_time_beside_utc(zone):
    zone("Europe/Berlin")
    body = _body(TITLED)
    assert "camera     前门 (gate)\n" in body
    assert "zone       Двор (yard)\n" in body
    assert "time       2023-11-14T22:13:20.000Z\n" in body
    assert "local time 2023-11-14 23:13:20 CET (22:13:20 UTC)\n" in body


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("UTC", "2023-11-14 22:13:20 UTC"),
        ("Europe/Berlin", "2023-11-14 23:13:20 CET (22:13:20 UTC)"),
        ("Asia/Shanghai", "2023-11-15 06:13:20 CST (2023-11-14 22:13:20 UTC)"),
    ],
)
def test_the_time_on_the_wall_stands_beside_utc(zone, name, said):
    zone(name)
    assert local_and_utc(1_700_000_000) == said


def test_home_assistant_shows_titles_under_the_same_ids():
    plain = InstallationStatus(
        cameras={"gate": Camera(state="streaming", zones=("yard", "lawn"), rules=("intrusion",))}
    )
    titled = InstallationStatus(cameras={"gate": replace(plain.cameras["gate"], titles=TITLES)})
    before, after = (discovery("homeassistant", "surveil/home", "home", one) for one in (plain, titled))
    assert before.keys() == after.keys()
    configs = [json.loads(config) for topic, config in after.items() if "_gate_" in topic]
    assert {config["device"]["name"] for config in configs} == {"前门"}
    assert {"Двор", "lawn"} <= {config["name"] for config in configs}


def test_a_lost_camera_is_named_by_its_title():
    watch = CameraWatch(CameraWatchSettings(after_s=30.0, back_after_s=10.0), {})
    watch.follow("gate", None, "前门")
    told = []
    for t, state in ((0.0, "lost"), (31.0, "lost"), (40.0, "streaming"), (51.0, "streaming")):
        told += watch.step({"gate": StreamCondition(state)}, t, 1_700_000_000 + t)
    assert [(a.camera, a.titles, a.text) for a in told] == [
        ("gate", {"camera": "前门"}, "camera 前门 sends no pictures"),
        ("gate", {"camera": "前门"}, "camera 前门 is back"),
    ]
