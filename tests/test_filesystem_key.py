"""The keys of links and exports: made once, and again where a crash or a full disk left none."""

import resource

import pytest

from surveil.alerts.signed import KEY, make_signer
from surveil.errors import StateError
from surveil.filesystem import keep_key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path):
    key = keep_key(tmp_path / "key", 32)
    assert (len(key), keep_key(tmp_path / "key", 32)) == (32, key)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_no_key(tmp_path):
    (tmp_path / "key").touch()
    assert len(keep_key(tmp_path / "key", 32)) == 32


@pytest.mark.parametrize("room", [0, 16])
def test_a_full_disk_leaves_nothing_that_the_next_start_takes_for_a_key(tmp_path, room):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal: a write beyond the limit fails.
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(StateError, match="cannot be used: File too large"):
            make_signer(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / KEY).exists()
    assert len(make_signer(tmp_path).key) == 32
