"""`surveil fleet check` says what Ray has opened to other machines."""

import json
import subprocess
import sys

import pytest

from surveil.app.fleetcheck import look
from surveil.app.open_ports import open_to_others
from surveil.config import load
from tests.commands import surveil
from tests.users import no_root

pytestmark = pytest.mark.rig
_LISTEN = """
import socket, sys
listeners = [socket.create_server((host, 0)) for host in ("0.0.0.0", "127.0.0.1")]
print(*(one.getsockname()[1] for one in listeners), flush=True)
sys.stdin.read()
"""
_LISTEN_HIDDEN = f"""
import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: only root sees its sockets
{_LISTEN}"""


@pytest.fixture
def raylet(request):
    """A process of that name that listens on all addresses, and on loopback; the two ports."""
    with subprocess.Popen(
        ["raylet", "-c", getattr(request, "param", _LISTEN)],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield [int(port) for port in process.stdout.readline().split()]
        process.stdin.close()


def write_config(folder, http=None):
    """Write the configuration of a node; return its path."""
    fleet = {"store": str(folder / "store")}
    text = {"version": 1, "state_dir": str(folder), "fleet": fleet, "http": http or {}}
    path = folder / "config.yaml"
    path.write_text(json.dumps(text))
    return path


def test_what_listens_on_all_addresses_is_open_and_what_listens_on_loopback_is_not(raylet):
    everywhere, loopback = raylet
    found = open_to_others()
    assert everywhere in found.ports
    assert loopback not in found.ports
    assert not found.hidden


@pytest.mark.parametrize("raylet", [_LISTEN_HIDDEN], indirect=True)
@pytest.mark.usefixtures("raylet")
def test_ports_of_a_process_that_hides_its_sockets_are_not_known(tmp_path):
    config = load(write_config(tmp_path))
    with no_root():
        (ports,) = (one for one in look(config, config.fleet) if one.what == "ports")
    assert not ports.good
    assert "not known" in ports.text


@pytest.mark.parametrize(
    ("http", "good"),
    [({}, True), ({"listen": "0.0.0.0:9108", "token": "0123456789abcdef0123456789abcdef"}, False)],
)
def test_the_check_names_open_ports_and_pages_without_tls(tmp_path, raylet, http, good):
    _, text = surveil("fleet", "check", "-c", write_config(tmp_path, http), "--json")
    found = {one["what"]: one for one in json.loads(text)}
    assert str(raylet[0]) in found["ports"]["text"]
    assert found["pages"]["good"] is good
