"""`surveil evaluate` on a drawn film whose events are known: the daemon's alerts beside labels."""

import json
from dataclasses import replace

import pytest
import yaml

from surveil.errors import ConfigError, SourceError
from tests.commands import refused, surveil

pytestmark = pytest.mark.slow
CAMERA = {
    "zones": {"yard": [[0.02, 0.0], [0.98, 0.0], [0.98, 1.0], [0.02, 1.0]]},
    "lines": {"gate": [[0.5, 0.0], [0.5, 1.0]]},
    "detect": {"fps": 5},
    "rules": [
        {"type": "line_crossing", "line": "gate"},
        {"type": "intrusion", "zone": "yard"},
        {"type": "presence", "name": "anybody", "classes": ["car"]},
    ],
}


@pytest.fixture
def suite(tmp_path, passing, passing_clip):
    """Write a suite of the clip with its true events, and those that a test adds; return its file."""
    truth = replace(passing, lines={"gate": ((0.5, 0.0), (0.5, 1.0))}).crossings("gate")
    crossings = [{"rule": "line_crossing", "start": c.t, "direction": c.direction} for c in truth]

    def write(*more, crossings=crossings, film=passing_clip, **changed):
        first = {"rule": "intrusion", "start": 1.5, "end": 6.0, "conditions": ["near"]}
        document = {
            "camera": CAMERA,
            "rules": ["line_crossing", "intrusion"],
            "films": [
                {
                    "path": str(film),
                    "name": "passing",
                    "conditions": ["day"],
                    "events": [*crossings, first, *more],
                }
            ],
        }
        path = tmp_path / "gate.yaml"
        path.write_text(yaml.safe_dump(document | changed))
        return path

    return write


def test_what_is_found_missed_and_false_is_told_and_shown_and_held_to_a_gate(suite, tmp_path):
    never = {"rule": "line_crossing", "start": 0.0, "within_s": 0.5}
    bars = tmp_path / "bars.txt"
    bars.write_text("line_crossing.recall>=0.6  # two of three\nintrusion.false_per_hour<=0\n")
    words = ("--json", "--report", tmp_path / "report", "--gate", bars)
    code, printed = surveil("evaluate", suite(never), *words)
    assert code == 1
    report = json.loads(printed)
    assert report == json.loads((tmp_path / "report" / "report.json").read_text())
    groups = report["groups"]
    assert list(groups) == ["all", "intrusion", "line_crossing", "day", "near"]
    crossing = groups["line_crossing"]
    assert (crossing["events"], crossing["found"], crossing["missed"], crossing["false"]) == (3, 2, 1, 0)
    # The second who comes by has no label: his alert is a false one.
    assert (groups["intrusion"]["found"], groups["intrusion"]["false"]) == (1, 1)
    assert groups["near"]["figures"]["recall"]["value"] == 1.0
    assert groups["near"]["figures"]["false_per_hour"]["value"] is None
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "missed" in page
    assert "http" not in page


def test_mistakes_are_named_before_anything_is_played(suite, tmp_path):
    wrong = {"rule": "line_crosing", "start": 1.0}
    elsewhere = {"rule": "intrusion", "start": 1.0, "zone": "yrad"}
    said = refused(ConfigError, "evaluate", suite(wrong, elsewhere, film=tmp_path / "none.mp4"))
    assert "films[0].path" in said
    assert "events[3].rule: there is no rule 'line_crosing' that is evaluated, did you mean" in said
    assert "events[4].zone: the camera has no zone 'yrad', did you mean 'yard'" in said
    said = refused(ConfigError, "evaluate", suite(camera=CAMERA | {"lines": {}}))
    assert "gate.yaml: camera.rules[0].line" in said
    assert "there is no figure" in refused(ConfigError, "evaluate", suite(), "--gate", "dusk.recall>=1")


def test_a_camera_of_the_configuration_is_evaluated_and_a_gate_holds(suite, tmp_path, passing_clip):
    config = tmp_path / "config.yaml"
    cameras = {"yard": CAMERA | {"url": str(passing_clip)}}
    config.write_text(
        yaml.safe_dump({"version": 1, "cameras": cameras, "state_dir": str(tmp_path / "state")})
    )
    second = {"rule": "intrusion", "start": 6.0, "end": 30.0, "unclear": True}
    gate = "line_crossing.recall>=1,intrusion.false_per_hour<=0"
    code, printed = surveil("evaluate", suite(second, camera="yard"), "-c", config, "--json", "--gate", gate)
    assert code == 0
    assert json.loads(printed)["groups"]["line_crossing"]["found"] == 2
    said = refused(ConfigError, "evaluate", suite(camera="yrad"), "-c", config)
    assert "there is no camera 'yrad', did you mean 'yard'" in said


def test_a_film_that_cannot_be_played_is_an_error(suite, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_text("this is no film\n" * 100)
    assert "bad.mp4" in refused(SourceError, "evaluate", suite(film=bad))
