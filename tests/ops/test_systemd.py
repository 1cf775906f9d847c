"""The units: systemd understands them, they expose little, and what they leave out is explained."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = (FOLDER / "surveil.service").read_text()
FLEET = ("surveil-fleet-head.service", "surveil-fleet-node.service")
DROP_INS = ("webcam", "nvidia", "strict")

pytestmark = pytest.mark.server


def run(*words):
    if shutil.which(words[0]) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{words[0]} is missing")
        pytest.skip(f"{words[0]} is missing")
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def rendered(folder, *drop_ins, name="surveil.service"):
    """A unit as it is installed, with a program that exists."""
    text = (FOLDER / name).read_text().replace("/usr/bin/surveil", "/bin/true")
    unit = folder / name.replace("@", "@yard")
    unit.write_text(text)
    for one in drop_ins:
        beside = folder / f"{unit.name}.d"
        beside.mkdir(exist_ok=True)
        shutil.copy(FOLDER / f"{one}.conf", beside)
    return unit


def exposure(unit):
    """The level that systemd gives the unit with its drop-ins, in tenths."""
    done = run("systemd-analyze", "security", "--offline=yes", "--threshold=100", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: (\d+)\.(\d)", done.stdout)
    assert found, done.stdout + done.stderr
    return int(found[1]) * 10 + int(found[2])


@pytest.mark.parametrize(
    "drop_ins", [(), *((one,) for one in DROP_INS), ("webcam", "strict"), ("webcam", "nvidia")]
)
def test_systemd_understands_the_unit_with(drop_ins, tmp_path):
    done = run("systemd-analyze", "verify", str(rendered(tmp_path, *drop_ins)))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_understands_the_unit_for_several(tmp_path):
    done = run("systemd-analyze", "verify", str(rendered(tmp_path, name="surveil@.service")))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", FLEET)
def test_systemd_understands_the_units_of_a_fleet_and_they_expose_little(name, tmp_path):
    unit = rendered(tmp_path, name=name)
    done = run("systemd-analyze", "verify", str(unit))
    assert (done.returncode, done.stderr) == (0, "")
    assert exposure(unit) <= 15


@pytest.mark.parametrize("name", FLEET)
def test_only_loopback_reaches_ray_unless_somebody_says_more(name):
    text = (FOLDER / name).read_text()
    assert "\nIPAddressDeny=any\nIPAddressAllow=localhost\n" in text
    assert re.findall(r"^(?:User|StateDirectory)=(.*)$", text, re.MULTILINE) == ["surveil", "surveil"]


@pytest.mark.parametrize("name", ["surveil.service", "surveil@.service"])
def test_the_exposure_is_at_most_1_5(name, tmp_path):
    unit = rendered(tmp_path, name=name)
    assert run("systemd-analyze", "security", "--offline=yes", "--threshold=15", str(unit)).returncode == 0
    assert exposure(unit) <= 15


def test_strict_exposes_less_and_devices_little_more(tmp_path):
    levels = {}
    for one in DROP_INS:
        folder = tmp_path / one
        folder.mkdir()
        levels[one] = exposure(rendered(folder, one))
    plain = exposure(rendered(tmp_path))
    assert levels["strict"] < plain
    assert max(levels["webcam"], levels["nvidia"]) <= 15


def test_every_directive_that_is_left_out_is_explained(tmp_path):
    done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", str(rendered(tmp_path)))
    open_doors = {
        re.split(r"[=\s]", line[2:].strip())[0] for line in done.stdout.splitlines() if line[:1] == "✗"
    }
    assert open_doors
    comments = "\n".join(line for line in UNIT.splitlines() if line.startswith("#"))
    set_here = set(re.findall(r"^(\w+)=", UNIT, re.MULTILINE))
    # What is set, but not to the utmost, says why beside it.
    assert {door for door in open_doors if door not in set_here and door not in comments} == set()


def test_the_unit_for_several_is_made_from_the_unit():
    made = run("sed", "-f", str(FOLDER / "instance.sed"), str(FOLDER / "surveil.service")).stdout
    assert (FOLDER / "surveil@.service").read_text() == made


def test_several_share_neither_user_nor_folder_nor_port():
    text = (FOLDER / "surveil@.service").read_text()
    for directive in ("User", "Group", "StateDirectory", "RuntimeDirectory", "CacheDirectory"):
        assert f"\n{directive}=surveil-%i\n" in text
    assert "/etc/surveil/%i.yaml" in text
    assert "/etc/surveil/config.yaml" not in text


def test_a_refused_configuration_does_not_start_over_and_over():
    from surveil.errors import EXIT_CONFIG

    assert f"RestartPreventExitStatus={EXIT_CONFIG}\n" in UNIT


def test_the_watchdog_has_more_patience_than_the_daemon_with_its_stages():
    from surveil.app.status import STUCK_S

    assert int(re.search(r"^WatchdogSec=(\d+)", UNIT, re.MULTILINE)[1]) > STUCK_S


def test_the_pages_of_the_shipped_configuration_may_be_bound():
    listen = re.search(r'^  listen: ".*:(\d+)"', (FOLDER.parent / "config.yaml").read_text(), re.MULTILINE)
    assert f"SocketBindAllow=ipv4:tcp:{listen[1]}\n" in UNIT
