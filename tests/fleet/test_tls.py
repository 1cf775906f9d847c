"""Ray's connections use TLS where the fleet has certificates, and the check says what another node would say of them.

`test_ray` starts a real fleet by them.
"""

import json
import os
import subprocess
import sys

import pytest

from surveil.config import load
from surveil.errors import ConfigError
from tests.commands import surveil
from tests.fleet.authority import Authority

HERE = "127.0.0.2"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


@pytest.fixture
def write(tmp_path):
    """Write a configuration with these settings of the fleet; return its path."""

    def write(**fleet):
        path = tmp_path / "config.yaml"
        whole = {"store": str(tmp_path / "store"), **fleet}
        path.write_text(json.dumps({"version": 1, "state_dir": str(tmp_path), "fleet": whole}))
        return path

    return write


def checked(path):
    """What the check says of TLS."""
    _, text = surveil("fleet", "check", "-c", path, "--json")
    return next(one for one in json.loads(text) if one["what"] == "TLS")


def test_the_check_shakes_hands_as_another_node_would(write, authority, tmp_path):
    assert "is off" in checked(write())["text"]
    good = authority.settings("good", HERE)
    assert checked(write(**good)) == {
        "what": "TLS",
        "good": True,
        "text": f"fleet.certificate: {good['certificate']} is for {HERE}",
    }
    elsewhere = checked(write(**authority.settings("elsewhere", "127.0.0.9")))
    assert not elsewhere["good"]
    assert f"sign one for {HERE}" in elsewhere["text"]
    stranger = Authority(tmp_path / "stranger")
    other = checked(write(**good | {"authority": str(stranger.certificate)}))
    assert not other["good"]
    assert "is refused" in other["text"]
    gone = checked(write(**good | {"key": str(tmp_path / "nowhere")}))
    assert not gone["good"]
    assert "cannot be used" in gone["text"]


@pytest.mark.parametrize("missing", ["certificate", "key", "authority"])
def test_half_of_tls_is_refused(write, authority, missing):
    some = {key: path for key, path in authority.settings("node", HERE).items() if key != missing}
    with pytest.raises(ConfigError, match="give all three"):
        load(write(**some))


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_ray_is_started_by_is_what_the_file_says(write, authority, encrypted):
    tls = authority.settings("node", HERE) if encrypted else {}
    program = (
        "import os, json\nfrom pathlib import Path\nfrom surveil.cli import fleet\n"
        f"settings, section = fleet._read(Path({str(write(**tls))!r}))\n"
        "fleet.rayprocess.settle(settings.state_dir / 'token', fleet._tls(section))\n"
        "print(json.dumps({key: value for key, value in os.environ.items() if key.startswith('RAY_')}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        env={**os.environ, "RAY_USE_TLS": "1"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["RAY_USE_TLS"] == ("1" if encrypted else "0")
    files = [found.get(f"RAY_TLS_{name}") for name in ("SERVER_CERT", "SERVER_KEY", "CA_CERT")]
    assert files == ([tls["certificate"], tls["key"], tls["authority"]] if encrypted else [None] * 3)
