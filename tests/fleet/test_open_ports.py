"""`surveil fleet check` says what Ray has opened to other machines."""

import json
import subprocess
import sys

import pytest

from surveil.app.open_ports import open_to_others
from tests.commands import surveil

pytestmark = pytest.mark.rig
_LISTEN = """
import socket, sys
listeners = [socket.create_server((host, 0)) for host in ("0.0.0.0", "127.0.0.1")]
print(*(one.getsockname()[1] for one in listeners), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def raylet():
    """A process of that name that listens on all addresses, and on loopback; the two ports."""
    with subprocess.Popen(
        ["raylet", "-c", _LISTEN],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield [int(port) for port in process.stdout.readline().split()]
        process.stdin.close()


def test_what_listens_on_all_addresses_is_open_and_what_listens_on_loopback_is_not(raylet):
    everywhere, loopback = raylet
    found = open_to_others()
    assert everywhere in found
    assert loopback not in found


@pytest.mark.parametrize(
    ("http", "good"),
    [({}, True), ({"listen": "0.0.0.0:9108", "token": "0123456789abcdef0123456789abcdef"}, False)],
)
def test_the_check_names_open_ports_and_pages_without_tls(tmp_path, raylet, http, good):
    path = tmp_path / "config.yaml"
    fleet = {"store": str(tmp_path / "store")}
    path.write_text(json.dumps({"version": 1, "state_dir": str(tmp_path), "fleet": fleet, "http": http}))
    _, text = surveil("fleet", "check", "-c", path, "--json")
    found = {one["what"]: one for one in json.loads(text)}
    assert str(raylet[0]) in found["ports"]["text"]
    assert found["pages"]["good"] is good
