"""The certificate of the pages: what `check` says of it, with certificates that are made here."""

import subprocess

import pytest

from surveil.app.certificate import certificate_doubts
from surveil.clock import SystemClock
from surveil.errors import ConfigError
from surveil.listening import HttpSettings
from tests.alerts.servers import make_certificate
from tests.commands import refused, surveil

NOW = SystemClock().wall()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Certificate and key of cams.example, for two days."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "cams.example")


def doubts(pair, now=NOW - 30 * 86_400, **settings):
    return list(
        certificate_doubts(HttpSettings(console=True, certificate=pair[0], key=pair[1], **settings), now)
    )


def test_of_a_good_certificate_nothing_is_said(pair):
    assert doubts(pair, public_url="https://cams.example", hosts=("cams.example",)) == []
    assert list(certificate_doubts(HttpSettings(), NOW)) == []


def test_one_that_ends_soon_is_named_with_its_days(pair):
    [said] = doubts(pair, NOW)
    assert said == f"http.certificate: {pair[0]}: expires in 2 days: renew it"


def test_a_name_that_it_is_not_for_is_told(pair):
    said = doubts(pair, public_url="https://nvr.example", hosts=("cams.example", "192.0.2.7"))
    assert [line.partition("is not for ")[2].partition(":")[0] for line in said] == [
        "nvr.example",
        "192.0.2.7",
    ]


def test_one_that_has_expired_is_told(pair, tmp_path):
    certificate, key = tmp_path / "old.pem", tmp_path / "old.key"
    request = tmp_path / "request.pem"
    for command in (
        ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", certificate],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    [said] = doubts((certificate, key))
    assert "certificate has expired" in said


def test_a_key_of_another_certificate_is_refused(pair, tmp_path):
    other = make_certificate(tmp_path)
    with pytest.raises(ConfigError, match=r"http\.certificate: .*; give files"):
        doubts((pair[0], other[1]))


@pytest.mark.parametrize("broken", [False, True])
def test_check_judges_it(pair, tmp_path, broken):
    config = tmp_path / "config.yaml"
    key = tmp_path / "none.pem" if broken else pair[1]
    config.write_text(
        f"version: 1\nstate_dir: {tmp_path}\nhttp: {{certificate: {pair[0]}, key: {key}, hosts: [nvr.example]}}\n"
    )
    if broken:
        assert "cannot be read: No such file" in refused(ConfigError, "check", "-c", config)
    else:
        code, text = surveil("check", "-c", config, "--json")
        assert code == 0
        assert "is not for nvr.example" in text
