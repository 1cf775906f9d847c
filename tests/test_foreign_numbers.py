"""Text that Python calls digits and cannot read as a number (`²`) is no bug wherever text from elsewhere is read."""

from pathlib import Path

import pytest

from surveil.capture.file import _natural
from surveil.config import load
from surveil.errors import ConfigError
from surveil.listening import split_address


@pytest.mark.parametrize("port", ["²", "٣", "①", "", "-1", "+1", "1_0"])
def test_a_port_of_odd_digits_is_refused_with_the_remedy(port):
    with pytest.raises(ValueError, match="is not ADDRESS:PORT"):
        split_address(f"127.0.0.1:{port}")


def test_pictures_with_odd_digits_in_their_names_have_an_order():
    names = ["10.jpg", "1²3.jpg", "²1.jpg", "٣.jpg", "2.jpg"]
    in_order = [path.name for path in sorted(map(Path, names), key=_natural)]
    assert in_order == ["1²3.jpg", "2.jpg", "٣.jpg", "10.jpg", "²1.jpg"]


@pytest.mark.parametrize("text", ["sinks: {²: {type: log}}", "cameras: {gate: {url: a, zones: [²]}}"])
def test_a_file_with_odd_digits_says_where(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\n{text}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2"):
        load(path)
