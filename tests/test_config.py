"""The configuration: every mistake at once, each with its line and a remedy, and no secret anywhere."""

import re
from pathlib import Path
from typing import get_args

import pytest

from surveil.config import load, schema
from surveil.config.reference import example, reference
from surveil.detect.faces import embedded_path
from surveil.errors import ConfigError
from surveil.features.normality.attributes import NAMES
from surveil.features.normality.rule import Attribute
from surveil.rules.base import rule_name

HERE = Path(__file__).parent
ROOT = HERE.parent
BAD = sorted((HERE / "bad_configs").glob("*.yaml"))


def messages(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [message.replace(str(path), path.name) for message in caught.value.messages]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_has_exactly_these_messages(path):
    assert messages(path) == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_every_message_names_the_file(path):
    assert all(message.startswith(path.name) for message in messages(path))


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\xfe binary",
        b"version: 1\n" + b"x-a: y\n" * 200_000,
        "version: 1\n".encode("utf-16"),
        b"version: 1\nx-a: " + b"[" * 5_000,
        b"version: 1\nx-a: &a {b: *a}\n",
        b"version: 1\nhttp: 9" + b"9" * 10_000,
        b"version: 1\n? [a, b]\n: 2\n",
        b"version: 1\n---\nversion: 1\n",
    ],
    ids=[
        "binary",
        "long",
        "utf-16",
        "deep",
        "alias of itself",
        "huge number",
        "list as key",
        "two documents",
    ],
)
def test_odd_files_are_errors_and_not_crashes(tmp_path, content):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    assert messages(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\n---\n", "2: YAML: a second document starts here ('---'); only one is allowed at column 1"),
        ("version: 1\nhttp:\n  \tlisten: x\n", "3: YAML: a tab stands where only spaces may indent at column 3"),
        ("version: 1\nhttp: ]\n", "2: YAML: expected the node content, but found ']' at column 7"),
        ("version: 1\nhttp: *x\n", "2: YAML: found undefined alias 'x' at column 7"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_with_line_and_column(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    assert messages(path) == [f"config.yaml:{message}"]


def test_an_alias_bomb_is_refused(tmp_path):
    levels = ["x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"x-a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("version: 1\n" + "\n".join(levels))
    assert messages(path)


@pytest.mark.parametrize("path", [Path("/nowhere/config.yaml"), Path("/tmp")], ids=["missing", "folder"])
def test_what_cannot_be_read_is_told(path):
    with pytest.raises(ConfigError, match=str(path)):
        load(path)


def test_the_shipped_file_is_made_from_the_settings_and_has_the_defaults_with_the_console_on(tmp_path):
    shipped = ROOT / "config.yaml"
    assert shipped.read_text() == example()
    config = load(shipped)
    assert config.digest == load(write(tmp_path, "version: 1\nhttp: {console: true}\n")).digest


def test_the_shipped_examples_are_valid(tmp_path, monkeypatch):
    monkeypatch.setenv("GATE_PASSWORD", "x")
    text = (ROOT / "config.yaml").read_text()
    text = re.sub(r"^(cameras|schedules|sinks): \{\}\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^#((?:cameras|schedules|sinks):.*|  .*)$", r"\1", text, flags=re.MULTILINE)
    path = tmp_path / "examples.yaml"
    path.write_text(text)
    config = load(path)
    assert list(config.cameras) == ["gate", "shop"]
    assert [rule.type for rule in config.cameras["gate"].rules] == [
        "intrusion",
        "line_crossing",
        "loitering",
        "picture",
    ]
    assert list(config.schedules) == ["night"]
    assert config.cameras["shop"].record.roles == ("record",)


def test_the_reference_page_is_made_from_the_settings():
    assert (ROOT / "docs" / "configuration.md").read_text() == reference()


def test_the_reference_has_settings_by_their_names_in_the_file_and_those_of_inner_sections():
    rows = set(re.findall(r"^\| `(\w+)` \|", reference(), re.MULTILINE))
    assert {"class", "secret_header", "capacity", "metres"} <= rows
    assert [name for name in rows if name.endswith("_")] == []


def test_the_schema_describes_every_setting():
    for name, definition in schema()["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert key == "type" or "$ref" in value or value.get("description"), f"{name}.{key}"


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_defaults_reach_every_camera_and_its_own_values_win(tmp_path):
    config = load(
        write(
            tmp_path,
            """
version: 1
defaults: {detect: {fps: 7, max_crops: 2}, transport: udp}
cameras:
  a: {url: rtsp://192.0.2.1/a}
  b: {url: rtsp://192.0.2.1/b, detect: {fps: 3}}
""",
        )
    )
    a, b = config.cameras["a"], config.cameras["b"]
    assert (a.detect.fps, a.detect.max_crops, a.stream.transport) == (7, 2, "udp")
    assert (b.detect.fps, b.detect.max_crops) == (3, 2)


def test_secrets_are_filled_in_encoded_and_never_shown(tmp_path):
    (tmp_path / "token").write_text("t0k3n\n")
    path = write(
        tmp_path,
        """
version: 1
cameras: {a: {url: "rtsp://u:${env:PW}@192.0.2.1/a"}}
http: {token: "${file:token}"}
""",
    )
    config = load(path, {"PW": "p@ss/w:rd"})
    assert config.cameras["a"].url == "rtsp://u:p%40ss%2Fw%3Ard@192.0.2.1/a"
    assert config.http.token.get_secret_value() == "t0k3n"
    shown = repr(config) + repr(config.cameras["a"].stream)
    for secret in ("p@ss", "p%40ss", "t0k3n"):
        assert secret not in shown
    assert {"p@ss/w:rd", "t0k3n"} <= config.secrets


def test_the_digest_is_of_the_meaning_without_secrets(tmp_path):
    text = 'version: 1\ncameras: {a: {url: "rtsp://u:${env:PW}@h/a"}}\n'
    one = load(write(tmp_path, text), {"PW": "one"}).digest
    assert load(write(tmp_path, "# a comment\n" + text), {"PW": "two"}).digest == one
    assert load(write(tmp_path, text + "model: {threads: 2}\n"), {"PW": "one"}).digest != one


def test_two_cameras_on_one_stream_are_a_warning(tmp_path):
    text = "version: 1\ncameras:\n  a: {url: rtsp://h/x}\n  b: {url: rtsp://h/x}\n"
    assert "reads the same stream" in load(write(tmp_path, text)).warnings[0]


def test_each_stream_is_compared_and_cameras_that_are_off_are_not(tmp_path):
    text = """
version: 1
cameras:
  a: {url: rtsp://h/x}
  b: {streams: {detect: rtsp://h/y, record: rtsp://h/x}}
  c: {url: rtsp://h/y, enabled: false}
"""
    (warning,) = load(write(tmp_path, text)).warnings
    assert "cameras.b.streams.record: the camera 'a' reads the same stream" in warning


def test_a_class_that_the_model_knows_may_have_a_score_of_its_own(tmp_path):
    text = "version: 1\ncameras: {a: {url: x, detect: {scores: {person: 0.3}}}}\n"
    assert load(write(tmp_path, text)).cameras["a"].detect.scores == {"person": 0.3}


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://u:hunter22@h/a",
        "http://h/v?channel=1&password=hunter22",
        "rtsp://h/user=viewer_password=hunter22_channel=1",
    ],
)
def test_a_password_that_stands_in_the_file_itself_is_a_secret_too(tmp_path, url):
    text = f"version: 1\ncameras: {{a: {{url: '{url}'}}}}\n"
    config = load(write(tmp_path, text))
    assert load(write(tmp_path, text.replace("hunter22", "hunter33"))).digest == config.digest
    assert load(write(tmp_path, text.replace("//h", "//g").replace("@h", "@g"))).digest != config.digest
    assert "hunter22" in config.secrets
    assert "hunter22" not in repr(config.cameras["a"])


def test_what_is_a_secret_by_its_type_is_hidden_wherever_it_came_from(tmp_path):
    config = load(write(tmp_path, "version: 1\nhttp: {token: literally-here}\n"))
    assert "literally-here" in config.secrets
    assert "literally-here" not in repr(config)
    assert load(write(tmp_path, "version: 1\nhttp: {token: another-one}\n")).digest == config.digest


def test_credentials_of_the_service_manager_are_read(tmp_path):
    (tmp_path / "gate").write_text("s3cret\n")
    text = 'version: 1\ncameras: {a: {url: "rtsp://u:${credential:gate}@h/a"}}\n'
    config = load(write(tmp_path, text), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert config.cameras["a"].url == "rtsp://u:s3cret@h/a"


def test_anchors_and_merge_keys_work_and_times_stay_text(tmp_path):
    text = """
version: 1
x-shared: &shared {yard: [[0, 0], [1, 0], [1, 1]]}
cameras:
  a: {url: "x", zones: *shared}
  b: {url: 01:30, zones: {<<: *shared, door: [[0, 0], [1, 0], [0, 1]]}}
"""
    cameras = load(write(tmp_path, text)).cameras
    assert set(cameras["b"].zones) == {"yard", "door"}
    assert cameras["a"].zones["yard"] == cameras["b"].zones["yard"]
    assert cameras["b"].url == "01:30"


def test_of_several_merged_mappings_the_first_wins_and_what_is_written_there_before_all(tmp_path):
    text = """
version: 1
x-one: &one {yard: [[0, 0], [1, 0], [1, 1]], door: [[0, 0], [1, 0], [1, 1]]}
x-two: &two {door: [[0, 0], [1, 0], [0, 1]], gate: [[0, 0], [1, 0], [0, 1]]}
cameras:
  a: {url: "x", zones: {<<: [*one, *two], gate: [[0, 0], [1, 1], [0, 1]]}}
"""
    zones = load(write(tmp_path, text)).cameras["a"].zones
    assert {name: points[1:] for name, points in zones.items()} == {
        "yard": ((1, 0), (1, 1)), "door": ((1, 0), (1, 1)), "gate": ((1, 1), (0, 1)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "health", "told"),
    [
        ("[{type: intrusion, zone: all}]", "{}", ["intrusion", "camera_moved"]),
        ("[{type: intrusion, zone: all}, {type: picture}]", "{}", ["intrusion", "picture"]),
        (
            "[{type: left_object}, {type: picture, states: [dark]}]",
            "{}",
            ["left_object", "picture", "camera_moved"],
        ),
        ("[{type: presence}]", "{}", ["presence"]),
        ("[{type: intrusion, zone: all}]", "{hold_moved: false}", ["intrusion"]),
        ("[{type: intrusion, zone: all}]", "{enabled: false}", ["intrusion"]),
    ],
)
def test_that_a_camera_was_moved_is_told_wherever_it_holds_rules(tmp_path, rules, health, told):
    path = tmp_path / "config.yaml"
    path.write_text(
        f"version: 1\ncameras:\n  gate:\n    url: rtsp://192.0.2.1/a\n    rules: {rules}\n"
        f"    zones: {{all: [[0, 0], [1, 0], [1, 1]]}}\n    health: {health}\n"
    )
    assert [rule_name(rule) for rule in load(path).cameras["gate"].rules] == told


def test_a_file_that_is_missing_says_how_to_begin(tmp_path):
    with pytest.raises(
        ConfigError, match=r"no such file or directory; name another with -c, or start with: surveil"
    ):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("cameras", "text"),
    [
        ("", "cameras: there is no camera"),
        ("\n  yard: {url: a.mp4, enabled: false}", ":2: cameras: every camera is d"),
    ],
)
def test_a_configuration_that_watches_nothing_says_so(tmp_path, cameras, text):
    (warning,) = load(write(tmp_path, f"version: 1\ncameras:{cameras}\n")).warnings
    assert text in warning


@pytest.mark.parametrize(
    ("camera", "model", "times"),
    [
        ("", "", "320 px a round of the tiles takes 0.6 s at 1920x1080, 2.2 s at 3840x2160"),
        ("detect: {max_crops: 9, fps: 10}", "", "takes 0.1 s at 1920x1080, 0.4 s at 3840x2160"),
        (
            "",
            "model: {file: x.onnx, labels: y.txt, size: 640}",
            "640 px a round of the tiles takes 0.2 s at 1920x1080",
        ),
    ],
)
def test_check_says_how_long_a_round_of_the_tiles_takes_without_a_gate(tmp_path, camera, model, times):
    text = f"version: 1\ncameras:\n  gate:\n    url: a.mp4\n    motion: {{enabled: false}}\n    {camera}\n{model}\n"
    (warning,) = load(write(tmp_path, text)).warnings
    assert ":5: cameras.gate.motion.enabled: every due frame is analysed" in warning
    assert times in warning
    assert load(write(tmp_path, text.replace("false", "true"))).warnings == ()


@pytest.mark.parametrize(
    ("camera", "refused"),
    [
        ("rules: [{type: intrusion, zone: z, classes: [any]}]", ""),
        ("rules: [{type: perimeter, zone: z, ignore: [dog]}]", ""),
        ("rules: [{type: perimeter, zone: z, ignore: [dogg]}]", "no class 'dogg'"),
        ("rules: [{type: left_object, classes: [any]}]", "no class 'any'"),
        ("counting: {enabled: true, classes: [any]}", "no class 'any'"),
    ],
)
def test_any_is_a_class_of_rules_about_objects_only(tmp_path, camera, refused):
    zones = "zones: {z: [[0, 0], [1, 0], [1, 1]]}"
    file = write(tmp_path, f"version: 1\ncameras:\n  gate:\n    url: a.mp4\n    {zones}\n    {camera}\n")
    if refused:
        with pytest.raises(ConfigError, match=refused):
            load(file)
    else:
        load(file)


@pytest.mark.parametrize(
    ("hides", "warned"),
    [
        ("masks: {a: {points: [[0, 0], [1, 0], [1, 1]], hide: store}}", True),
        ("masks: {a: {points: [[0, 0], [1, 0], [1, 1]]}}", True),
        ("masks: {a: {points: [[0, 0], [1, 0], [1, 1]], hide: detect}}", False),
        ("masks: [[[0, 0], [1, 0], [1, 1]]]", False),
    ],
)
def test_clips_of_a_camera_that_hides_something_are_warned_of(tmp_path, hides, warned):
    text = f"version: 1\ncameras:\n  gate:\n    url: a.mp4\n    evidence: {{clip: true}}\n    {hides}\n"
    found = load(write(tmp_path, text)).warnings
    assert [":5: cameras.gate.evidence.clip: no clips will be stored" in line for line in found] == [
        True
    ] * warned


@pytest.mark.skipif(not embedded_path().is_file(), reason="built without a face model")
def test_clips_of_a_camera_whose_faces_are_blurred_are_warned_of(tmp_path):
    for blurs in ("true", "false"):
        text = f"version: 1\ncameras:\n  gate:\n    url: a.mp4\n    evidence: {{clip: true, blur_faces: {blurs}}}\n"
        found = load(write(tmp_path, text)).warnings
        assert any("evidence.clip: no clips will be stored" in line for line in found) == (blurs == "true")


@pytest.mark.skipif(embedded_path().is_file(), reason="built with a face model")
def test_a_build_without_a_face_model_says_so_where_faces_are_to_be_blurred(tmp_path):
    text = "version: 1\ncameras:\n  gate:\n    url: a.mp4\n    evidence: {blur_faces: true}\n"
    with pytest.raises(
        ConfigError, match=r":5: cameras\.gate\.evidence\.blur_faces: this build has no face model"
    ):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("camera", "why"),
    [
        (
            "url: a.mp4, masks: {a: {points: [[0, 0], [1, 0], [1, 1]], hide: store}}",
            "packets cannot be masked",
        ),
        ("url: a.mp4, masks: [[[0, 0], [1, 0], [1, 1]]]", ""),
        ("url: /dev/video0", "a webcam sends pictures"),
        ("url: a.mp4", ""),
        ("url: a.mp4, masks: {a: {points: [[0, 0], [1, 0], [1, 1]]}}, record: {mode: 'off'}", ""),
    ],
)
def test_a_camera_that_cannot_be_recorded_is_warned_of_wherever_that_was_asked(tmp_path, camera, why):
    text = f"version: 1\ndefaults:\n  record: {{mode: continuous}}\ncameras:\n  gate: {{{camera}}}\n"
    found = [line for line in load(write(tmp_path, text)).warnings if "is not recorded" in line]
    assert [f":3: defaults.record.mode: 'gate' is not recorded: {why}" in line for line in found] == [
        True
    ] * bool(why)


@pytest.mark.parametrize(
    ("normality", "warned"), [("{}", True), ("{enabled: false}", True), ("{enabled: true}", False)]
)
def test_an_anomaly_rule_that_can_never_alert_is_warned_of(tmp_path, normality, warned):
    text = f"version: 1\ncameras:\n  gate:\n    url: a.mp4\n    normality: {normality}\n    rules:\n"
    text += "      - type: anomaly\n"
    found = load(write(tmp_path, text)).warnings
    told = ":7: cameras.gate.rules[0].type: will never alert: add to this camera 'normality: {enabled: true}'"
    assert [line.endswith(told) for line in found] == [True] * warned


def test_normality_of_all_cameras_is_enough_for_an_anomaly_rule(tmp_path):
    text = (
        "defaults: {normality: {enabled: true}}\ncameras:\n  gate: {url: a.mp4, rules: [{type: anomaly}]}\n"
    )
    assert load(write(tmp_path, f"version: 1\n{text}")).warnings == ()


def test_what_an_anomaly_rule_may_name_is_what_normality_knows():
    assert set(get_args(Attribute)) == set(NAMES)


def test_a_secret_of_less_than_four_characters_is_a_warning_with_its_place(tmp_path):
    text = """\
version: 1
cameras:
  yard: {url: "rtsp://joe:${env:PW}@127.0.0.1/cam"}
  gate: {url: "rtsp://joe:long-enough@127.0.0.1/cam2"}
sinks:
  hook: {type: webhook, url: "http://127.0.0.1/x", secret: "pq"}
  log: {type: log}
"""
    found = load(write(tmp_path, text), {"PW": "p"}).warnings
    assert [warning.split(": ")[1] for warning in found] == ["cameras.yard.url", "sinks.hook.secret"]
    assert all("fewer than 4 characters" in warning for warning in found)
