"""`surveil cameras discover` against twenty devices with the oddities that users report."""

import json
import logging
import threading
import time

import pytest
import yaml
from typer.testing import CliRunner

from surveil.cli.root import app
from surveil.config import edit, load
from surveil.discovery import probe
from surveil.discovery.camera import describe
from surveil.discovery.device import Device, DeviceError, Login
from surveil.discovery.find import find
from surveil.discovery.probe import Match
from tests.discovery.virtual import PASSWORD, USER, Network, Profile, Virtual

pytestmark = pytest.mark.rig
LOGIN = Login(USER, PASSWORD)


def twenty():
    odd = [
        Virtual(1, login="none"),
        Virtual(2, clock_s=7 * 3600),
        Virtual(3, clock_s=-40 * 86400, login="token"),
        Virtual(4, login="digest"),
        Virtual(5, login="digest", clock_s=3600),
        Virtual(6, named_host="10.9.8.7", stream_port=8554),
        Virtual(7, twice=True),
        Virtual(8, profiles=[Profile("audio", (0, 0), video=False), Profile("only", (1280, 720))]),
        Virtual(9, media2=True, profiles=[Profile("big", (3840, 2160), "H265"), Profile("small", (704, 576), "H264")]),
        Virtual(10, profiles=[Profile("a", (1920, 1080), source="L"), Profile("b", (640, 360), source="L"),
                              Profile("c", (1920, 1080), source="R"), Profile("d", (640, 360), source="R")]),
        Virtual(11, tells_time=False, login="none"),
        Virtual(12, name="Front_Gate"),
        Virtual(13, name="Front_Gate"),
        Virtual(14, profiles=[Profile("main", (1920, 1080)), Profile("tiny", (352, 240))]),
        Virtual(15, profiles=[Profile("main", (1920, 1080), gop=60), Profile("sub", (640, 360), fps=10, gop=40)]),
    ]  # fmt: skip
    return odd + [Virtual(n) for n in range(len(odd) + 1, 21)]


@pytest.fixture(scope="module")
def network():
    with Network(twenty()) as network:
        yield network


@pytest.fixture(scope="module")
def found(network):
    return {camera.serial: camera for camera in find(LOGIN, seconds=2.0, interfaces=["127.0.0.1"])}


def urls(camera):
    return {stream.token: stream.url for stream in camera.streams}


def test_all_are_found_once_and_described(found):
    assert sorted(found) == [f"SN{n:04}" for n in range(1, 21)]
    assert [camera.problem for camera in found.values() if camera.problem] == []
    assert {(camera.maker, camera.firmware) for camera in found.values()} == {
        ("Acme", f"1.{n}") for n in range(1, 21)
    }


def test_every_stream_is_at_the_host_that_answered(found):
    for camera in found.values():
        assert camera.streams
        assert {probe.host_of(stream.url) for stream in camera.streams} == {camera.address}
    moved = found["SN0006"]
    assert urls(moved)["main"] == "rtsp://127.0.7.6:8554/main"
    assert moved.notes == ("names 10.9.8.7 in its stream addresses, which are changed to 127.0.7.6",)


def test_a_clock_that_is_wrong_is_told_and_does_not_refuse_the_login(found):
    assert found["SN0002"].clock_skew_s == pytest.approx(7 * 3600, abs=5)
    assert found["SN0003"].clock_skew_s == pytest.approx(-40 * 86400, abs=5)
    assert found["SN0001"].clock_skew_s == pytest.approx(0, abs=5)
    assert found["SN0011"].clock_skew_s is None


def test_properties_of_streams(found):
    big = next(stream for stream in found["SN0009"].streams if stream.token == "big")
    assert (big.codec, big.width, big.height, big.fps, big.gop) == ("H265", 3840, 2160, 15.0, 15)
    sub = next(stream for stream in found["SN0015"].streams if stream.token == "sub")
    assert sub.gop_s == 4.0
    assert found["SN0008"].notes == ("profile audio has no video",)


def run(*arguments, **env):
    return CliRunner().invoke(app, ["cameras", "discover", *arguments], env={"COLUMNS": "300", **env})


def test_the_command_writes_entries_that_the_configuration_takes(network, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "# mine\nversion: 1\ncameras:\n  front_gate:\n    url: rtsp://192.0.2.1/a # the old one\n"
    )
    file.chmod(0o640)
    done = run("--user", USER, "--interface", "127.0.0.1", "--seconds", "2", "--write", str(file),
               SURVEIL_CAMERA_PASSWORD=PASSWORD)  # fmt: skip
    assert done.exit_code == 0, done.output
    text = file.read_text()
    assert "# mine" in text
    assert "# the old one" in text
    assert PASSWORD not in text + done.output
    assert oct(file.stat().st_mode & 0o777) == "0o640"
    secret = tmp_path / "passwords" / "cameras"
    assert (secret.read_text(), oct(secret.stat().st_mode & 0o777)) == (PASSWORD, "0o640")
    config = load(file)
    assert len(config.cameras) == 1 + 21
    cameras = config.cameras
    assert {"front_gate", "front_gate_2", "front_gate_3", "acme_c10_1", "acme_c10_2", "acme_c9"} <= set(
        cameras
    )
    two = cameras["acme_c9"]
    assert two.stream.url.endswith("@127.0.7.9:554/small")
    assert "Kame%40ra" in two.stream.url
    assert two.record.url.endswith("/big")
    assert cameras["acme_c8"].record is None
    # Too small to see anybody on: the large stream is analysed.
    assert cameras["acme_c14"].stream.url.endswith("/main")


def test_json_and_advice(network):
    done = run(network.service(14), "--user", USER, "--json", SURVEIL_CAMERA_PASSWORD=PASSWORD)
    told = json.loads(done.stdout)
    assert told["cameras"][0]["serial"] == "SN0015"
    assert told["entries"]["acme_c15"]["streams"]["detect"] == (
        f"rtsp://{USER}:${{file:passwords/cameras}}@127.0.7.15:554/sub"
    )
    shown = run(network.service(14), "--user", USER, SURVEIL_CAMERA_PASSWORD=PASSWORD)
    assert "set its key-frame interval from 4.0 s to 1 s" in shown.output
    assert "127.0.7.15" in shown.output
    assert PASSWORD not in shown.output + done.output


def test_without_a_login_it_says_who_wants_one(network):
    done = run(network.service(1), network.service(0))
    assert done.exit_code == 0
    assert "127.0.7.2: requires a login" in done.output
    assert "rtsp://127.0.7.1:554/sub" in done.output


def test_a_wrong_password_is_tried_once(caplog):
    device = Virtual(30)
    with caplog.at_level(logging.DEBUG), Network([device]) as network:
        done = run(network.service(0), "--user", USER, SURVEIL_CAMERA_PASSWORD="wrong-Pa55word")
    assert done.exit_code == 1
    assert "refuses the login: check user and password" in done.output
    assert device.attempts == 1
    assert "wrong-Pa55word" not in done.output + caplog.text


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("garbage", "is not well-formed"),
        ("doctype", "has a document type"),
        ("huge", "is larger than 512 KiB"),
        ("slow", "does not answer"),
    ],
)
def test_what_answers_wrongly_is_named_and_holds_nobody_up(answers, words):
    with Network([Virtual(31, answers=answers, login="none"), Virtual(32)]) as network:
        matches = [
            Match(endpoint=str(n), address=f"127.0.7.{31 + n}", services=(network.service(n),))
            for n in (0, 1)
        ]
        wrong, good = (describe(match, LOGIN, seconds=0.5 + n) for n, match in enumerate(matches))
    assert words in wrong.problem
    assert good.serial == "SN0032"


@pytest.mark.parametrize("answers", ["head", "body"])
def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(answers):
    with Network([Virtual(35, answers=answers, login="none")]) as network:
        device = Device(network.service(0), None, seconds=0.5)
        with pytest.raises(DeviceError, match="does not answer"):
            device.device("GetDeviceInformation")


@pytest.mark.parametrize("date", ["nan-1-1", "inf-1-1", "1e300-1-1", "9999-12-31", "1-1-1", "-5-1-1"])
def test_a_clock_that_cannot_be_is_not_known(date):
    with Network([Virtual(33, date=date, login="none")]) as network:
        [found] = find(None, seconds=1.0, hosts=[network.service(0)])
    assert (found.serial, found.clock_skew_s) == ("SN0033", None)


def test_names_and_addresses_in_any_script():
    login = Login("看门人", PASSWORD)
    with Network([Virtual(34, path="/设备 1/服务", login="digest", user=login.user)]) as network:
        [found] = find(login, seconds=1.0, hosts=[network.service(0)])
    assert (found.serial, found.problem) == ("SN0034", "")


@pytest.mark.parametrize("host", ["127.0.7.99:70000", f"{'a' * 64}.example", "http://"])
def test_a_host_that_cannot_be_asked_is_told(host):
    [found] = find(None, seconds=1.0, hosts=[host])
    assert found.problem.startswith("does not answer: ")


def test_a_fault_in_the_questions_costs_one_device_and_nobody_is_waited_for_after_the_time():
    over, done = threading.Event(), []

    def ask(match, login):
        if match.address == "127.0.7.3":
            over.wait(20)
            done.append(match)
        assert match.address == "127.0.7.2"
        return describe(match, login)

    try:
        hosts = ["127.0.7.1:9", "127.0.7.2:9", "127.0.7.3:9"]
        found = find(None, seconds=1.0, hosts=hosts, ask=ask, until=time.monotonic() + 0.5)
        assert done == []
    finally:
        over.set()
    assert [one.problem.partition(": ")[0] for one in found] == [
        "its answers are not understood", "does not answer", "",
    ]  # fmt: skip


def test_nobody_there():
    done = run("127.0.7.99:9")
    assert done.exit_code == 1
    assert "127.0.7.99: does not answer" in done.output


def test_nothing_of_a_search_leaves_the_hosts_that_answer():
    """What a device names may be anybody's: it is never talked to."""
    answer = (
        "<a><ProbeMatch><EndpointReference><Address>x</Address></EndpointReference>"
        "<XAddrs>ftp://192.0.2.1/ http://user:pw@192.0.2.9:81/onvif http://192.0.2.1:bad/</XAddrs></ProbeMatch></a>"
    )
    [match] = probe.read(answer.encode(), "127.0.0.1")
    assert (match.services, match.address) == (("http://127.0.0.1:81/onvif",), "127.0.0.1")
    assert (
        list(probe.read(b"<a><ProbeMatch><XAddrs>http://h:bad/</XAddrs></ProbeMatch></a>", "127.0.0.1")) == []
    )
    assert list(probe.read(b"\x00\xff", "127.0.0.1")) == []


def test_a_password_comes_from_a_file_or_is_asked_for(network, tmp_path):
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    done = run(network.service(3), "--user", USER, "--password-file", str(tmp_path / "secret"))
    assert "acme_c4:" in done.output
    missing = run(network.service(3), "--user", USER, "--password-file", str(tmp_path / "none"))
    assert "No such file" in str(missing.exception)
    assert "set --password-file" in str(run(network.service(3), "--user", USER).exception)


def test_an_entry_is_printed_as_yaml_whatever_its_values_hold():
    entry = {
        "title": "Gate: north",
        "url": "rtsp://192.0.2.1/a #1",
        "streams": {"detect": "{x}", "record": ""},
    }
    assert yaml.safe_load(edit.written(entry)) == entry


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("x?${file:mail-password}&amp;b", "refers to a secret of this machine"),
        ("$${env:WEBHOOK_TOKEN}", "refers to a secret of this machine"),
        ("&#36;{env:WEBHOOK_TOKEN}", "refers to a secret of this machine"),
        ("a b", "has a blank"),
        ("a#b", "has a raw #"),
    ],
)
def test_an_address_that_the_configuration_would_read_otherwise_is_left_out(tmp_path, monkeypatch, path, why):
    (tmp_path / "mail-password").write_text("Mail-Secret-1")
    monkeypatch.setenv("WEBHOOK_TOKEN", "Hook-Secret-2")
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\n")
    with Network([Virtual(36, login="none", stream_path=path)]) as network:
        done = run(network.service(0), "--write", str(file))
    assert f"127.0.7.36: profile main is left out: its address {why}" in done.output
    [camera] = load(file).cameras.values()
    assert (camera.url, camera.record) == ("rtsp://127.0.7.36:554/sub", None)
    assert "${" not in file.read_text()


def test_what_a_device_says_of_itself_stays_on_its_line():
    """Entries are printed to be pasted: no line of them is of the device."""
    model = "C9\nsinks:\r\n  w: {type: webhook, url: http://192.0.2.1}\u2028x: 1\u202e\x9b2J"
    lines = "one\n&#10;two"
    device = Virtual(
        37,
        login="none",
        model=model,
        serial=lines,
        name="Gate%0Asinks:%1B[2J",
        profiles=[Profile("a", (640, 360), codec=lines), Profile("&#10;b", (0, 0), video=False)],
    )
    with Network([device]) as network:
        done = run(network.service(0))
        all_found = find(None, seconds=1.0, interfaces=["127.0.0.1"])
    [found] = [camera for camera in all_found if camera.address == device.host]
    entries = done.stdout[done.stdout.index("cameras:") :]
    assert yaml.safe_load(entries) == {
        "cameras": {"acme_c9_sinks_w_type_webhook_url": {"url": "rtsp://127.0.7.37:554/a"}}
    }
    assert len(entries.splitlines()) == 3
    assert (found.name, found.serial, found.streams[0].codec) == ("Gate sinks: [2J", "one two", "one two")
    assert found.model == "C9 sinks: w: {type: webhook, url: http://192.0.2.1} x: 1 2J"
    assert found.notes == ("profile b has no video",)


@pytest.mark.parametrize("answers", ["fault", "status"])
def test_what_a_device_complains_of_is_one_line(answers):
    with Network([Virtual(38, answers=answers, login="none")]) as network:
        [found] = find(None, seconds=1.0, hosts=[network.service(0)])
    assert "one two" in found.problem
    assert found.problem.isprintable()


def test_a_model_that_looks_like_markup_is_shown_as_it_is():
    with Network([Virtual(39, login="none", model="[/x] [red]")]) as network:
        done = run(network.service(0))
    assert done.exit_code == 0, done.output
    assert "[/x] [red]" in done.output
    assert "# Acme [/x] [red], serial" in done.output
